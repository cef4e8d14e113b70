// Package revocationtest is the conformance suite of revocation sources. All
// sources of this module pass it; run it on your own.
package revocationtest

import (
	"context"
	"errors"
	"testing"
	"testing/synctest"
	"time"

	"github.com/curfew-platform/curfew/pkg/interceptors/identity"
	"github.com/curfew-platform/curfew/pkg/interceptors/revocation"
	"github.com/curfew-platform/curfew/pkg/interceptors/revocation/inflight"
)

// Backend is a new and empty source that the suite may fill.
type Backend struct {
	// Source is what is tested. It is fresh when the suite gets it.
	Source revocation.Source
	// Revoke stores rules, and returns when the source promises that they are
	// in force.
	Revoke func(rules ...revocation.Rule) error
	// Carry adds to the context what the source needs to know about the call,
	// as the chain does. Nil if it needs nothing.
	Carry func(ctx context.Context, id *identity.Identity) context.Context
}

const issuer = "https://auth.curfew.dev"

// RunSource runs the suite. open is called once for each test.
func RunSource(t *testing.T, open func(t *testing.T) Backend) {
	t.Helper()
	run(t, open, func(t *testing.T, test func(*testing.T)) { test(t) })
}

// RunSourceInBubble is [RunSource] in virtual time: each test, open included, runs
// in a bubble of testing/synctest.
func RunSourceInBubble(t *testing.T, open func(t *testing.T) Backend) {
	t.Helper()
	run(t, open, synctest.Test)
}

func run(t *testing.T, open func(t *testing.T) Backend, in func(t *testing.T, test func(*testing.T))) {
	t.Helper()
	for name, test := range map[string]func(*testing.T, Backend){
		"every kind of rule is in force when Revoke returns":  everyKind,
		"nothing but what a rule is about is refused":         nothingElse,
		"an epoch never falls":                                epochNeverFalls,
		"a block without an end to speak of is in force":      foreverBlocked,
		"a running call is cancelled before Revoke returns":   runningCall,
		"a call that enters afterwards is not cancelled":      laterCall,
		"an invalid rule is refused and changes nothing":      invalidRule,
		"a thousand rules are all in force":                   manyRules,
		"a check is safe beside a revocation and never flaps": concurrent,
	} {
		t.Run(name, func(t *testing.T) {
			in(t, func(t *testing.T) { test(t, open(t)) })
		})
	}
}

func caller() *identity.Identity {
	return &identity.Identity{Issuer: issuer, Subject: "sub", SessionID: "sid", TokenID: "jti", KeyID: "kid", Epoch: 5}
}

func ruleOf(k revocation.Kind, id string) revocation.Rule {
	r := revocation.Rule{Kind: k, Issuer: issuer, ID: id, KeepUntil: time.Now().Add(time.Hour)}
	switch k {
	case revocation.KindSubjectEpoch:
		r.Epoch = 6
	case revocation.KindSubjectBlock:
		r.Until = time.Now().Add(time.Hour)
	}
	return r
}

func (b Backend) revoke(t *testing.T, rules ...revocation.Rule) {
	t.Helper()
	if err := b.Revoke(rules...); err != nil {
		t.Fatal(err)
	}
}

func (b Backend) admit(t *testing.T, id *identity.Identity, want error) {
	t.Helper()
	if err := b.check(t.Context(), id).Admit(0); !errors.Is(err, want) {
		t.Errorf("%+v: %v, want %v", *id, err, want)
	}
}

// check asks as the chain does.
func (b Backend) check(ctx context.Context, id *identity.Identity) revocation.Verdict {
	asking, ok := b.Source.(revocation.ContextSource)
	if !ok {
		return b.Source.Check(id)
	}
	if b.Carry != nil {
		ctx = b.Carry(ctx, id)
	}
	return asking.CheckContext(ctx, id)
}

func everyKind(t *testing.T, b Backend) {
	for _, r := range []revocation.Rule{
		ruleOf(revocation.KindToken, "token"), ruleOf(revocation.KindSession, "session"), ruleOf(revocation.KindKey, "key"),
		ruleOf(revocation.KindSubjectEpoch, "subject"), ruleOf(revocation.KindSubjectBlock, "blocked"),
	} {
		id := caller()
		switch r.Kind {
		case revocation.KindToken:
			id.TokenID = r.ID
		case revocation.KindSession:
			id.SessionID = r.ID
		case revocation.KindKey:
			id.KeyID = r.ID
		default:
			id.Subject = r.ID
		}
		b.admit(t, id, nil)
		b.revoke(t, r)
		b.admit(t, id, revocation.ErrRevoked)
		b.admit(t, caller(), nil)
	}
	b.revoke(t, ruleOf(revocation.KindIssuer, ""))
	b.admit(t, caller(), revocation.ErrRevoked)
	other := caller()
	other.Issuer = "https://other.example"
	b.admit(t, other, nil)
}

func nothingElse(t *testing.T, b Backend) {
	b.revoke(t, ruleOf(revocation.KindSession, "other"), ruleOf(revocation.KindToken, "sid"), ruleOf(revocation.KindSubjectEpoch, "jti"))
	b.admit(t, caller(), nil)
	fresh := caller()
	fresh.Subject, fresh.Epoch = "jti", 6
	b.admit(t, fresh, nil)
}

func foreverBlocked(t *testing.T, b Backend) {
	block := ruleOf(revocation.KindSubjectBlock, "sub")
	block.Until = time.Date(9999, time.December, 31, 0, 0, 0, 0, time.UTC)
	b.revoke(t, block)
	b.admit(t, caller(), revocation.ErrRevoked)
}

func epochNeverFalls(t *testing.T, b Backend) {
	high, low := ruleOf(revocation.KindSubjectEpoch, "sub"), ruleOf(revocation.KindSubjectEpoch, "sub")
	low.Epoch = 2
	b.revoke(t, high)
	b.revoke(t, low)
	b.admit(t, caller(), revocation.ErrRevoked)
	b.revoke(t, low, high, low)
	b.admit(t, caller(), revocation.ErrRevoked)
}

func runningCall(t *testing.T, b Backend) {
	owner, ok := b.Source.(inflight.Owner)
	if !ok {
		return // it does not promise that
	}
	ctx, done := owner.Inflight().Enter(t.Context(), caller(), true)
	defer done()
	other := caller()
	other.SessionID = "another"
	spared, doneSpared := owner.Inflight().Enter(t.Context(), other, true)
	defer doneSpared()
	b.revoke(t, ruleOf(revocation.KindSession, "sid"))
	if cause := context.Cause(ctx); !errors.Is(cause, revocation.ErrRevoked) {
		t.Errorf("cause of the running call is %v", cause)
	}
	if spared.Err() != nil {
		t.Error("a call of another session was cancelled")
	}
}

func laterCall(t *testing.T, b Backend) {
	owner, ok := b.Source.(inflight.Owner)
	if !ok {
		return
	}
	b.revoke(t, ruleOf(revocation.KindSession, "sid"))
	ctx, done := owner.Inflight().Enter(t.Context(), caller(), true)
	defer done()
	b.revoke(t, ruleOf(revocation.KindSession, "unrelated"))
	if ctx.Err() != nil {
		t.Error("a later rule cancelled by an earlier one")
	}
	b.admit(t, caller(), revocation.ErrRevoked) // which is why it is never run
}

func invalidRule(t *testing.T, b Backend) {
	r := ruleOf(revocation.KindSession, "sid")
	r.Issuer = ""
	if err := b.Revoke(ruleOf(revocation.KindToken, "jti"), r); err == nil {
		t.Error("a rule without issuer was accepted")
	}
	b.admit(t, caller(), nil)
}

func manyRules(t *testing.T, b Backend) {
	rules := make([]revocation.Rule, 1000)
	for i := range rules {
		rules[i] = ruleOf(revocation.KindToken, time.Duration(i).String())
	}
	b.revoke(t, rules...)
	for i := range rules {
		id := caller()
		id.TokenID = rules[i].ID
		b.admit(t, id, revocation.ErrRevoked)
	}
	b.admit(t, caller(), nil)
}

func concurrent(t *testing.T, b Backend) {
	stop, done := make(chan struct{}), make(chan struct{})
	go func() {
		defer close(done)
		revoked := false
		for {
			v := b.check(t.Context(), caller())
			if revoked && !v.Revoked {
				t.Error("revoked, and then not")
				return
			}
			revoked = v.Revoked
			select {
			case <-stop:
				return
			case <-time.After(time.Microsecond):
			}
		}
	}()
	b.revoke(t, ruleOf(revocation.KindSession, "unrelated"))
	b.revoke(t, ruleOf(revocation.KindSession, "sid"))
	b.revoke(t, ruleOf(revocation.KindToken, "unrelated"))
	close(stop)
	<-done
}
