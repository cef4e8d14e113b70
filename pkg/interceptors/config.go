package interceptors

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"math"
	"reflect"
	"time"

	"buf.build/go/protovalidate"

	"github.com/curfew-platform/curfew/pkg/interceptors/authz"
	"github.com/curfew-platform/curfew/pkg/interceptors/identity"
	"github.com/curfew-platform/curfew/pkg/interceptors/revocation"
	"github.com/curfew-platform/curfew/pkg/interceptors/token"
)

// Verifier verifies access tokens. *token.Verifier is one. Implementations must
// be safe for concurrent use. If one also has a method Describe() string,
// Chain.Describe prints what that returns, a line for each issuer.
type Verifier interface {
	// Verify returns the identity that the token was issued to. The identity
	// may be shared by concurrent calls and must not be changed. The chain maps
	// the error: token.ErrExpired, token.ErrWrongAudience and
	// token.ErrKeysUnavailable (which becomes UNAVAILABLE) keep their meaning,
	// every other error is a malformed token.
	Verify(ctx context.Context, raw string) (*identity.Identity, error)
}

// Introspector asks the issuer whether one token is active at this moment (RFC
// 7662). The chain uses it for methods with STALENESS_POLICY_INTROSPECT while
// the local knowledge about revocations is not fresh. Implementations must be
// safe for concurrent use.
type Introspector interface {
	// Introspect returns nil if the token is active and an error that wraps
	// revocation.ErrRevoked if it is not. Every other error means that the
	// issuer did not say; the call is then UNAVAILABLE. The answer must come
	// from where revocations are committed, not from a replica or a cache. ctx
	// ends after one second at the latest.
	Introspect(ctx context.Context, id *identity.Identity, raw token.Raw) error
}

// Config is what a chain is made from. Every field is required unless it says
// "optional" or names the condition under which it is required.
type Config struct {
	// Verifier verifies access tokens.
	Verifier Verifier
	// Revocation knows which tokens are revoked. If it also implements
	// inflight.Owner, running calls are cancelled when their token is revoked.
	Revocation revocation.Source
	// Policy says who may call what.
	Policy *authz.Policy
	// Logger gets one line for each call and the causes of internal errors. It
	// never gets a token.
	Logger *slog.Logger
	// Introspector is required if a rule of Policy says
	// STALENESS_POLICY_INTROSPECT.
	Introspector Introspector
	// Audit gets one event for each call of an audited method. It is required
	// if Policy has such a method.
	Audit Auditor
	// Metrics gets the statistics of every call. Optional: without it nothing
	// is measured. The module pkg/interceptors/telemetry has one for
	// OpenTelemetry.
	Metrics Meter
	// Limits of one call. Optional: zero fields take their defaults.
	Limits Limits
	// Rates limit how often callers may call. Optional: zero fields limit
	// nothing.
	Rates Rates
	// Validator checks the constraints of request messages. Optional; default
	// protovalidate.New().
	Validator protovalidate.Validator
	// Reflection lets the gRPC reflection service be called without a token.
	// Optional; by default Check refuses a server that has it.
	Reflection bool
}

// Limits bound what one call may cost. A zero field takes its default.
type Limits struct {
	// MetadataBytes is the most metadata of a call: names and values, and 32
	// bytes for each pair (RFC 9113 section 6.5.2). Default 8 KiB, at most 1
	// MiB.
	MetadataBytes int
	// MessageBytes is the largest message that is received, uncompressed.
	// Default 4 MiB. A message above twice the limit is refused by the
	// transport, and that refusal carries no reason.
	MessageBytes int
	// DefaultDeadline is for unary calls whose client sets none. Default 30 s.
	DefaultDeadline time.Duration
	// MaxDeadline is the longest deadline of a unary call; a later one is
	// shortened. Default 2 min. Streams are bounded by their token instead.
	MaxDeadline time.Duration
	// ConcurrentStreams is the most running calls of one connection. Default
	// 1,000.
	ConcurrentStreams uint32
}

const (
	// transportHeaderBytes is what the transport still reads, so that a call
	// with far too much metadata gets a status with a reason. Above it the
	// transport refuses without one.
	transportHeaderBytes = 2 << 20
	maxMetadataBytes     = 1 << 20
)

// transportMessageBytes is what the transport still takes, so that a message
// that is somewhat too large gets a status with a reason.
func transportMessageBytes(limit int) int {
	if limit > math.MaxInt32/2 {
		return limit
	}
	return 2 * limit
}

func (l Limits) withDefaults() Limits {
	if l.MetadataBytes == 0 {
		l.MetadataBytes = 8 << 10
	}
	if l.MessageBytes == 0 {
		l.MessageBytes = 4 << 20
	}
	if l.DefaultDeadline == 0 {
		l.DefaultDeadline = 30 * time.Second
	}
	if l.MaxDeadline == 0 {
		l.MaxDeadline = 2 * time.Minute
	}
	if l.ConcurrentStreams == 0 {
		l.ConcurrentStreams = 1000
	}
	return l
}

func (l Limits) check() error {
	switch {
	case l.MetadataBytes < 0 || l.MetadataBytes > maxMetadataBytes:
		return fmt.Errorf("limits: metadata not within 0 to %d bytes", maxMetadataBytes)
	case l.MessageBytes < 0:
		return errors.New("limits: message size is negative")
	case l.DefaultDeadline < 0 || l.MaxDeadline < l.DefaultDeadline:
		return errors.New("limits: default deadline above the longest one")
	}
	return nil
}

// absent reports whether v is nil, or holds a nil pointer, function or map: a
// failed constructor may leave one, and it would panic at the first call.
func absent(v any) bool {
	if v == nil {
		return true
	}
	switch r := reflect.ValueOf(v); r.Kind() {
	case reflect.Pointer, reflect.Func, reflect.Map:
		return r.IsNil()
	default:
		return false
	}
}

// check reports everything that is missing, together.
func (c *Config) check() error {
	var errs []error
	missing := func(what string) { errs = append(errs, errors.New(what+" is missing")) }
	if absent(c.Verifier) {
		missing("verifier")
	}
	if absent(c.Revocation) {
		missing("revocation source")
	}
	if c.Metrics != nil && absent(c.Metrics) {
		missing("what is behind metrics")
	}
	if c.Validator != nil && absent(c.Validator) {
		missing("what is behind validator")
	}
	if c.Logger == nil {
		missing("logger")
	}
	if c.Policy == nil {
		missing("policy")
	} else {
		for _, r := range c.Policy.Rules() {
			if r.Audited && absent(c.Audit) {
				missing("auditor, which " + r.Method + " needs,")
			}
			if r.Staleness == authz.Introspect && absent(c.Introspector) {
				missing("introspector, which " + r.Method + " needs,")
			}
		}
	}
	return errors.Join(append(errs, c.Limits.check(), c.Rates.Check())...)
}
