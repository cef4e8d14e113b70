package load

import (
	"os"
	"testing"
	"time"
)

func TestTheInvariantsAreThoseOfTheService(t *testing.T) {
	theirs, err := os.ReadFile("../../services/orders/internal/ordertest/invariants.sql")
	if err != nil {
		t.Fatal(err)
	}
	if string(theirs) != invariantsSQL {
		t.Error("copy services/orders/internal/ordertest/invariants.sql here: the two differ")
	}
}

func TestAPartitionThatHasNothingToDoIsNotStill(t *testing.T) {
	start := time.Now()
	w := &watched{moved: start}
	for _, look := range []struct {
		after     time.Duration
		next, end int64
	}{
		{time.Second, 10, 20},     // begins after a second without progress
		{4 * time.Second, 10, 20}, // 3 s still
		{5 * time.Second, 20, 20},
		{60 * time.Second, 20, 20}, // at the end: nothing to do
		{61 * time.Second, 20, 30},
		{62 * time.Second, 30, 30},
	} {
		w.look(start.Add(look.after), look.next, look.end)
	}
	if w.StillMS != 4000 || w.Moves != 3 || w.To != 30 {
		t.Errorf("%+v", w.Progress)
	}
}
