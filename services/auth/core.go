package auth

import (
	"context"
	"log/slog"
	"time"

	"github.com/jackc/pgx/v5/pgxpool"

	"github.com/curfew-platform/curfew/pkg/interceptors/token"
	"github.com/curfew-platform/curfew/pkg/server/keyset"
	"github.com/curfew-platform/curfew/services/auth/internal/account"
	"github.com/curfew-platform/curfew/services/auth/internal/attempt"
	"github.com/curfew-platform/curfew/services/auth/internal/issuer"
	"github.com/curfew-platform/curfew/services/auth/internal/password"
	"github.com/curfew-platform/curfew/services/auth/internal/postgres"
	"github.com/curfew-platform/curfew/services/auth/internal/refresh"
	"github.com/curfew-platform/curfew/services/auth/internal/servicetoken"
	"github.com/curfew-platform/curfew/services/auth/internal/signingkey"
)

// core is the service without its transport.
type core struct {
	store    *postgres.Store
	ring     *signingkey.Ring
	verifier *token.Verifier
	accounts *account.Service
	services *servicetoken.Exchange
}

// outside is what the use cases have to do with that is not theirs.
type outside struct {
	platform  servicetoken.Platform // nil if there is none
	externals account.Externals     // nil if there are none
	issuers   []string              // the names of the externals
	barrier   account.Barrier
	reader    keyReader
	counters  counters
}

// newCore loads the signing keys, makes the first one if there is none, and
// builds the use cases.
func newCore(ctx context.Context, log *slog.Logger, cfg *Config, pool *pgxpool.Pool, keys *keyset.Set, with outside) (*core, error) {
	store := postgres.New(pool, cfg.Issuer, ruleLife())
	ring, err := openRing(ctx, log, cfg, store, keys, with.reader)
	if err != nil {
		return nil, err
	}
	tokens, err := issuer.New(cfg.issuing(), ring)
	if err != nil {
		return nil, err
	}
	verifier, err := token.NewVerifier(token.Curfew(cfg.Issuer, ring))
	if err != nil {
		return nil, err
	}
	hasher, err := password.New(password.Recommended(), cfg.passwordConcurrency())
	if err != nil {
		return nil, err
	}
	codec := refresh.NewCodec(keys)
	accounts, err := account.New(account.Parts{
		Store:   store,
		Hasher:  hasher,
		Minter:  account.NewMinter(tokens, codec),
		Refresh: codec,
		Limiter: attempt.New(attempt.Defaults(), time.Now),
		Pace:    attempt.NewPace(cfg.RegisterRate, time.Now),
		Barrier: with.barrier,
		Limits:  cfg.limits(),
		Ring:    ring,

		Announce: cfg.SigningKeyAnnounce,

		ExchangePace:  attempt.NewPace(cfg.ExchangeRate, time.Now),
		Externals:     with.externals,
		ExternalNames: with.issuers,

		Log: log,

		Refreshes: with.counters.refreshes,
		Exchanges: with.counters.exchanges,
	})
	if err != nil {
		return nil, err
	}
	known, err := registry(cfg)
	if err != nil {
		return nil, err
	}
	assertions := servicetoken.NewVerifier(known, cfg.Issuer, time.Now)
	return &core{
		store: store, ring: ring, verifier: verifier, accounts: accounts,
		services: servicetoken.NewExchange(assertions, with.platform, store, tokens, time.Now),
	}, nil
}
