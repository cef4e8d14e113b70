package revocation_test

import (
	"testing"
	"time"

	"github.com/curfew-platform/curfew/pkg/interceptors/identity"
	"github.com/curfew-platform/curfew/pkg/interceptors/revocation"
)

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
