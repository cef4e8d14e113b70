package revoke

import (
	"context"
	"testing"
	"time"
)

// TestAStormOfReconnectsDelaysNoRevokeBeyondOneLease: all watchers of the
// bench lose their streams at once, again and again. What is asserted is the
// lease and no speed.
func TestAStormOfReconnectsDelaysNoRevokeBeyondOneLease(t *testing.T) {
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	budgets, per, err := simulation(ctx, simulated, 3)
	if err != nil {
		t.Fatal(err)
	}
	for _, b := range budgets {
		b.Print(t.Output())
		if b.Quantile(1) > stormGoal {
			t.Errorf("%s: %v", b.Name, b.Quantile(1))
		}
	}
	for _, s := range append(sizes(), per) {
		s.Print(t.Output())
		if s.Bytes < 16 || s.Bytes > 64<<10 {
			t.Errorf("%s: %.0f bytes", s.Name, s.Bytes)
		}
	}
}
