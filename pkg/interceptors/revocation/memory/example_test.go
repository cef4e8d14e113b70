package memory_test

import (
	"context"
	"fmt"
	"time"

	"github.com/curfew-platform/curfew/pkg/interceptors/identity"
	"github.com/curfew-platform/curfew/pkg/interceptors/revocation"
	"github.com/curfew-platform/curfew/pkg/interceptors/revocation/memory"
)

// A session is revoked: its tokens are refused from then on, and its running
// calls are cancelled.
func Example() {
	source := memory.New() // interceptors.Config.Revocation
	alice := &identity.Identity{Issuer: "https://idp.example.com", Subject: "alice", SessionID: "s1"}
	// The chain does this for every call.
	call, leave := source.Inflight().Enter(context.Background(), alice, true)
	defer leave()
	fmt.Println("admitted:", source.Check(alice).Admit(0))

	cancelled, err := source.Revoke(revocation.Rule{
		Kind: revocation.KindSession, Issuer: alice.Issuer, ID: "s1",
		KeepUntil: time.Now().Add(time.Hour), // the longest life of a token, and some more
	})
	fmt.Println("calls cancelled:", cancelled, err)
	fmt.Println("the running call:", context.Cause(call))
	fmt.Println("the next one:", source.Check(alice).Admit(0))
	// Output:
	// admitted: <nil>
	// calls cancelled: 1 <nil>
	// the running call: revocation: token revoked
	// the next one: revocation: token revoked
}
