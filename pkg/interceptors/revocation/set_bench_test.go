package revocation_test

import (
	"fmt"
	"testing"
	"time"

	"github.com/curfew-platform/curfew/pkg/interceptors/identity"
	"github.com/curfew-platform/curfew/pkg/interceptors/revocation"
)

func millionRules(b *testing.B) *revocation.Set {
	b.Helper()
	const n = 1_000_000
	rules := make([]revocation.Rule, n)
	for i := range rules {
		rules[i] = revocation.Rule{
			Kind: revocation.Kind(1 + i%3), Issuer: "https://auth.curfew.dev", ID: fmt.Sprintf("01890a5d-ac96-774b-bcce-%012d", i),
			Epoch: 2, KeepUntil: time.Now().Add(time.Hour),
		}
	}
	return (*revocation.Set)(nil).With(rules...)
}

func BenchmarkRevokesWithAMillionRules(b *testing.B) {
	set := millionRules(b)
	id := &identity.Identity{
		Issuer: "https://auth.curfew.dev", Subject: "01890a5d-ac96-774b-bcce-999999999999",
		SessionID: "01890a5d-ac96-774b-bcce-999999999998", TokenID: "01890a5d-ac96-774b-bcce-999999999997", KeyID: "k1", Epoch: 1,
	}
	now := time.Now()
	b.ReportAllocs()
	for b.Loop() {
		if set.Revokes(id, now) {
			b.Fatal("revoked")
		}
	}
}

func BenchmarkAddingOneRuleToAMillion(b *testing.B) {
	set := millionRules(b)
	r := revocation.Rule{Kind: revocation.KindSession, Issuer: "https://auth.curfew.dev", KeepUntil: time.Now().Add(time.Hour)}
	n := 0
	b.ReportAllocs()
	for b.Loop() {
		r.ID = fmt.Sprint(n)
		n++
		set = set.With(r)
	}
}

func TestALookUpDoesNotAllocate(t *testing.T) {
	set := (*revocation.Set)(nil)
	for k := revocation.KindToken; k <= revocation.KindIssuer; k++ {
		set = set.With(revocation.Rule{Kind: k, Issuer: "other", ID: "x", Epoch: 1, Until: start, KeepUntil: start})
	}
	id := &identity.Identity{Issuer: "iss", Subject: "sub", SessionID: "sid", TokenID: "jti", KeyID: "kid", Epoch: 1}
	if n := testing.AllocsPerRun(100, func() { set.Revokes(id, start) }); n != 0 {
		t.Errorf("%v allocations", n)
	}
}
