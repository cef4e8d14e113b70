// Package cluster recognises the pods of a Kubernetes cluster: a projected
// service-account token, verified with the keys that the cluster publishes,
// stands for the service that its account is mapped to. Accounts that are not
// mapped stand for nothing.
package cluster

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"time"

	"github.com/curfew-platform/curfew/pkg/interceptors/token"
	"github.com/curfew-platform/curfew/services/auth/internal/jwks"
)

// Errors of Service. Causes never contain a part of a token.
var (
	// ErrRefused: not a token of the cluster for this audience, or over.
	ErrRefused = errors.New("not a valid token of the cluster")
	// ErrUnmapped: a genuine token of an account that stands for no service.
	ErrUnmapped = errors.New("service account stands for no service")
	// ErrUnavailable: the cluster's keys cannot be had now.
	ErrUnavailable = errors.New("keys of the cluster unavailable")
)

// Config says which cluster, and what its accounts stand for.
type Config struct {
	// Issuer is `iss` of its tokens: --service-account-issuer of the API server.
	Issuer string
	// Audience that the tokens must be for: that of the projected volume.
	Audience string
	// Accounts that stand for services.
	Accounts Accounts
	// Keys of the cluster. The way to them is not the way out: no proxy.
	Keys jwks.Source
	// Now is the clock.
	Now func() time.Time
}

// Cluster verifies tokens. It is safe for concurrent use. Close it.
type Cluster struct {
	issuer   string
	accounts Accounts
	keys     *token.Remote
	verifier *token.Verifier
}

// cacheEntries and cacheBytes are for the pods of one cluster that are services
// here: each has one token at a time.
const (
	cacheEntries = 1000
	cacheBytes   = 8 << 20
)

// Open returns the cluster. Its keys are not asked for before the first token.
func Open(cfg Config, log *slog.Logger) (*Cluster, error) {
	keys, err := cfg.Keys.Open(log)
	if err != nil {
		return nil, fmt.Errorf("keys of the cluster: %w", err)
	}
	verifier, err := token.Options{CacheEntries: cacheEntries, CacheBytes: cacheBytes, Now: cfg.Now}.
		NewVerifier(token.Kubernetes(cfg.Issuer, cfg.Audience, keys))
	if err != nil {
		return nil, fmt.Errorf("tokens of the cluster: %w", err)
	}
	return &Cluster{issuer: cfg.Issuer, accounts: cfg.Accounts, keys: keys, verifier: verifier}, nil
}

// Close ends what runs for the cluster and waits for it.
func (c *Cluster) Close() {
	c.keys.Close()
	c.verifier.Close()
}

// Issuer is `iss` of the cluster's tokens.
func (c *Cluster) Issuer() string { return c.issuer }

// Service returns the bare name of the service that the bearer of raw is. The
// error is ErrRefused, ErrUnmapped or ErrUnavailable.
//
// A token is not used up by this. The kubelet keeps one in a file until four
// fifths of its life are over, and a pod that starts again, or asks for its next
// access token, has no other to present. What limits a copy is that it is good
// for this audience only, and not after `exp`.
func (c *Cluster) Service(ctx context.Context, raw string) (string, error) {
	id, err := c.verifier.Verify(ctx, raw)
	switch {
	case errors.Is(err, token.ErrKeysUnavailable):
		return "", fmt.Errorf("%w: %w", ErrUnavailable, err)
	case err != nil:
		return "", fmt.Errorf("%w: %w", ErrRefused, err)
	}
	service, ok := c.accounts.service(id.Subject)
	if !ok {
		return "", ErrUnmapped
	}
	return service, nil
}
