package chain

import (
	"strings"
	"testing"

	"github.com/alicebob/miniredis/v2"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
)

// The measurement is worth nothing if a call is let in without being looked at.
func TestTheGuardedMethodRefusesABadTokenAndSoDoesThePeer(t *testing.T) {
	r := miniredis.RunT(t)
	b, err := newBench(r.Addr())
	if err != nil {
		t.Fatal(err)
	}
	defer b.close()
	for _, run := range []struct {
		name string
		call func() error
	}{
		{"ours", func() error { _, err := b.run(t.Context(), b.full, guardedMethod); return err }},
		{"peer", func() error { _, err := b.run(t.Context(), b.peer, publicMethod); return err }},
	} {
		good := b.bearer
		if err := run.call(); err != nil {
			t.Errorf("%s, good token: %v", run.name, err)
		}
		b.bearer = strings.TrimSuffix(good, good[len(good)-4:]) + "AAAA"
		if err := run.call(); status.Code(err) != codes.Unauthenticated {
			t.Errorf("%s, bad token: %v", run.name, err)
		}
		b.bearer = good
	}
}
