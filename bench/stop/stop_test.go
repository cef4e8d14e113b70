package stop

import (
	"io"
	"os"
	"testing"
)

func TestMain(m *testing.M) {
	if len(os.Args) > 1 && os.Args[1] == Child {
		os.Exit(Main(os.Args[2:], os.Stdin, os.Stdout))
	}
	os.Exit(m.Run())
}

func TestTheServiceThatIsMeasuredStopsClean(t *testing.T) {
	addr, stop, err := leastService(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	w, err := watch(t.Context(), addr)
	if err != nil {
		t.Fatal(err)
	}
	defer w.close()
	took, err := stop()
	if err != nil || took <= 0 {
		t.Errorf("took %v: %v", took, err)
	}
	if err := w.left(); err != nil {
		t.Error(err)
	}
}

func TestABusyProcessEndsWithItsInput(t *testing.T) {
	cmd, stdin, line, err := child(t.Context(), burnChild)
	if err != nil {
		t.Fatal(err)
	}
	if line != "busy" {
		t.Errorf("it says %q", line)
	}
	if err := stdin.Close(); err != nil {
		t.Error(err)
	}
	if err := cmd.Wait(); err != nil {
		t.Error(err)
	}
}

func TestAnUnknownChildIsAUsageError(t *testing.T) {
	if code := Main([]string{"nonsense"}, os.Stdin, io.Discard); code != 2 {
		t.Errorf("exit code %d", code)
	}
}
