package workers

import (
	"os"
	"testing"

	"github.com/curfew-platform/curfew/pkg/lifecycle/supervisor"
)

func TestMain(m *testing.M) {
	if supervisor.IsChild() {
		os.Exit(Main())
	}
	os.Exit(m.Run())
}

func TestAWorkerThatIsKilledIsReadyAgain(t *testing.T) {
	c, err := start(t.Context(), 2)
	if err != nil {
		t.Fatal(err)
	}
	before := c.pids[1]
	took, err := c.killAndAwait(t.Context(), 1)
	if err != nil || took <= 0 {
		t.Errorf("took %v: %v", took, err)
	}
	if err := c.stop(); err != nil {
		t.Error(err)
	}
	if c.pids[1] == before {
		t.Error("it is the same process")
	}
}
