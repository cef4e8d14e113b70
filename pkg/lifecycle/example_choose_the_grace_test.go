package lifecycle_test

import (
	"fmt"
	"os"
	"regexp"
	"testing"
	"time"

	"github.com/curfew-platform/curfew/pkg/lifecycle"
)

// How long must the grace be? A plan says what all phases but Drain need; the rest is the longest work.
func Example_chooseTheGrace() {
	group, err := lifecycle.New(lifecycle.WithGrace(time.Hour), lifecycle.WithPropagation(5*time.Second))
	if err != nil {
		fmt.Println(err)
		return
	}
	plan := group.Plan()
	longestCall := 10 * time.Second
	fmt.Println("at least", plan.Grace-plan.Longest(lifecycle.Drain)+longestCall)
	// Output: at least 24s
}

var graceRow = regexp.MustCompile(`(?m)^\| [^|]+ \| (\S+) \| (\S+) \| (\S+) \| (\S+) \| (\S+) \|$`)

func TestTheExamplesOfThePageNeedWhatItSays(t *testing.T) {
	content, err := os.ReadFile("../../docs/grace.md")
	if err != nil {
		t.Fatal(err)
	}
	rows := graceRow.FindAllStringSubmatch(string(content), -1)
	if len(rows) != 7 { // with the line below the header
		t.Fatalf("%d rows", len(rows)-1)
	}
	for _, row := range rows[1:] {
		var d [5]time.Duration
		for i, text := range row[1:] {
			if d[i], err = time.ParseDuration(text); err != nil {
				t.Fatal(err)
			}
		}
		preStop, propagation, drain, needed, set := d[0], d[1], d[2], d[3], d[4]
		longest := func(grace time.Duration) time.Duration {
			group, err := lifecycle.New(lifecycle.WithGrace(grace), lifecycle.WithPreStop(preStop), lifecycle.WithPropagation(propagation))
			if err != nil {
				return 0
			}
			return group.Plan().Longest(lifecycle.Drain)
		}
		if longest(needed) < drain || longest(needed-time.Millisecond) >= drain {
			t.Errorf("%s: a grace of %v leaves the drain %v", row[0], needed, longest(needed))
		}
		if set < needed {
			t.Errorf("%s: set below what is needed", row[0])
		}
	}
}
