package lifecycle_test

import (
	"context"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/curfew-platform/curfew/pkg/lifecycle"
)

func TestAConfigurationThatMakesNoSenseIsAUsageErrorThatSaysWhy(t *testing.T) {
	for want, opt := range map[string]lifecycle.Option{
		"the grace is 0s, it must be more than 0":                           lifecycle.WithGrace(0),
		"the grace is -30s, it must be more than 0":                         lifecycle.WithGrace(-30 * time.Second),
		"the grace is 5s, but pre-stop, reserve and floors need 10s":        lifecycle.WithGrace(5 * time.Second),
		"pre-stop is -1s, it must be between":                               lifecycle.WithPreStop(-time.Second),
		"propagation is -1s, it must be between":                            lifecycle.WithPropagation(-time.Second),
		"reserve is -1s, it must be between":                                lifecycle.WithReserve(-time.Second),
		"the floor of drain is 3s, above its maximum of 1s":                 lifecycle.WithBudget(lifecycle.Drain, 3*time.Second, time.Second),
		"budget for a phase that does not exist: 0":                         lifecycle.WithBudget(0, 0, 0),
		"the start timeout is -1s, it must be more than 0 and at most 168h": lifecycle.WithStartTimeout(-time.Second),
	} {
		g, err := lifecycle.New(nil, opt) // a nil option is none
		if g != nil || err == nil || !strings.Contains(err.Error(), want) || lifecycle.ExitCode(err) != lifecycle.ExitUsage {
			t.Errorf("%s: got %v", want, err)
		}
	}
}

func TestAPartThatMakesNoSenseIsRefusedByName(t *testing.T) {
	g := newGroup(t, lifecycle.WithLogger(nil)) // nil is no logger
	stop := func(context.Context) error { return nil }
	must(t, g.Add(lifecycle.Part{Name: "pool", Phase: lifecycle.Close, Stop: stop}))
	for want, p := range map[string]lifecycle.Part{
		"part without a name":                              {Phase: lifecycle.Close, Stop: stop},
		`there is a part with this name already: "pool"`:   {Name: "pool", Phase: lifecycle.Drain, Stop: stop},
		`part "server": no such phase: 0`:                  {Name: "server", Stop: stop},
		`part "server" has no function`:                    {Name: "server", Phase: lifecycle.Drain},
		`name of part "xxxxxxxxxxxxxxxxxxxx"... is longer`: {Name: strings.Repeat("x", 121), Phase: lifecycle.Drain, Stop: stop},
	} {
		if err := g.Add(p); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: got %v", want, err)
		}
	}
	if err := g.Remove(t.Context(), "nobody"); err == nil || !strings.Contains(err.Error(), `no part named "nobody"`) {
		t.Errorf("got %v", err)
	}
}

func TestANilFunctionIsAnErrorOfItsGoroutine(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		g := newGroup(t)
		g.Go("loop", nil)
		if err := g.Run(t.Context()); err == nil || err.Error() != `goroutine "loop": there is no function to run` {
			t.Errorf("got %v", err)
		}
	})
}
