package platform

import (
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/curfew-platform/curfew/e2e/stolentoken"
)

// leaseBound is one row lease (6 s) with its margin and one poll.
const leaseBound = 7 * time.Second

func TestARevokedTokenIsRefusedByEveryReplicaAsSoonAsTheCallReturned(t *testing.T) {
	got, err := stolentoken.Rounds(t.Context(), platform, platform.Orders, 1000)
	if err != nil {
		t.Fatal(err)
	}
	if len(platform.Orders) != 2 || got.Calls != 2000 {
		t.Errorf("%d calls on %d replicas, want 2,000 on 2", got.Calls, len(platform.Orders))
	}
	if got.Admitted != 0 {
		t.Errorf("%d of %d calls with a revoked token were admitted", got.Admitted, got.Calls)
	}
}

func TestAPausedReplicaDelaysARevocationByOneLeaseAndRefusesWhenItWakesUp(t *testing.T) {
	got, err := stolentoken.PausedReplica(t.Context(), platform)
	if err != nil {
		t.Fatal(err)
	}
	if got.Waited > leaseBound {
		t.Errorf("the revoking call took %v, bound %v", got.Waited, leaseBound)
	}
	if got.Admitted {
		t.Error("the replica admitted a revoked token after SIGCONT")
	}
}

func TestAReplicaThatAsksTheIssuerRefusesARevokedTokenAsSoonAsTheCallReturned(t *testing.T) {
	p, err := platform.StartService(t.Context(), "orders", nil, "--revocation", "introspection")
	if err != nil {
		t.Fatal(err)
	}
	defer p.Kill()
	got, err := stolentoken.Rounds(t.Context(), platform, []string{p.GRPC}, 100)
	if err != nil {
		t.Fatal(err)
	}
	if got.Calls != 100 || got.Admitted != 0 {
		t.Errorf("%d of %d calls with a revoked token were admitted", got.Admitted, got.Calls)
	}
}

func TestTheOracleSeesAnAdmission(t *testing.T) {
	p, err := platform.StartService(t.Context(), "orders", nil, "--revocation", "none")
	if err != nil {
		t.Fatal(err)
	}
	defer p.Kill()
	got, err := stolentoken.Rounds(t.Context(), platform, []string{p.GRPC}, 4)
	if err != nil {
		t.Fatal(err)
	}
	if got.Admitted != got.Calls {
		t.Errorf("without revocations %d of %d calls were admitted: the oracle is blind", got.Admitted, got.Calls)
	}
}

func TestSixteenRefreshesAtOnceGetTheSamePair(t *testing.T) {
	got, err := stolentoken.RefreshRace(t.Context(), platform)
	if err != nil {
		t.Fatal(err)
	}
	if got.Answered != got.Refreshes || got.Pairs != 1 || got.LoggedOut {
		t.Errorf("%+v", got)
	}
}

func TestOperatorsSeeWhoHoldsALease(t *testing.T) {
	// Whoever was killed in another test holds a lease for a moment more.
	var listed string
	t.Cleanup(func() {
		if t.Failed() {
			t.Log(listed)
		}
	})
	eventually(t, "who holds a lease is listed, and nobody else", func() bool {
		out, err := exec.CommandContext(t.Context(), filepath.Join(platform.Bin, "curfew"), "revocations").CombinedOutput()
		if err != nil {
			t.Fatalf("%v\n%s", err, out)
		}
		listed = string(out)
		for principal, replicas := range map[string]int{"services/auth": 1, "services/orders": len(platform.Orders), "services/logproc": 1} {
			if strings.Count(listed, principal+" ") != replicas {
				return false
			}
		}
		return true
	})
}
