package grpcserver_test

import (
	"slices"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	"github.com/curfew-platform/curfew/pkg/lifecycle"
	"github.com/curfew-platform/curfew/pkg/lifecycle/grpcserver"
)

func TestNoStreamOutlivesTheDrainBudgetUnnoticed(t *testing.T) {
	for _, grace := range []time.Duration{10 * time.Second, 10*time.Second + time.Microsecond, 30 * time.Second, 10 * time.Minute} {
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

func TestAConnectionIsRenewedAndWhatStaysOnItIsCutAfterTheDrainBudget(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := newFixture(t, nil)
		wait := f.run(t.Context())
		p := grpcserver.ConnectionAge(f.g.Plan())
		const clients = 8
		begin := time.Now()
		ends := make([]time.Duration, clients)
		var following sync.WaitGroup
		for i := range clients {
			conn := f.dial(t)
			defer conn.Close()
			stream := openStream(t.Context(), t, conn, "obey")
			following.Go(func() {
				if err := stream.RecvMsg(nil); status.Code(err) != codes.Unavailable {
					t.Errorf("the client got %v", err)
				}
				ends[i] = time.Since(begin)
			})
		}
		following.Wait()
		slices.Sort(ends)
		// grpc-go adds or takes up to a tenth of the age, so that not all come back in the same moment.
		if least, most := p.MaxConnectionAge*9/10+p.MaxConnectionAgeGrace, p.MaxConnectionAge*11/10+p.MaxConnectionAgeGrace; ends[0] < least || ends[clients-1] > most+time.Second {
			t.Errorf("streams were cut after %v to %v, not between %v and %v", ends[0], ends[clients-1], least, most)
		}
		if ends[clients-1]-ends[0] < time.Second {
			t.Errorf("all streams were cut within %v", ends[clients-1]-ends[0])
		}
		f.g.Shutdown(nil)
		if err := wait(); err != nil {
			t.Error(err)
		}
	})
}
