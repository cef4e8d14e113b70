package logproc

import (
	"syscall"
	"testing"

	"github.com/curfew-platform/curfew/pkg/lifecycle/supervisor"
)

func TestOnlyWhatAProcessDoesByItselfIsItsOwnDeath(t *testing.T) {
	for name, c := range map[string]struct {
		exit supervisor.Exit
		want bool
	}{
		"a panic":                    {supervisor.Exit{Code: 2, Stderr: "panic: x\n\ngoroutine 1 [running]:"}, true},
		"the end of its memory":      {supervisor.Exit{Code: 2, Stderr: "fatal error: runtime: out of memory"}, true},
		"a crash":                    {supervisor.Exit{Signal: syscall.SIGSEGV}, true},
		"an operator's SIGQUIT":      {supervisor.Exit{Code: 2, Stderr: "SIGQUIT: quit\nPC=0x47a2e1 m=0 sigcode=0\n"}, false},
		"a SIGKILL":                  {supervisor.Exit{Signal: syscall.SIGKILL}, false},
		"an orderly end with errors": {supervisor.Exit{Code: 1}, false},
	} {
		t.Run(name, func(t *testing.T) {
			c.exit.Step, c.exit.Reason = supervisor.StepNone, supervisor.ReasonExited
			if got := own(c.exit); got != c.want {
				t.Errorf("its own death: %v", got)
			}
		})
	}
}
