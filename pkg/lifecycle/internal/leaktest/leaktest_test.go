package leaktest

import (
	"strings"
	"testing"
	"time"
)

func TestAGoroutineThatIsLeftIsNamedUntilItEnds(t *testing.T) {
	if left := Left(patience); len(left) > 0 {
		t.Errorf("there is none, it says %q", left)
	}
	release := make(chan struct{})
	go forgotten(release)
	if left := Left(20 * time.Millisecond); len(left) != 1 || !strings.Contains(left[0], "leaktest.forgotten") {
		t.Errorf("got %q", left)
	}
	close(release)
	if left := Left(patience); len(left) > 0 {
		t.Errorf("it has ended, it says %q", left)
	}
}

func forgotten(release <-chan struct{}) { <-release }
