package account

import (
	"context"
)

type acceptExternalIssuerStore interface {
	// AcceptExternalIssuer admits exchanges to come.
	AcceptExternalIssuer(ctx context.Context, issuer string) error
}

// AcceptExternalIssuer lets tokens of an issuer be exchanged again. It revives
// nothing. The error is ErrExternalIssuerNotFound.
func (s *Service) AcceptExternalIssuer(ctx context.Context, issuer string) (ExternalIssuer, error) {
	if err := s.known(ctx, issuer); err != nil {
		return ExternalIssuer{}, err
	}
	if err := s.store.AcceptExternalIssuer(ctx, issuer); err != nil {
		return ExternalIssuer{}, err
	}
	return s.externalIssuer(ctx, issuer)
}
