// Package introspection is a revocation source that asks the issuer about the
// token of every call (RFC 7662), one round trip each.
//
// A token is refused by every replica as soon as the issuer calls it inactive,
// or, with a cache, when the cached answer has reached its maximum age. Running
// calls are not cancelled. While the issuer does not answer, nothing is known
// about new tokens.
//
// The issuer must answer from where revocations are committed, not from a
// replica that may lag behind.
package introspection

import (
	"context"
	"errors"
	"log/slog"
	"time"

	"github.com/curfew-platform/curfew/pkg/interceptors/identity"
	"github.com/curfew-platform/curfew/pkg/interceptors/internal/contextkey"
	"github.com/curfew-platform/curfew/pkg/interceptors/revocation"
	"github.com/curfew-platform/curfew/pkg/interceptors/revocation/leaseclock"
	"github.com/curfew-platform/curfew/pkg/interceptors/token"
)

// Ask asks the issuer whether a token is active. An inactive token is not an
// error; an error means that the issuer did not say. It must be safe for
// concurrent use.
type Ask func(ctx context.Context, raw token.Raw) (active bool, err error)

// Introspect implements interceptors.Introspector: an Ask also serves the methods
// with STALENESS_POLICY_INTROSPECT beside a source of another kind.
func (a Ask) Introspect(ctx context.Context, _ *identity.Identity, raw token.Raw) error {
	active, err := a(ctx, raw)
	switch {
	case err != nil:
		return err
	case !active:
		return revocation.ErrRevoked
	default:
		return nil
	}
}

// DefaultTimeout bounds one question to the issuer.
const DefaultTimeout = time.Second

// Options are the optional settings of a [Source].
type Options struct {
	// Timeout of one question. Default [DefaultTimeout].
	Timeout time.Duration
	// MaxAge is how old an answer may be that admits a call, and so for how
	// long a revocation may go unnoticed. Zero, the default, asks for every
	// call.
	MaxAge time.Duration
	// Entries is the most answers that are cached, if MaxAge is set. Default
	// 100,000, of about 100 bytes each.
	Entries int
	// Clock counts the ages. Default leaseclock.System.
	Clock leaseclock.Clock
}

// Source asks the issuer. Create it with [New]; safe for concurrent use.
type Source struct {
	ask     Ask
	log     *slog.Logger
	timeout time.Duration
	maxAge  time.Duration
	clock   leaseclock.Clock
	answers *answers // nil without a cache
}

var _ revocation.ContextSource = (*Source)(nil)

// New returns a source that asks with ask. ask and log are required.
func New(ask Ask, log *slog.Logger, o Options) (*Source, error) {
	if ask == nil || log == nil {
		return nil, errors.New("introspection: who is asked and a logger are required")
	}
	if o.Timeout < 0 || o.MaxAge < 0 || o.Entries < 0 {
		return nil, errors.New("introspection: an option is negative")
	}
	s := &Source{ask: ask, log: log, timeout: o.Timeout, maxAge: o.MaxAge, clock: o.Clock}
	if s.timeout == 0 {
		s.timeout = DefaultTimeout
	}
	if s.clock == nil {
		s.clock = leaseclock.System()
	}
	if s.maxAge == 0 {
		return s, nil
	}
	var err error
	s.answers, err = newAnswers(o.Entries)
	return s, err
}

// WithToken returns a context in which [Source.CheckContext] finds the token of
// the caller. The chain does this by itself.
func WithToken(ctx context.Context, raw token.Raw) context.Context {
	return context.WithValue(ctx, contextkey.Token{}, raw)
}

// CheckContext implements [revocation.ContextSource]. If there is no token in
// ctx, nothing is known.
func (s *Source) CheckContext(ctx context.Context, id *identity.Identity) revocation.Verdict {
	raw, ok := ctx.Value(contextkey.Token{}).(token.Raw)
	if !ok || raw == "" {
		return revocation.Verdict{StaleFor: revocation.Unknown}
	}
	// Before the question is sent: what was revoked later may not be in it.
	now := s.clock.Now()
	kept, known := s.answers.get(raw)
	if known && (!kept.active || !kept.at.Add(s.maxAge).Over(now)) {
		return revocation.Verdict{Revoked: !kept.active, Fresh: true}
	}
	asking, cancel := context.WithTimeout(ctx, s.timeout)
	defer cancel()
	active, err := s.ask(asking, raw)
	if err != nil {
		s.log.WarnContext(ctx, "the issuer does not tell whether a token is active", slog.String("error", err.Error()))
		if known {
			return revocation.Verdict{StaleFor: max(0, -kept.at.Left(now))}
		}
		return revocation.Verdict{StaleFor: revocation.Unknown}
	}
	s.answers.put(raw, answer{active: active, at: now, end: id.ExpiresAt})
	return revocation.Verdict{Revoked: !active, Fresh: true}
}

// Check implements [revocation.Source]. It has no token to ask about, so
// nothing is known.
func (s *Source) Check(*identity.Identity) revocation.Verdict {
	return revocation.Verdict{StaleFor: revocation.Unknown}
}
