package authz

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/google/uuid"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/reflect/protoreflect"

	"github.com/curfew-platform/curfew/pkg/interceptors/identity"
)

// The reasons for which a call is refused. Errors of [Rule.Caller] and
// [Rule.Request] wrap one of them; compare with errors.Is.
var (
	// ErrDenied: the caller lacks the permission, or the resource is not
	// theirs.
	ErrDenied = errors.New("permission denied")
	// ErrStepUp: the caller must log in again, or with a stronger method.
	ErrStepUp = errors.New("step-up required")
	// ErrCrossOwnerStepUp is ErrStepUp for a resource that is not the caller's.
	ErrCrossOwnerStepUp = fmt.Errorf("%w: not the caller's own resource", ErrStepUp)
	// ErrResource: the resource name in the request does not name an owner.
	ErrResource = errors.New("resource name invalid")
	// ErrRequestID: request_id is missing or is not a UUID.
	ErrRequestID = errors.New("request id required")
)

// Caller decides what can be decided without the request: whether one of the
// caller's roles holds the permission, and whether the login is recent and
// strong enough at now. It returns nil, [ErrDenied] or [ErrStepUp]. A public
// rule admits everybody, also a nil id.
func (r *Rule) Caller(id *identity.Identity, now time.Time) error {
	if r.Public {
		return nil
	}
	if id == nil || !anyOf(id.Roles, r.holders) {
		return ErrDenied
	}
	if r.MaxAuthAge > 0 && now.Sub(id.AuthTime) > r.MaxAuthAge {
		return ErrStepUp
	}
	if r.RequiredACR != "" && !r.acr.atLeast(id.ACR, r.RequiredACR) {
		return ErrStepUp
	}
	return nil
}

// Request decides what depends on the request: whether the named resource
// belongs to the caller, and whether the request id is a UUID. It returns nil,
// [ErrDenied], [ErrCrossOwnerStepUp], [ErrResource] or [ErrRequestID]. Call it
// after Caller.
func (r *Rule) Request(id *identity.Identity, request proto.Message, now time.Time) error {
	if r.Public || (!r.OwnerOnly && r.requestID == nil) {
		return nil
	}
	m := request.ProtoReflect()
	if r.OwnerOnly {
		if err := r.owner(id, m, now); err != nil {
			return err
		}
	}
	if r.requestID != nil && !isUUID(m.Get(r.requestID).String()) {
		return ErrRequestID
	}
	return nil
}

// Carries reports whether request, a message of a stream after the first, names
// a resource and so has to be judged by Caller and Request. The first message
// of a stream is always judged.
func (r *Rule) Carries(request proto.Message) bool {
	return len(r.resource) > 0 && r.resource.carried(request.ProtoReflect())
}

// Resource returns the first resource name in request, for the audit log; "" if
// the rule names no field or the field is empty.
func (r *Rule) Resource(request proto.Message) string {
	var first string
	if len(r.resource) > 0 {
		stop := errors.New("found")
		_ = r.resource.each(request.ProtoReflect(), func(name string) error {
			first = name
			return stop
		})
	}
	return first
}

func (r *Rule) owner(id *identity.Identity, m protoreflect.Message, now time.Time) error {
	if id == nil {
		return ErrDenied
	}
	if !anyOf(id.Roles, r.crossHolders) {
		return r.owns(id, m)
	}
	if r.CrossOwnerMaxAuthAge > 0 && now.Sub(id.AuthTime) > r.CrossOwnerMaxAuthAge && r.owns(id, m) != nil {
		return ErrCrossOwnerStepUp
	}
	return nil
}

// owns returns nil if every name in m is of a resource of the caller.
func (r *Rule) owns(id *identity.Identity, m protoreflect.Message) error {
	return r.resource.each(m, func(name string) error {
		owner, err := ownerOf(name)
		if err != nil {
			return err
		}
		// "-" stands for all users and is nobody's own, whoever verified the
		// token. A service owns no user's resource: its subject has a slash.
		if owner == "-" || owner != id.Subject {
			return ErrDenied
		}
		return nil
	})
}

// ownerOf returns the user segment of `users/{user}` or `users/{user}/...`.
func ownerOf(name string) (string, error) {
	rest, ok := strings.CutPrefix(name, "users/")
	if !ok {
		return "", fmt.Errorf("%w: not below users/", ErrResource)
	}
	owner, _, _ := strings.Cut(rest, "/")
	if owner == "" {
		return "", fmt.Errorf("%w: no user", ErrResource)
	}
	return owner, nil
}

// anyOf allocates nothing: both lists are short.
func anyOf(have, want []string) bool {
	for _, h := range have {
		if slices.Contains(want, h) {
			return true
		}
	}
	return false
}

// isUUID accepts the 36 characters of RFC 9562 only: uuid.Parse also takes
// braces, a URN prefix and bare hex, which would be different keys for one id.
func isUUID(s string) bool {
	if len(s) != 36 {
		return false
	}
	id, err := uuid.Parse(s)
	return err == nil && id != uuid.Nil
}
