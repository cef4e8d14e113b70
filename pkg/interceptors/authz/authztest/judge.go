package authztest

import (
	"fmt"
	"maps"

	"google.golang.org/genproto/googleapis/rpc/errdetails"
	"google.golang.org/protobuf/reflect/protoreflect"

	"github.com/curfew-platform/curfew/pkg/interceptors/status"
	authzv1 "github.com/curfew-platform/curfew/proto/gen/curfew/authz/v1"
)

// judge returns everything that is wrong about a call that ended with err.
func (w *walk) judge(m protoreflect.MethodDescriptor, c caller, want outcome, err error) []string {
	var wrong []string
	if code, reason := status.Code(err), status.Reason(err); reason != want.reason || code != codeOf[want.reason] {
		wrong = append(wrong, fmt.Sprintf("%s %q, want %s %q", code, reason, codeOf[want.reason], want.reason))
	}
	wrong = append(wrong, helpful(ruleOf(m), want, err)...)
	entered, reached, audits := w.log.of(m).take()
	streamed := m.IsStreamingClient() || m.IsStreamingServer()
	switch {
	case want.reason == "" && (entered != 1 || reached != 1):
		wrong = append(wrong, fmt.Sprintf("the handler was reached %d times", reached))
	case want.reason != "" && reached != 0:
		wrong = append(wrong, "refused, and yet the handler was reached")
	case want.reason != "" && entered != 0 && !(streamed && want.late):
		wrong = append(wrong, "refused, and yet the handler was begun")
	}
	switch audited := ruleOf(m).GetAudited(); {
	case audited && len(audits) != 1, !audited && len(audits) != 0:
		wrong = append(wrong, fmt.Sprintf("%d records in the audit", len(audits)))
	case audited:
		wrong = append(wrong, c.recorded(audits[0], want)...)
	}
	return wrong
}

// helpful returns what is missing in a refusal that a client can do something
// about: when to come back, or how to authenticate.
func helpful(rule *authzv1.MethodRule, want outcome, err error) []string {
	switch want.reason {
	case "REVOCATION_UNKNOWN":
		if status.Detail[*errdetails.RetryInfo](err).GetRetryDelay().AsDuration() <= 0 {
			return []string{"it does not say when to come back"}
		}
	case "STEP_UP_REQUIRED":
		age := rule.GetMaxAuthAge()
		if want.late {
			age = rule.GetCrossOwnerMaxAuthAge()
		}
		asked := map[string]string{}
		if age.AsDuration() > 0 {
			asked["max_auth_age"] = age.AsDuration().String()
		}
		if acr := rule.GetRequiredAcr(); acr != "" {
			asked["acr"] = acr
		}
		if got := status.Info(err).GetMetadata(); !maps.Equal(got, asked) {
			return []string{fmt.Sprintf("it asks for %v, and not for %v", got, asked)}
		}
	}
	return nil
}

// recorded returns what is wrong about the record of a call in the audit: who it
// was stands there if the token is one here, whatever became of the call.
func (c caller) recorded(record map[string]string, want outcome) []string {
	expected := map[string]string{
		"code": codeOf[want.reason].String(), "reason": want.reason,
		"principal": "", "session_id": "", "token_id": "",
	}
	if c.kind.refused == "" {
		expected["principal"], expected["session_id"], expected["token_id"] = "users/"+c.subject, c.session, c.jti
		if c.kind.service {
			expected["principal"] = "services/" + c.subject
		}
	}
	var wrong []string
	for name, value := range expected {
		if record[name] != value {
			wrong = append(wrong, fmt.Sprintf("the audit has %s %q, want %q", name, record[name], value))
		}
	}
	for _, name := range []string{"began", "duration", "request_id"} {
		if record[name] == "" {
			wrong = append(wrong, "the audit has no "+name)
		}
	}
	return wrong
}
