package revocation_test

import (
	"testing"
	"time"

	"github.com/curfew-platform/curfew/pkg/interceptors/identity"
	"github.com/curfew-platform/curfew/pkg/interceptors/revocation"
)

// A block is for tokens without an epoch, also those that are made while it lasts.
func TestABlockHoldsToItsEndHoweverFarAwayThatIs(t *testing.T) {
	now := time.Now()
	block := revocation.Rule{Kind: revocation.KindSubjectBlock, Issuer: "https://idp.example.com", ID: "sub", KeepUntil: now.Add(time.Minute)}
	token := &identity.Identity{Issuer: block.Issuer, Subject: block.ID}
	for name, end := range map[string]time.Time{
		"after the tokens of today": now.Add(time.Hour),
		"never":                     time.Date(9999, time.December, 31, 0, 0, 0, 0, time.UTC),
	} {
		block.Until = end
		if err := block.Validate(); err != nil {
			t.Fatal(err)
		}
		set := (*revocation.Set)(nil).With(block)
		for _, at := range []time.Time{now, end.Add(-time.Second)} {
			if !set.Expire(at).Revokes(token, at) {
				t.Errorf("%s: not in force at %s", name, at)
			}
		}
		if after := end.Add(2 * time.Second); set.Revokes(token, after) || set.Expire(after).Len() != 0 {
			t.Errorf("%s: in force, or kept, after its end", name)
		}
	}
}

func TestARuleThatComesTwiceIsKeptForTheLongerTime(t *testing.T) {
	now := time.Now()
	short := revocation.Rule{Kind: revocation.KindSession, Issuer: "https://auth.curfew.dev", ID: "sid", KeepUntil: now.Add(time.Minute)}
	long := short
	long.KeepUntil = now.Add(time.Hour)
	token := &identity.Identity{Issuer: short.Issuer, SessionID: short.ID}
	for name, set := range map[string]*revocation.Set{
		"the short one first": (*revocation.Set)(nil).With(short).With(long),
		"the long one first":  (*revocation.Set)(nil).With(long).With(short),
		"both at once":        (*revocation.Set)(nil).With(long, short),
	} {
		if !set.Expire(now.Add(30*time.Minute)).Revokes(token, now) {
			t.Errorf("%s: forgotten after the shorter time", name)
		}
		if set.Expire(now.Add(2*time.Hour)).Revokes(token, now) {
			t.Errorf("%s: not forgotten after the longer time", name)
		}
	}
}
