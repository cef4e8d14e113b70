package authztest

import (
	"slices"
	"time"

	"google.golang.org/grpc/codes"

	authzv1 "github.com/curfew-platform/curfew/proto/gen/curfew/authz/v1"
)

// codeOf is the status code of each reason; "" is an admitted call.
var codeOf = map[string]codes.Code{
	"":                     codes.OK,
	"TOKEN_MISSING":        codes.Unauthenticated,
	"TOKEN_MALFORMED":      codes.Unauthenticated,
	"TOKEN_EXPIRED":        codes.Unauthenticated,
	"TOKEN_WRONG_AUDIENCE": codes.Unauthenticated,
	"TOKEN_REVOKED":        codes.Unauthenticated,
	"REVOCATION_UNKNOWN":   codes.Unavailable,
	"PERMISSION_DENIED":    codes.PermissionDenied,
	"STEP_UP_REQUIRED":     codes.PermissionDenied,
	"REQUEST_INVALID":      codes.InvalidArgument,
	"REQUEST_ID_REQUIRED":  codes.InvalidArgument,
}

// levels of a login, weakest first.
var levels = []string{"aal1", "aal2", "aal3"}

// outcome is what must become of a call.
type outcome struct {
	reason string // of the refusal, "" if it is admitted
	late   bool   // the refusal is of the message, when the handler of a stream has begun
}

// expected says what the rule means for a call.
func (w *walk) expected(rule *authzv1.MethodRule, c caller, r request) outcome {
	has := func(permission string) bool {
		return slices.ContainsFunc(c.roles, func(role string) bool { return slices.Contains(w.roles[role], permission) })
	}
	older := func(limit time.Duration) bool { return limit > 0 && c.kind.age > limit }
	across := rule.GetOwnerOnly() && (!r.own || c.kind.service)
	lifted := rule.GetCrossOwnerPermission() != "" && has(rule.GetCrossOwnerPermission())
	switch {
	case rule.GetPublic():
		return outcome{}
	case c.kind.refused != "":
		return outcome{reason: c.kind.refused}
	case c.kind.revoked != nil:
		return outcome{reason: "TOKEN_REVOKED"}
	case stale(rule, c.knows) != "":
		return outcome{reason: stale(rule, c.knows)}
	case !has(rule.GetPermission()):
		return outcome{reason: "PERMISSION_DENIED"}
	case older(rule.GetMaxAuthAge().AsDuration()),
		rule.GetRequiredAcr() != "" && slices.Index(levels, c.kind.acr) < slices.Index(levels, rule.GetRequiredAcr()):
		return outcome{reason: "STEP_UP_REQUIRED"}
	case across && !lifted && r.nobodys:
		return outcome{"REQUEST_INVALID", true}
	case across && !lifted:
		return outcome{"PERMISSION_DENIED", true}
	case across && older(rule.GetCrossOwnerMaxAuthAge().AsDuration()):
		return outcome{"STEP_UP_REQUIRED", true}
	case rule.GetRequestIdRequired() && r.id == "":
		return outcome{"REQUEST_ID_REQUIRED", true}
	default:
		return outcome{}
	}
}

// stale is the refusal, "" if there is none, of a call whose token nobody is
// known to have revoked.
func stale(rule *authzv1.MethodRule, k knowledge) (reason string) {
	switch {
	case k.fresh:
		return ""
	case rule.GetStaleness() == authzv1.StalenessPolicy_STALENESS_POLICY_INTROSPECT:
		return k.answer
	case rule.GetStaleness() == authzv1.StalenessPolicy_STALENESS_POLICY_BOUNDED && k.staleFor <= rule.GetMaxStaleness().AsDuration():
		return ""
	default:
		return "REVOCATION_UNKNOWN"
	}
}
