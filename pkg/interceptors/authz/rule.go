package authz

import (
	"errors"
	"fmt"
	"slices"
	"time"

	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/reflect/protoreflect"

	authzv1 "github.com/curfew-platform/curfew/proto/gen/curfew/authz/v1"
)

// Staleness is what a method does while the knowledge about revocations is not
// fresh.
type Staleness int

const (
	// FailClosed refuses calls with UNAVAILABLE.
	FailClosed Staleness = iota
	// Bounded admits calls for at most Rule.MaxStaleness.
	Bounded
	// Introspect asks the issuer about the token of each call.
	Introspect
)

// String returns the name used in the matrix.
func (s Staleness) String() string {
	switch s {
	case FailClosed:
		return "fail closed"
	case Bounded:
		return "bounded"
	case Introspect:
		return "introspect"
	default:
		return "invalid"
	}
}

// Rule is the compiled rule of one method. It must not be changed.
type Rule struct {
	// Method is the full method name, "/curfew.auth.v1.AuthService/Login".
	Method string
	// Public methods need no token. All other fields but Method are then zero.
	Public bool
	// Permission is what a role of the caller must hold: "orders.orders.get".
	Permission string
	// ResourceField is the path of the request field that holds the resource
	// name: "name" or "order.name". Empty: the rule does not look at the
	// resource.
	ResourceField string
	// OwnerOnly: the user in the resource name must be the caller.
	OwnerOnly bool
	// CrossOwnerPermission is the permission that lifts OwnerOnly.
	CrossOwnerPermission string
	// MaxAuthAge is the longest time since the caller logged in; zero is any
	// time.
	MaxAuthAge time.Duration
	// CrossOwnerMaxAuthAge is MaxAuthAge for a resource that is not the
	// caller's.
	CrossOwnerMaxAuthAge time.Duration
	// RequiredACR is the weakest accepted authentication context class; "" is
	// any.
	RequiredACR string
	// Staleness says what happens without fresh knowledge about revocations.
	// MaxStaleness is the bound of [Bounded], else zero.
	Staleness    Staleness
	MaxStaleness time.Duration
	// Audited: every call is recorded in the audit log, allowed or denied.
	Audited bool
	// RequestIDRequired: the request must have a UUID in request_id.
	RequestIDRequired bool

	holders      []string // roles with Permission
	crossHolders []string // roles with CrossOwnerPermission
	resource     path
	requestID    protoreflect.FieldDescriptor
	acr          *acrOrder
}

// compile makes the rule of one method. It returns an error if the option is
// missing or contradicts itself or the request message.
func compile(m protoreflect.MethodDescriptor, perms *Permissions, acr *acrOrder) (*Rule, error) {
	option, ok := proto.GetExtension(m.Options(), authzv1.E_Rule).(*authzv1.MethodRule)
	if !ok || option == nil || !proto.HasExtension(m.Options(), authzv1.E_Rule) {
		return nil, errors.New("no (curfew.authz.v1.rule) option")
	}
	r := &Rule{
		Method:               fmt.Sprintf("/%s/%s", m.Parent().FullName(), m.Name()),
		Public:               option.GetPublic(),
		Permission:           option.GetPermission(),
		ResourceField:        option.GetResourceField(),
		OwnerOnly:            option.GetOwnerOnly(),
		CrossOwnerPermission: option.GetCrossOwnerPermission(),
		MaxAuthAge:           option.GetMaxAuthAge().AsDuration(),
		CrossOwnerMaxAuthAge: option.GetCrossOwnerMaxAuthAge().AsDuration(),
		RequiredACR:          option.GetRequiredAcr(),
		MaxStaleness:         option.GetMaxStaleness().AsDuration(),
		Audited:              option.GetAudited(),
		RequestIDRequired:    option.GetRequestIdRequired(),
		acr:                  acr,
	}
	if r.Public {
		if !proto.Equal(option, &authzv1.MethodRule{Public: true}) {
			return nil, errors.New("public, and yet something else is set")
		}
		return r, nil
	}
	if err := r.complete(option, perms); err != nil {
		return nil, err
	}
	return r, r.fields(m.Input())
}

// complete checks what the option says and finds who holds the permissions.
func (r *Rule) complete(option *authzv1.MethodRule, perms *Permissions) error {
	switch option.GetStaleness() {
	case authzv1.StalenessPolicy_STALENESS_POLICY_UNSPECIFIED, authzv1.StalenessPolicy_STALENESS_POLICY_FAIL_CLOSED:
		r.Staleness = FailClosed
	case authzv1.StalenessPolicy_STALENESS_POLICY_BOUNDED:
		r.Staleness = Bounded
	case authzv1.StalenessPolicy_STALENESS_POLICY_INTROSPECT:
		r.Staleness = Introspect
	default:
		return fmt.Errorf("unknown staleness policy %d", option.GetStaleness())
	}
	switch {
	case (r.Staleness == Bounded) != (r.MaxStaleness > 0):
		return errors.New("max_staleness belongs to STALENESS_POLICY_BOUNDED, and only to it")
	case r.MaxAuthAge < 0 || r.CrossOwnerMaxAuthAge < 0:
		return errors.New("max_auth_age or cross_owner_max_auth_age is negative")
	case r.CrossOwnerMaxAuthAge > 0 && r.CrossOwnerPermission == "":
		return errors.New("cross_owner_max_auth_age without cross_owner_permission")
	case r.OwnerOnly && r.ResourceField == "":
		return errors.New("owner_only needs resource_field")
	case r.CrossOwnerPermission != "" && !r.OwnerOnly:
		return errors.New("cross_owner_permission without owner_only")
	case r.RequiredACR != "" && !r.acr.knows(r.RequiredACR):
		return fmt.Errorf("required_acr %q is not in the configured order", r.RequiredACR)
	case !permissionName.MatchString(r.Permission):
		return fmt.Errorf("permission %q", r.Permission)
	}
	if r.holders = perms.holders(r.Permission); len(r.holders) == 0 {
		return fmt.Errorf("no role holds permission %s", r.Permission)
	}
	if r.CrossOwnerPermission != "" {
		if r.crossHolders = perms.holders(r.CrossOwnerPermission); len(r.crossHolders) == 0 {
			return fmt.Errorf("no role holds permission %s", r.CrossOwnerPermission)
		}
	}
	return nil
}

// fields resolves the paths in the request message.
func (r *Rule) fields(input protoreflect.MessageDescriptor) error {
	if r.ResourceField != "" {
		var err error
		if r.resource, err = newPath(input, r.ResourceField); err != nil {
			return fmt.Errorf("resource_field: %w", err)
		}
	}
	if r.RequestIDRequired {
		f := input.Fields().ByName("request_id")
		if f == nil || f.Kind() != protoreflect.StringKind || f.IsList() {
			return errors.New("request_id_required, but the request has no string request_id")
		}
		r.requestID = f
	}
	return nil
}

// permissions returns what the rule asks for.
func (r *Rule) permissions() []string {
	var out []string
	for _, p := range []string{r.Permission, r.CrossOwnerPermission} {
		if p != "" && !slices.Contains(out, p) {
			out = append(out, p)
		}
	}
	return out
}
