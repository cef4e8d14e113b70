package grpcserver

import (
	"context"
	"testing"
	"testing/synctest"
	"time"

	"google.golang.org/grpc"
)

func TestADrainIsMeasuredWhileTheServerWorks(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		tr := NewTracker()
		call := func(takes time.Duration) {
			_, _ = tr.unary(t.Context(), nil, &grpc.UnaryServerInfo{FullMethod: "/m"}, func(context.Context, any) (any, error) {
				time.Sleep(takes)
				return nil, nil
			})
		}
		expect := func(what string, want time.Duration) {
			t.Helper()
			if got := tr.EstimateDrain(); got != want {
				t.Errorf("%s: %v, not %v", what, got, want)
			}
		}
		expect("an idle server", 0)
		time.Sleep(time.Second)
		expect("an idle server later", 0)

		// Calls of 3 s, one begins every second: whenever a drain begins, the youngest call has nearly 3 s left.
		stop := time.NewTimer(30 * time.Second)
		done := make(chan struct{})
		go func() {
			defer close(done)
			tick := time.NewTicker(time.Second)
			defer tick.Stop()
			for {
				select {
				case <-tick.C:
					go call(3 * time.Second)
				case <-stop.C:
					return
				}
			}
		}()
		time.Sleep(10*time.Second + 500*time.Millisecond)
		var got time.Duration
		for range 10 {
			time.Sleep(time.Second)
			got = tr.EstimateDrain()
		}
		if got != 3*time.Second {
			t.Errorf("calls of 3 s: %v", got)
		}
		<-done
		time.Sleep(10 * time.Second)
		expect("all have ended", 0)

		// One that hangs makes a drain longer and longer, whatever else is fast.
		go call(time.Minute)
		for range 40 {
			time.Sleep(time.Second)
			go call(time.Millisecond)
			got = tr.EstimateDrain()
		}
		if got != 39*time.Second {
			t.Errorf("after 40 s, first asked after 1 s: %v", got)
		}
		time.Sleep(time.Minute)
		expect("it has ended", 0)
	})
}

func TestAStreamIsNoDrain(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		tr := NewTracker()
		err := tr.streaming(nil, served{ctx: t.Context()}, &grpc.StreamServerInfo{FullMethod: "/s"}, func(any, grpc.ServerStream) error {
			for range 3 {
				time.Sleep(time.Second)
				if n, d := tr.InFlight(), tr.EstimateDrain(); n != 1 || d != 0 {
					t.Errorf("%d in flight, %v", n, d)
				}
			}
			return nil
		})
		if err != nil {
			t.Error(err)
		}
	})
}

type served struct {
	grpc.ServerStream

	ctx context.Context
}

func (s served) Context() context.Context { return s.ctx }

func TestTheInstantsOfADrainAreBounded(t *testing.T) {
	var d drains
	begin := time.Unix(0, 0)
	for i := range 2 * maxOpen {
		d.note(begin.Add(time.Duration(i+1)*time.Second), begin, true)
	}
	if n := len(d.open); n != maxOpen {
		t.Errorf("%d instants", n)
	}
	if got := d.note(begin.Add(3*maxOpen*time.Second), begin, true); got != (3*maxOpen-1)*time.Second {
		t.Errorf("%v", got)
	}
}
