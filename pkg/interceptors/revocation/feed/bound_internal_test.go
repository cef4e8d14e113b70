package feed

import (
	"errors"
	"testing"

	"github.com/curfew-platform/curfew/pkg/interceptors/revocation/leaseclock/leaseclocktest"
	"github.com/curfew-platform/curfew/pkg/interceptors/revocation/message"
)

// nowhere is a store that an engine which does not run never asks.
type nowhere struct{ Store }

func TestTheNumberOfStreamsIsBoundedAndThoseThatAreOverMakeRoom(t *testing.T) {
	e, err := New(Config{Store: nowhere{}, Replica: "auth", Clock: leaseclocktest.New(0)})
	if err != nil {
		t.Fatal(err)
	}
	hello := message.Hello{ReplicaID: "orders", Incarnation: "x"}
	cancel := func(error) {}
	var last *entry
	for range maxEntries {
		if last, err = e.register("services/orders", hello, cancel); err != nil {
			t.Fatal(err)
		}
	}
	if _, err := e.register("services/orders", hello, cancel); !errors.Is(err, errTooMany) {
		t.Fatalf("one more: %v", err)
	}
	last.closed = true // and nobody has looked yet
	if _, err := e.register("services/orders", hello, cancel); err != nil {
		t.Errorf("one has ended: %v", err)
	}
	if n := len(e.entries); n != maxEntries {
		t.Errorf("%d streams", n)
	}
	for en := range e.entries {
		e.closeStream(en)
	}
	if len(e.entries) != 0 || len(e.peers) != 0 {
		t.Errorf("%d streams and %d processes are remembered when all have ended", len(e.entries), len(e.peers))
	}
}
