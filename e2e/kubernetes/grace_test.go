package kubernetes

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/curfew-platform/curfew/e2e/kubernetes/cluster"
)

// A grace that cannot hold the floors of the phases is refused by the process
// that would have to keep it, before it takes traffic: the rollout stands still
// at its first replica, the others serve on, and the pod says why.
func TestAGraceThatIsTooShortIsRefusedWithTheTableOfTheBudget(t *testing.T) {
	last, err := lab.Replicas(t.Context(), "orders")
	if err != nil {
		t.Fatal(err)
	}
	pod := fmt.Sprintf("orders-%d", last-1)
	var said cluster.Terminated
	o := underLoad(t, cluster.Traffic{}, func(ctx context.Context) {
		patch := `{"spec":{"template":{"spec":{"terminationGracePeriodSeconds":8,"containers":[{"name":"orders","env":[{"name":"CURFEW_ORDERS_GRACE","value":"8s"}]}]}}}}`
		kubectl(ctx, t, "patch", "statefulset/orders", "--patch="+patch)
		defer func() {
			kubectl(context.WithoutCancel(ctx), t, "rollout", "undo", "statefulset/orders")
			settled(context.WithoutCancel(ctx), t)
		}()
		err := cluster.Await(ctx, 90*time.Second, pod+" to be refused", func(ctx context.Context) (bool, error) {
			p, err := lab.Pod(ctx, pod)
			for _, c := range p.Status.Containers {
				for _, state := range []cluster.State{c.State, c.LastState} {
					if state.Terminated != nil && state.Terminated.ExitCode == 2 {
						said = *state.Terminated
						return true, nil
					}
				}
			}
			return false, errors.Join(err, fmt.Errorf("it is %+v", p.Status))
		})
		if err != nil {
			t.Error(err)
		}
	})
	o.unnoticed(t)
	t.Logf("exit code %d, termination message:\n%s", said.ExitCode, said.Message)
	for _, want := range []string{"grace", "8s", "announce", "intake off", "drain", "commit", "leave", "close", "reserve"} {
		if !strings.Contains(strings.ToLower(said.Message), want) {
			t.Errorf("the termination message does not mention %q", want)
		}
	}
}
