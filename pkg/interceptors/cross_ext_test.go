package interceptors_test

import (
	"encoding/json"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/uuid"

	"github.com/curfew-platform/curfew/pkg/interceptors"
	"github.com/curfew-platform/curfew/pkg/interceptors/authz"
	"github.com/curfew-platform/curfew/pkg/interceptors/authz/authztest"
	"github.com/curfew-platform/curfew/pkg/interceptors/identity"
	"github.com/curfew-platform/curfew/pkg/interceptors/internal/shop"
	"github.com/curfew-platform/curfew/pkg/interceptors/revocation"
	"github.com/curfew-platform/curfew/pkg/interceptors/status"
	"github.com/curfew-platform/curfew/pkg/interceptors/token/tokentest"
)

// kind is a token that a caller may have.
type kind struct {
	name    string
	changes tokentest.Claims
	refused string // the reason with which it is no token here
	none    bool
	acr     string
	age     time.Duration // since the authentication
}

func kinds() []kind {
	now := time.Now().Unix()
	return []kind{
		{name: "none", none: true, refused: "TOKEN_MISSING"},
		{name: "good", acr: "aal3"},
		{name: "weak", acr: "aal1"},
		{name: "unknown class", acr: "urn:strong"},
		{name: "old", acr: "aal3", age: time.Hour},
		{name: "expired", acr: "aal3", changes: tokentest.Claims{"iat": now - 600, "nbf": now - 600, "exp": now - 60}, refused: "TOKEN_EXPIRED"},
		{name: "for others", acr: "aal3", changes: tokentest.Claims{"aud": "others"}, refused: "TOKEN_WRONG_AUDIENCE"},
		{name: "without epoch", acr: "aal3", changes: tokentest.Claims{"epoch": nil}, refused: "TOKEN_MALFORMED"},
		{name: "an ID token", acr: "aal3", changes: tokentest.Claims{"nonce": "n"}, refused: "TOKEN_MALFORMED"},
	}
}

func (k kind) mint(t *testing.T, issuer *tokentest.Issuer, subject, role string) string {
	t.Helper()
	if k.none {
		return ""
	}
	claims := tokentest.Claims{"acr": k.acr, "auth_time": time.Now().Add(-k.age).Unix()}
	return issuer.User(t, subject, []string{role}, claims, k.changes)
}

// knowledge is what a source may know.
type knowledge struct {
	name string
	revocation.Verdict
}

// Check implements revocation.Source.
func (k *knowledge) Check(*identity.Identity) revocation.Verdict { return k.Verdict }

// expected says what the rule means, without the code that enforces it: the
// reason of the refusal, or nothing.
func expected(rule *authz.Rule, permissions []string, own bool, k kind, know *knowledge) string {
	has := func(permission string) bool { return permission != "" && slices.Contains(permissions, permission) }
	level := func(acr string) int { return slices.Index([]string{"aal1", "aal2", "aal3"}, acr) }
	bound := time.Duration(0)
	if rule.Staleness == authz.Bounded {
		bound = rule.MaxStaleness
	}
	switch {
	case rule.Public:
		return ""
	case k.refused != "":
		return k.refused
	case know.Revoked:
		return "TOKEN_REVOKED"
	case !know.Fresh && rule.Staleness != authz.Introspect && know.StaleFor > bound:
		return "REVOCATION_UNKNOWN"
	case !has(rule.Permission):
		return "PERMISSION_DENIED"
	case rule.MaxAuthAge > 0 && k.age > rule.MaxAuthAge, rule.RequiredACR != "" && level(k.acr) < level(rule.RequiredACR):
		return "STEP_UP_REQUIRED"
	case rule.OwnerOnly && !own && !has(rule.CrossOwnerPermission):
		return "PERMISSION_DENIED"
	default:
		return ""
	}
}

// Every method x role x own and foreign resource x kind of token x knowledge of
// revocations, against what the rules say; and each call of an audited method is
// one line that says who, what and how it ended, without the token.
func TestEveryMethodRoleResourceTokenAndStalenessIsDecidedAsTheRulesSay(t *testing.T) {
	var file struct{ Roles map[string][]string }
	if err := json.Unmarshal([]byte(shop.Permissions), &file); err != nil {
		t.Fatal(err)
	}
	know := &knowledge{}
	h := newHarness(t, &shop.Server{}, func(c *interceptors.Config) { c.Revocation = know })
	rules := policy(t)
	calls := 0
	for _, service := range authz.FileServices(shop.File) {
		for i := range service.Methods().Len() {
			m := service.Methods().Get(i)
			rule, ok := rules.Rule("/" + string(service.FullName()) + "/" + string(m.Name()))
			if !ok {
				t.Fatalf("%s has no rule", m.FullName())
			}
			for role, permissions := range file.Roles {
				for _, k := range kinds() {
					for _, *know = range []knowledge{
						{"fresh", revocation.Verdict{Fresh: true}},
						{"stale for 5 s", revocation.Verdict{StaleFor: 5 * time.Second}},
						{"stale for an hour", revocation.Verdict{StaleFor: time.Hour}},
						{"never fresh", revocation.Verdict{StaleFor: revocation.Unknown}},
						{"revoked", revocation.Verdict{Revoked: true, Fresh: true}},
						{"revoked, and stale", revocation.Verdict{Revoked: true, StaleFor: time.Second}},
					} {
						subject := uuid.NewString()
						raw := k.mint(t, h.issuer, subject, role)
						for owner, own := range map[string]bool{subject: true, uuid.NewString(): false, "-": false} {
							calls++
							audited := len(h.audit.all())
							want := expected(rule, permissions, own, k, know)
							err := authztest.Call(with(t, raw), h.conn, m, rule, owner)
							if got := status.Reason(err); got != want || (err == nil) != (want == "") {
								t.Errorf("%s as %s, own %t, token %s, %s: got %v, want %q", m.Name(), role, own, k.name, know.name, err, want)
							}
							h.audit.judge(t, rule, audited, subject, raw, k.refused == "", want)
						}
					}
				}
			}
		}
	}
	t.Logf("%d calls", calls)
	if strings.Contains(h.log.String(), "eyJ") {
		t.Error("the log holds a token")
	}
}

// judge looks at what was added after the first events.
func (a *auditRecorder) judge(t *testing.T, rule *authz.Rule, before int, subject, raw string, believed bool, reason string) {
	t.Helper()
	added := a.all()[before:]
	if !rule.Audited {
		if len(added) != 0 {
			t.Errorf("%s is audited: %+v", rule.Method, added)
		}
		return
	}
	if len(added) != 1 {
		t.Fatalf("%s: %d events", rule.Method, len(added))
	}
	e := added[0]
	if e.Method != rule.Method || e.Reason != reason || (e.Code == "OK") != (reason == "") || e.Time.IsZero() || e.RequestID == "" {
		t.Errorf("%+v, want reason %q", e, reason)
	}
	if believed != (e.Principal == "users/"+subject && e.SessionID != "" && e.TokenID != "" && e.Issuer != "") || !believed && e.Principal != "" {
		t.Errorf("who: %+v", e)
	}
	text, err := json.Marshal(e)
	if err != nil || raw != "" && strings.Contains(string(text), strings.Split(raw, ".")[2]) {
		t.Errorf("the event holds the token, or cannot be written: %v", err)
	}
}
