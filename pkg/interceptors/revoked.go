package interceptors

import (
	"context"
	"errors"
	"time"

	"github.com/curfew-platform/curfew/pkg/interceptors/authz"
	"github.com/curfew-platform/curfew/pkg/interceptors/identity"
	"github.com/curfew-platform/curfew/pkg/interceptors/revocation"
	"github.com/curfew-platform/curfew/pkg/interceptors/revocation/inflight"
	"github.com/curfew-platform/curfew/pkg/interceptors/status"
)

// errStreamExpired is the cause with which a stream ends when its token does.
var errStreamExpired = errors.New("token of the stream expired")

// revocationLink registers the call in the in-flight index and then asks the
// source: whoever revokes publishes first and sweeps the index then, so one of
// the two sees the other. It also makes the call the guard of CommitGuard.
func revocationLink(source revocation.Source, introspector Introspector) link {
	var index *inflight.Index
	does := "checked on every call; the source has no index, running calls are not cancelled"
	if owner, ok := source.(inflight.Owner); ok && owner.Inflight() != nil {
		index = owner.Inflight()
		does = "checked on every call; running calls and streams are cancelled, streams also when the token expires"
	}
	r := &revocationCheck{source: source, introspector: introspector, index: index}
	r.asking, _ = source.(revocation.ContextSource)
	if r.asking != nil {
		does += "; asks a store each time"
	}
	return link{Link: Link{Name: "revocation", Does: does}, before: r.before, after: r.after}
}

type revocationCheck struct {
	source       revocation.Source
	asking       revocation.ContextSource // source, if it asks; else nil
	introspector Introspector
	index        *inflight.Index
}

// before makes the call its own context, also where there is no token to check.
func (r *revocationCheck) before(ctx context.Context, c *call) (context.Context, error) {
	if c.public() {
		c.Begin(ctx)
		return c, nil
	}
	c.check = r
	if r.index != nil {
		r.index.Register(ctx, &c.Call, c.identity, c.rule == nil || c.rule.Staleness == authz.FailClosed)
	} else {
		c.Begin(ctx)
	}
	if err := r.admit(c, c); err != nil {
		r.release(c)
		return nil, revocationRefusal(err)
	}
	if c.streamed {
		left := time.Until(c.identity.ExpiresAt)
		if left <= 0 { // the leeway of the clocks admits a call, but a stream would be cut off at once
			r.release(c)
			return nil, errTokenExpired
		}
		c.expiry = time.AfterFunc(left, func() { c.Cancel(errStreamExpired) })
	}
	return c, nil
}

func (r *revocationCheck) check(ctx context.Context, id *identity.Identity) revocation.Verdict {
	if r.asking != nil {
		return r.asking.CheckContext(ctx, id)
	}
	return r.source.Check(id)
}

// introspectLimit bounds the question to the issuer: who stands still must not
// hold every call until its own deadline.
const introspectLimit = time.Second

// admit decides about one call, when it begins and whenever its handler asks.
func (r *revocationCheck) admit(ctx context.Context, c *call) error {
	verdict := r.check(ctx, c.identity)
	if verdict.Fresh && !verdict.Revoked {
		return nil
	}
	var maxStale time.Duration
	if c.rule != nil && c.rule.Staleness == authz.Bounded {
		maxStale = c.rule.MaxStaleness
	}
	err := verdict.Admit(maxStale)
	if !errors.Is(err, revocation.ErrStale) || c.rule == nil || c.rule.Staleness != authz.Introspect {
		return err
	}
	asking, cancel := context.WithTimeout(ctx, introspectLimit)
	defer cancel()
	if err := r.introspector.Introspect(asking, c.identity, c.raw); err != nil {
		if errors.Is(err, revocation.ErrRevoked) {
			return revocation.ErrRevoked
		}
		return errors.Join(revocation.ErrStale, err)
	}
	return nil
}

// after gives a call that was cut off the status that says why. What a handler
// decided itself stays: a result, or an error with a reason. ChangePassword,
// for example, revokes the token it was called with and still has to answer.
func (r *revocationCheck) after(c *call, err error) error {
	if c.public() || (err == nil && !c.streamed) {
		r.release(c)
		return err
	}
	cause := context.Cause(c)
	r.release(c)
	if status.Reason(err) != "" && isOurs(err) {
		return err
	}
	for _, why := range []error{cause, err} {
		if refusal := cutOff(why); refusal != nil {
			return refusal
		}
	}
	return err
}

// cutOff is revocationRefusal for a call whose handler had begun.
func cutOff(err error) error {
	switch {
	case errors.Is(err, revocation.ErrRevoked):
		return errCutRevoked
	case errors.Is(err, errStreamExpired):
		return errCutExpired
	default:
		return revocationRefusal(err)
	}
}

func (r *revocationCheck) release(c *call) {
	if c.expiry != nil {
		c.expiry.Stop()
	}
	c.Leave()
}

func isOurs(err error) bool {
	var ours *status.Error
	return errors.As(err, &ours)
}

// revocationRefusal returns the status for an error of package revocation, nil
// for every other one.
func revocationRefusal(err error) error {
	switch {
	case errors.Is(err, revocation.ErrRevoked):
		return errTokenRevoked
	case errors.Is(err, revocation.ErrStale):
		if err != revocation.ErrStale { //nolint:errorlint // wrapped or joined with why
			return status.WithCause(errUnknown, err)
		}
		return errUnknown
	default:
		return nil
	}
}
