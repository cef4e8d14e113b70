package revocation_test

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/curfew-platform/curfew/pkg/interceptors/identity"
	"github.com/curfew-platform/curfew/pkg/interceptors/revocation"
)

// sessions is a source of one's own: it looks the session of every call up in a
// store. Package revocationtest has the suite that it should pass.
type sessions struct {
	ended func(ctx context.Context, issuer, session string) (bool, error)
}

func (s sessions) CheckContext(ctx context.Context, id *identity.Identity) revocation.Verdict {
	ended, err := s.ended(ctx, id.Issuer, id.SessionID)
	if err != nil { // nothing is known: never say that a token is good, nor that it is revoked
		return revocation.Verdict{StaleFor: revocation.Unknown}
	}
	return revocation.Verdict{Revoked: ended, Fresh: true}
}

func (s sessions) Check(id *identity.Identity) revocation.Verdict {
	ctx, cancel := context.WithTimeout(context.Background(), time.Second)
	defer cancel()
	return s.CheckContext(ctx, id)
}

// A source of your own says what it knows; the chain decides what follows.
func ExampleContextSource() {
	var source revocation.ContextSource = sessions{func(_ context.Context, _, session string) (bool, error) {
		if session == "s3" {
			return false, errors.New("connection refused")
		}
		return session == "s2", nil
	}}
	for _, session := range []string{"s1", "s2", "s3"} {
		id := &identity.Identity{Issuer: "https://idp.example.com", Subject: "alice", SessionID: session}
		fmt.Println(session, source.CheckContext(context.Background(), id).Admit(0))
	}
	// Output:
	// s1 <nil>
	// s2 revocation: token revoked
	// s3 revocation: latest revocations unknown
}
