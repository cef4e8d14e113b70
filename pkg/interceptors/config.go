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

// Verifier tells who a token speaks for. *token.Verifier is one.
type Verifier interface {
	// Verify returns a shared, read-only identity, or an error of package token.
	Verify(ctx context.Context, raw string) (*identity.Identity, error)
}

// Introspector asks the issuer whether one token is good at this moment (RFC
// 7662), answered from the primary store. It serves methods with
// STALENESS_POLICY_INTROSPECT while the local knowledge is not fresh.
type Introspector interface {
	// Introspect returns nil if the token is active and revocation.ErrRevoked
	// if it is not. Every other error means that nobody knows. ctx ends a second
	// after the question at the latest.
	Introspect(ctx context.Context, id *identity.Identity, raw token.Raw) error
}

// Config is what a chain is made from. Fields without "optional" are required.
type Config struct {
	// Verifier of access tokens.
	Verifier Verifier
	// Revocation knows which tokens are revoked. If it also implements
	// inflight.Owner, running calls are registered there and cancelled when
	// their token is revoked.
	Revocation revocation.Source
	// Policy says who may call what.
	Policy *authz.Policy
	// Logger takes one line per call and the causes of internal errors. It is
	// never given a token.
	Logger *slog.Logger
	// Introspector is required if a rule of Policy says INTROSPECT.
	Introspector Introspector
	// Audit takes one event per call of an audited method; required if Policy
	// has such a method.
	Audit Auditor
	// Metrics takes figures of every call. Optional: none are taken. The module
	// pkg/interceptors/telemetry has one for OpenTelemetry.
	Metrics Meter
	// Limits are optional; zero fields take their defaults.
	Limits Limits
	// Rates are optional; zero fields limit nothing.
	Rates Rates
	// Validator checks the constraints of request messages. Optional; default
	// protovalidate.New().
	Validator protovalidate.Validator
	// Reflection admits the reflection service without a token. Optional: off.
	Reflection bool
}

// Limits bound what one call may cost. Zero means the default.
type Limits struct {
	// MetadataBytes of one call: names and values. Default 8 KiB.
	MetadataBytes int
	// MessageBytes of one received message, uncompressed. Default 4 MiB. One of
	// more than twice as much is refused by the transport, without a reason.
	MessageBytes int
	// DefaultDeadline of a unary call whose client set none. Default 30 s.
	DefaultDeadline time.Duration
	// MaxDeadline of a unary call, whatever the client set. Default 2 min.
	MaxDeadline time.Duration
	// ConcurrentStreams of one connection. Default 1,000.
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

// absent tells whether there is nothing behind an interface: also no nil pointer
// in it, which a failed constructor leaves, and which panics at the first call.
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
