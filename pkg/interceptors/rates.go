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

// Rates limit how often calls may come, each replica for itself. A stream
// counts as one call. Fields that are zero limit nothing.
type Rates struct {
	// Address limits the calls of one network address (of IPv6: of one /64),
	// with and without a token, before the token is verified. Calls whose address
	// is unknown, over a socket file for example, are not limited.
	Address rate.Limit
	// Identity limits the calls of one user: issuer and subject. Services are
	// not limited: what one asks for all of its own callers is not one caller's.
	Identity rate.Limit
	// Proxies say truly from whom they forward.
	Proxies address.Proxies
	// Entries is how many callers, and how many addresses, are kept at most.
	// Default 100,000: about 20 MB each when all are used.
	Entries int
}

const defaultRateEntries = 100_000

// Check reports what is wrong with the rates.
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

// addressRateLink stands before authentication: verifying a signature is what a
// flood of bad tokens would cost.
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

// identityRateLink stands after revocation, so that who presents a stolen token
// that was revoked uses up nothing of its owner's, and before authorization, so
// that denied calls count.
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
