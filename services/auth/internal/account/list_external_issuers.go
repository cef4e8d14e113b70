package account

import (
	"context"
	"slices"
	"time"
)

type listExternalIssuersStore interface {
	// ExternalIssuers lists the issuers that rows say something of, and those
	// named; only those named if there are any and alone is set.
	ExternalIssuers(ctx context.Context, named []string, alone bool, idle time.Duration) ([]ExternalIssuer, error)
}

// ExternalIssuers lists the issuers in the order of their names: those that are
// configured, were revoked, or have a subject who is a user.
func (s *Service) ExternalIssuers(ctx context.Context) ([]ExternalIssuer, error) {
	issuers, err := s.store.ExternalIssuers(ctx, s.externalNames, false, s.limits.Idle)
	for i := range issuers {
		issuers[i].Configured = slices.Contains(s.externalNames, issuers[i].Issuer)
	}
	return issuers, err
}
