package grpcserver_test

import (
	"testing"
	"time"

	"github.com/curfew-platform/curfew/pkg/lifecycle"
	"github.com/curfew-platform/curfew/pkg/lifecycle/grpcserver"
)

func TestNoStreamOutlivesTheDrainBudgetUnnoticed(t *testing.T) {
	for _, grace := range []time.Duration{10 * time.Second, 30 * time.Second, 10 * time.Minute} {
		f := newFixture(t, nil, lifecycle.WithGrace(grace))
		plan := f.g.Plan()
		p := grpcserver.ConnectionAge(plan)
		if p.MaxConnectionAgeGrace > plan.Longest(lifecycle.Drain) || p.MaxConnectionAgeGrace <= 0 {
			t.Errorf("grace %v: a stream may last %v on an old connection, the drain %v", grace, p.MaxConnectionAgeGrace, plan.Longest(lifecycle.Drain))
		}
		if p.MaxConnectionAge < time.Minute {
			t.Errorf("grace %v: connections last only %v", grace, p.MaxConnectionAge)
		}
	}
}
