package interceptors

import (
	"context"
	"errors"
	"fmt"
	"net/netip"
	"time"

	"google.golang.org/grpc/codes"

	"github.com/curfew-platform/curfew/pkg/interceptors/address"
	"github.com/curfew-platform/curfew/pkg/interceptors/rate"
	"github.com/curfew-platform/curfew/pkg/interceptors/status"
	authzv1 "github.com/curfew-platform/curfew/proto/gen/curfew/authz/v1"
)

// Rates limit how often callers may call. Each replica counts for itself. A
// stream counts as one call. A zero limit limits nothing.
type Rates struct {
	// Address limits the calls of one network address, for IPv6 of one /64,
	// before the token is verified. Calls whose address is unknown, over a Unix
	// socket for example, are not limited.
	Address rate.Limit
	// Identity limits the calls of one user, which is an issuer and a subject.
	// Services are not limited, because one service calls on behalf of many
	// users.
	Identity rate.Limit
	// Proxies are the trusted proxies, whose x-forwarded-for is believed.
	Proxies address.Proxies
	// Entries is the most users, and the most addresses, that are remembered.
	// Default 100,000, which is about 20 MB for each of the two.
	Entries int
}

const defaultRateEntries = 100_000

// Check returns an error if a limit, a proxy or Entries is invalid. New calls
// it.
func (r Rates) Check() error {
	if err := errors.Join(r.Address.Check(), r.Identity.Check(), r.Proxies.Check()); err != nil {
		return err
	}
	if r.Entries < 0 {
		return errors.New("rates: negative number of entries")
	}
	return nil
}

func (r Rates) entries() int {
	if r.Entries == 0 {
		return defaultRateEntries
	}
	return r.Entries
}

// addressRateLink comes before authentication, because verifying signatures is
// what a flood of bad tokens would cost.
func addressRateLink(r Rates) (link, error) {
	l := link{Link: Link{Name: "address-rate", Does: r.Address.String()}}
	if r.Address.Off() {
		return l, nil
	}
	l.Does += ", per client network"
	limiter, err := rate.New[netip.Prefix](r.Address, r.entries())
	if err != nil {
		return l, fmt.Errorf("chain: %w", err)
	}
	l.before = func(ctx context.Context, c *call) (context.Context, error) {
		if c.infrastructure {
			return ctx, nil
		}
		client, known := r.Proxies.Client(ctx)
		if !known {
			return ctx, nil
		}
		return ctx, tooOften(limiter.Take(address.Network(client), c.started))
	}
	return l, nil
}

// caller is the user who is limited by identity.
type caller struct{ issuer, subject string }

// identityRateLink comes after revocation, so that somebody with a revoked
// token uses up nothing of its owner's rate, and before authorization, so that
// denied calls count.
func identityRateLink(r Rates) (link, error) {
	l := link{Link: Link{Name: "identity-rate", Does: r.Identity.String()}}
	if r.Identity.Off() {
		return l, nil
	}
	l.Does += ", per issuer and subject; services are not limited"
	limiter, err := rate.New[caller](r.Identity, r.entries())
	if err != nil {
		return l, fmt.Errorf("chain: %w", err)
	}
	l.before = func(ctx context.Context, c *call) (context.Context, error) {
		if c.public() || c.identity.IsService() {
			return ctx, nil
		}
		return ctx, tooOften(limiter.Take(caller{c.identity.Issuer, c.identity.Subject}, c.started))
	}
	return l, nil
}

// tooOften is the refusal that says when to come back.
func tooOften(wait time.Duration, ok bool) error {
	if ok {
		return nil
	}
	return refuse(codes.ResourceExhausted, authzv1.ErrorReason_ERROR_REASON_RATE_LIMITED,
		"too many calls, try again later", status.Retry(wait))
}
