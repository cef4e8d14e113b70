package lifecycle_test

import (
	"fmt"
	"time"

	"github.com/curfew-platform/curfew/pkg/lifecycle"
)

// A grace that can't hold its budgets is refused before the process starts, not discovered by SIGKILL.
func Example_refuseAGraceThatIsTooShort() {
	_, err := lifecycle.New(lifecycle.WithGrace(8*time.Second), lifecycle.WithPreStop(5*time.Second))
	fmt.Println(err)
	fmt.Println("exit code", lifecycle.ExitCode(err))
	// Output:
	// lifecycle: impossible budget: the grace is 8s, but pre-stop, reserve and floors need 15s
	//             floor  max
	// pre-stop    5s
	// announce    0s     1s
	// intake off  500ms  2s
	// drain       1s     -
	// commit      2.5s   5s
	// leave       2.5s   3s
	// close       1.5s   2.5s
	// reserve     2s
	// sum         15s
	// grace       8s
	//
	// exit code 2
}

// How long may a call, a batch or a stream last if a stop must not cut it?
func ExamplePlan_Longest() {
	group, err := lifecycle.New(lifecycle.WithGrace(60*time.Second), lifecycle.WithPreStop(5*time.Second))
	if err != nil {
		fmt.Println(err)
		return
	}
	fmt.Println(group.Plan().Longest(lifecycle.Drain))
	// Output: 46s
}
