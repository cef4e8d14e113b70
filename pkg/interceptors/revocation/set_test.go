package revocation_test

import (
	"fmt"
	"maps"
	"math/rand/v2"
	"testing"
	"time"

	"github.com/curfew-platform/curfew/pkg/interceptors/identity"
	"github.com/curfew-platform/curfew/pkg/interceptors/revocation"
)

var start = time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)

func TestARuleRevokesWhatItIsAboutAndNothingElse(t *testing.T) {
	id := identity.Identity{Issuer: "iss", Subject: "sub", SessionID: "sid", TokenID: "jti", KeyID: "kid", Epoch: 5}
	rule := func(k revocation.Kind, id string) revocation.Rule {
		return revocation.Rule{Kind: k, Issuer: "iss", ID: id, KeepUntil: start.Add(time.Hour)}
	}
	epoch := func(n int64) revocation.Rule {
		r := rule(revocation.KindSubjectEpoch, "sub")
		r.Epoch = n
		return r
	}
	block := func(until time.Time) revocation.Rule {
		r := rule(revocation.KindSubjectBlock, "sub")
		r.Until = until
		return r
	}
	foreign := rule(revocation.KindToken, "jti")
	foreign.Issuer = "other"
	for name, test := range map[string]struct {
		rule revocation.Rule
		want bool
	}{
		"its token":                     {rule(revocation.KindToken, "jti"), true},
		"another token":                 {rule(revocation.KindToken, "jtj"), false},
		"its session":                   {rule(revocation.KindSession, "sid"), true},
		"a session named as its token":  {rule(revocation.KindSession, "jti"), false},
		"its key":                       {rule(revocation.KindKey, "kid"), true},
		"another key":                   {rule(revocation.KindKey, "other"), false},
		"its issuer":                    {rule(revocation.KindIssuer, ""), true},
		"an epoch above":                {epoch(6), true},
		"its own epoch":                 {epoch(5), false},
		"an epoch below":                {epoch(4), false},
		"a block that runs":             {block(start.Add(time.Nanosecond)), true},
		"a block that is over":          {block(start), false},
		"its token of another issuer":   {foreign, false},
		"a token named as its subject":  {rule(revocation.KindToken, "sub"), false},
		"a session named as its issuer": {rule(revocation.KindSession, "iss"), false},
	} {
		t.Run(name, func(t *testing.T) {
			if err := test.rule.Validate(); err != nil {
				t.Fatal(err)
			}
			set := (*revocation.Set)(nil).With(test.rule)
			if got := set.Revokes(&id, start); got != test.want {
				t.Errorf("revoked is %t", got)
			}
			if set.Revokes(&identity.Identity{Issuer: "other", Epoch: 1}, start) {
				t.Error("a token without claims is revoked")
			}
		})
	}
}

func TestRulesOfDifferentKindsDoNotMeet(t *testing.T) {
	rules := []revocation.Rule{
		{Kind: revocation.KindToken, ID: "token"},
		{Kind: revocation.KindSession, ID: "session"},
		{Kind: revocation.KindKey, ID: "key"},
		{Kind: revocation.KindSubjectEpoch, ID: "user", Epoch: 5},
		{Kind: revocation.KindSubjectBlock, ID: "blocked", Until: start.Add(time.Hour)},
	}
	for i := range rules {
		rules[i].Issuer, rules[i].KeepUntil = "iss", start.Add(time.Hour)
	}
	set := (*revocation.Set)(nil).With(rules...)
	for _, id := range []identity.Identity{
		{TokenID: "session", SessionID: "token", KeyID: "user"},
		{TokenID: "key", SessionID: "key", KeyID: "token", Subject: "token"},
		{TokenID: "user", SessionID: "user", KeyID: "session", Subject: "session"},
		{TokenID: "blocked", SessionID: "blocked", KeyID: "blocked", Subject: "key"},
	} {
		id.Issuer = "iss"
		if set.Revokes(&id, start) {
			t.Errorf("%+v is revoked", id)
		}
	}
}

// A snapshot brings all at once.
func TestManyRulesThatComeAtOnceAreAllFound(t *testing.T) {
	rules := make([]revocation.Rule, 50_000)
	for i := range rules {
		rules[i] = revocation.Rule{Kind: revocation.KindSession, Issuer: "iss", ID: fmt.Sprint(i), KeepUntil: start.Add(time.Hour)}
	}
	set := (*revocation.Set)(nil).With(rules...)
	if set.Len() != len(rules) {
		t.Errorf("%d rules", set.Len())
	}
	for i := range rules {
		if !set.Revokes(&identity.Identity{Issuer: "iss", SessionID: fmt.Sprint(i)}, start) {
			t.Fatalf("session %d is not revoked", i)
		}
	}
}

// TestASetIsTheUnionInWhateverOrder compares with a map, in random orders,
// with repetitions, and looks at the older sets again: they must not change.
func TestASetIsTheUnionInWhateverOrderAndOlderSetsStayAsTheyAre(t *testing.T) {
	seed := uint64(time.Now().UnixNano())
	t.Logf("seed %d", seed)
	random := rand.New(rand.NewPCG(seed, 0))
	epochs := map[string]int64{}
	set := &revocation.Set{}
	type version struct {
		set    *revocation.Set
		epochs map[string]int64
	}
	var versions []version
	for range 200 {
		rules := make([]revocation.Rule, random.IntN(40))
		for i := range rules {
			r := revocation.Rule{
				Kind: revocation.KindSubjectEpoch, Issuer: "iss", ID: fmt.Sprint(random.IntN(2000)),
				Epoch: 1 + random.Int64N(10), KeepUntil: start.Add(time.Hour),
			}
			rules[i] = r
			epochs[r.ID] = max(epochs[r.ID], r.Epoch)
		}
		set = set.With(rules...)
		versions = append(versions, version{set, maps.Clone(epochs)})
	}
	for _, v := range versions {
		if v.set.Len() != len(v.epochs) {
			t.Fatalf("%d rules, want %d", v.set.Len(), len(v.epochs))
		}
		for n := range 2000 {
			id := identity.Identity{Issuer: "iss", Subject: fmt.Sprint(n), Epoch: v.epochs[fmt.Sprint(n)]}
			if v.set.Revokes(&id, start) {
				t.Fatalf("subject %d is revoked at its own epoch", n)
			}
			id.Epoch--
			if got, want := v.set.Revokes(&id, start), v.epochs[fmt.Sprint(n)] > 0; got != want {
				t.Fatalf("subject %d below its epoch: revoked is %t", n, got)
			}
		}
	}
}

func TestARuleIsForgottenAfterItsKeepUntilAndNotBefore(t *testing.T) {
	rules := make([]revocation.Rule, 0, 1000)
	for n := range 1000 {
		rules = append(rules, revocation.Rule{Kind: revocation.KindToken, Issuer: "iss", ID: fmt.Sprint(n), KeepUntil: start.Add(time.Duration(n) * time.Minute)})
	}
	set := (*revocation.Set)(nil).With(rules...)
	if set.Expire(start) != set {
		t.Error("something was forgotten at the start")
	}
	now := start.Add(500*time.Minute + 10*time.Second)
	later := set.Expire(now)
	if later.Len() != 499 || set.Len() != 1000 {
		t.Errorf("%d rules left of %d", later.Len(), set.Len())
	}
	for n := range 1000 {
		id := identity.Identity{Issuer: "iss", TokenID: fmt.Sprint(n)}
		if got, want := later.Revokes(&id, now), n > 500; got != want {
			t.Fatalf("token %d: revoked is %t", n, got)
		}
	}
	// A rule that is repeated with a later end stays for longer.
	longer := rules[0]
	longer.KeepUntil = start.Add(24 * time.Hour)
	if got := set.With(longer).Expire(now).Len(); got != 500 {
		t.Errorf("%d rules left after one was prolonged", got)
	}
}

func TestAnInvalidRuleIsAnError(t *testing.T) {
	good := revocation.Rule{Kind: revocation.KindSubjectEpoch, Issuer: "iss", ID: "sub", Epoch: 1, KeepUntil: start}
	if err := good.Validate(); err != nil {
		t.Fatal(err)
	}
	for name, spoil := range map[string]func(*revocation.Rule){
		"no issuer":         func(r *revocation.Rule) { r.Issuer = "" },
		"no id":             func(r *revocation.Rule) { r.ID = "" },
		"no kind":           func(r *revocation.Rule) { r.Kind = 0 },
		"unknown kind":      func(r *revocation.Rule) { r.Kind = 99 },
		"epoch 0":           func(r *revocation.Rule) { r.Epoch = 0 },
		"block without end": func(r *revocation.Rule) { r.Kind = revocation.KindSubjectBlock },
		"issuer with id":    func(r *revocation.Rule) { r.Kind = revocation.KindIssuer },
		"no keep-until":     func(r *revocation.Rule) { r.KeepUntil = time.Time{} },
		"kept too long":     func(r *revocation.Rule) { r.KeepUntil = start.AddDate(8000, 0, 0) },
		"block too long": func(r *revocation.Rule) {
			r.Kind, r.Until = revocation.KindSubjectBlock, start.AddDate(8000, 0, 0)
		},
		"negative position": func(r *revocation.Rule) { r.Seq = -1 },
	} {
		r := good
		spoil(&r)
		if r.Validate() == nil {
			t.Errorf("%s: %+v is valid", name, r)
		}
	}
}

func TestAVerdictAdmitsByTheMethodsStaleness(t *testing.T) {
	for _, test := range []struct {
		verdict  revocation.Verdict
		maxStale time.Duration
		want     error
	}{
		{revocation.Verdict{Fresh: true}, 0, nil},
		{revocation.Verdict{Fresh: true, Revoked: true}, time.Hour, revocation.ErrRevoked},
		{revocation.Verdict{Revoked: true, StaleFor: time.Second}, 0, revocation.ErrRevoked},
		{revocation.Verdict{StaleFor: time.Second}, 0, revocation.ErrStale},
		{revocation.Verdict{StaleFor: time.Second}, time.Second, nil},
		{revocation.Verdict{StaleFor: time.Second + 1}, time.Second, revocation.ErrStale},
		{revocation.Verdict{StaleFor: revocation.Unknown}, revocation.Unknown, revocation.ErrStale},
		{revocation.Verdict{}, 0, revocation.ErrStale},
	} {
		if got := test.verdict.Admit(test.maxStale); got != test.want {
			t.Errorf("%+v under %s: %v, want %v", test.verdict, test.maxStale, got, test.want)
		}
	}
}
