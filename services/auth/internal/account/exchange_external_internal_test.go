package account

import (
	"context"
	"fmt"
	"log/slog"
	"strings"
	"testing"
	"time"

	"github.com/google/uuid"

	"github.com/curfew-platform/curfew/services/auth/internal/external"
	"github.com/curfew-platform/curfew/services/auth/internal/refresh"
)

// issuers verify every token, or none.
type issuers struct{ err error }

func (i issuers) Verify(context.Context, string) (external.Claim, error) {
	return external.Claim{Issuer: "https://id.example.com", Subject: "anna", Provision: true}, i.err
}

// links is a store that knows anna, or not, and opens no session.
type links struct {
	Store

	known, opened error
}

func (l links) ExternalUser(context.Context, string, string) (uuid.UUID, error) {
	return uuid.Max, l.known
}

func (l links) OpenExternalSession(context.Context, NewExternalSession) (Generation, User, error) {
	return Generation{}, User{}, l.opened
}

// wait is a pace.
type wait time.Duration

func (w wait) Take(string) time.Duration { return time.Duration(w) }

func TestEveryExchangeIsCountedByItsVerdictAndTheLogSaysWhy(t *testing.T) {
	ended, end := context.WithCancel(t.Context())
	end()
	refused := fmt.Errorf("%w: wrong audience", external.ErrRefused)
	for name, c := range map[string]struct {
		ctx           context.Context //nolint:containedctx // of the call
		verify        error
		known, opened error
		issuer, log   string
		verdict       Exchanged
		pace          wait // of exchanges
	}{
		"refused":     {t.Context(), refused, nil, nil, "", "wrong audience", ExchangedRefused, 0},
		"given up":    {ended, refused, nil, nil, "", "", ExchangedFailed, 0},
		"no keys":     {t.Context(), external.ErrUnavailable, nil, nil, "", "unavailable", ExchangedFailed, 0},
		"deactivated": {t.Context(), nil, nil, ErrUserDeactivated, "https://id.example.com", "deactivated", ExchangedDeactivated, 0},
		"revoked":     {t.Context(), nil, nil, ErrExternalRevoked, "https://id.example.com", "issuer is revoked", ExchangedRevoked, 0},
		"too often":   {t.Context(), nil, nil, nil, "https://id.example.com", "too many exchanges", ExchangedFailed, wait(time.Second)},
		"too fast":    {t.Context(), nil, ErrExternalUnknown, nil, "https://id.example.com", "too many registrations", ExchangedFailed, 0},
	} {
		var log strings.Builder
		var counted []string
		s := &Service{
			externals: issuers{c.verify}, store: links{known: c.known, opened: c.opened}, pace: wait(time.Second), exchangePace: c.pace, refresh: refresh.NewCodec(yes{}),
			log:       slog.New(slog.NewTextHandler(&log, nil)),
			exchanged: func(_ context.Context, issuer string, v Exchanged) { counted = append(counted, issuer+" "+string(v)) },
		}
		_, err := s.ExchangeExternal(c.ctx, Exchange{Token: "the token"})
		if err == nil {
			t.Errorf("%s: no error", name)
		}
		if want := c.issuer + " " + string(c.verdict); len(counted) != 1 || counted[0] != want {
			t.Errorf("%s: counted %q, want %q", name, counted, want)
		}
		if text := log.String(); !strings.Contains(text, c.log) || !strings.Contains(text, string(c.verdict)) || strings.Contains(text, "the token") {
			t.Errorf("%s: the log says %s", name, text)
		}
	}
}
