package revocation_test

import (
	"context"
	"errors"
	"fmt"
	"testing"
	"time"

	"github.com/curfew-platform/curfew/pkg/interceptors/identity"
	"github.com/curfew-platform/curfew/pkg/interceptors/revocation"
	"github.com/curfew-platform/curfew/pkg/interceptors/revocation/memory"
)

// answer is a source with one answer.
type answer struct{ verdict revocation.Verdict }

func (a *answer) Check(*identity.Identity) revocation.Verdict { return a.verdict }

func TestACommitGuardLooksAtLeaseAndSetOnceMore(t *testing.T) {
	source := &answer{revocation.Verdict{Fresh: true}}
	ctx := revocation.NewContext(t.Context(), &revocation.Admission{Source: source, Identity: &identity.Identity{}})
	if err := revocation.CommitGuard(ctx); err != nil {
		t.Errorf("nothing has changed: %v", err)
	}
	source.verdict = revocation.Verdict{StaleFor: time.Second}
	if err := revocation.CommitGuard(ctx); !errors.Is(err, revocation.ErrStale) {
		t.Errorf("the lease is over: %v", err)
	}
	source.verdict = revocation.Verdict{Fresh: true, Revoked: true}
	if err := revocation.CommitGuard(ctx); !errors.Is(err, revocation.ErrRevoked) {
		t.Errorf("the token is revoked: %v", err)
	}
	cancelled, cancel := context.WithCancelCause(ctx)
	cancel(revocation.ErrRevoked)
	if err := revocation.CommitGuard(cancelled); !errors.Is(err, revocation.ErrRevoked) {
		t.Errorf("the call is cancelled: %v", err)
	}
}

// asked is a store that can only be asked with a context.
type asked struct{ answer }

func (a *asked) Check(*identity.Identity) revocation.Verdict {
	return revocation.Verdict{StaleFor: revocation.Unknown}
}

func (a *asked) CheckContext(context.Context, *identity.Identity) revocation.Verdict {
	return a.verdict
}

func TestACommitGuardAsksAStoreWithTheContextOfTheHandler(t *testing.T) {
	source := &asked{answer{revocation.Verdict{Fresh: true}}}
	ctx := revocation.NewContext(t.Context(), &revocation.Admission{Source: source, Identity: &identity.Identity{}})
	if err := revocation.CommitGuard(ctx); err != nil {
		t.Errorf("nothing is revoked: %v", err)
	}
	source.verdict.Revoked = true
	if err := revocation.CommitGuard(ctx); !errors.Is(err, revocation.ErrRevoked) {
		t.Errorf("the token is revoked: %v", err)
	}
}

func TestACommitGuardFailsClosedWithoutAnAdmission(t *testing.T) {
	if err := revocation.CommitGuard(t.Context()); !errors.Is(err, revocation.ErrUnguarded) {
		t.Errorf("error is %v", err)
	}
}

func ExampleCommitGuard() {
	source := memory.New()
	caller := &identity.Identity{Issuer: "https://auth.curfew.dev", Subject: "alice", SessionID: "s1"}
	// The interceptors do this for every admitted call.
	ctx := revocation.NewContext(context.Background(), &revocation.Admission{Source: source, Identity: caller})

	// Meanwhile somebody ends the session.
	if _, err := source.Revoke(revocation.Rule{
		Kind: revocation.KindSession, Issuer: caller.Issuer, ID: "s1", KeepUntil: time.Now().Add(time.Hour),
	}); err != nil {
		panic(err)
	}

	if err := revocation.CommitGuard(ctx); err != nil {
		fmt.Println("not shipped:", err)
	}
	// Output: not shipped: revocation: token revoked
}
