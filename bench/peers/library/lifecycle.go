package library

import (
	"context"
	"io"

	"github.com/curfew-platform/curfew/bench/peers/scenario"
	"github.com/curfew-platform/curfew/pkg/lifecycle"
)

// withLifecycle: a part of Drain and a part of Commit, all budgets at their
// defaults, scaled.
func withLifecycle(s *scenario.Stage, log io.Writer) int {
	defaults, err := lifecycle.New(lifecycle.WithoutSignals())
	if err != nil {
		return failed(log, err)
	}
	plan := defaults.Plan()
	options := []lifecycle.Option{
		lifecycle.WithGrace(s.Scaled(scenario.Grace)),
		lifecycle.WithReserve(s.Scaled(plan.Reserve)),
		lifecycle.WithReportWriter(log),
	}
	for ph := lifecycle.Announce; ph <= lifecycle.Close; ph++ {
		b := plan.Budget(ph)
		options = append(options, lifecycle.WithBudget(ph, s.Scaled(b.Min), s.Scaled(b.Max)))
	}
	group, err := lifecycle.New(options...)
	if err != nil {
		return failed(log, err)
	}
	for _, part := range []lifecycle.Part{
		{Name: "worker", Phase: lifecycle.Drain, Stop: s.Drain},
		{Name: "offsets", Phase: lifecycle.Commit, Stop: s.Commit},
	} {
		if err := group.Add(part); err != nil {
			return failed(log, err)
		}
	}
	group.Go("ready", func(context.Context) error {
		<-group.Started()
		s.Ready()
		return nil
	})
	return lifecycle.ExitCode(group.Run(context.Background()))
}
