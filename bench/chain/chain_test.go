package chain

import (
	"os"
	"strings"
	"testing"

	"github.com/alicebob/miniredis/v2"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
)

func TestMain(m *testing.M) {
	if len(os.Args) > 1 && os.Args[1] == Child {
		os.Exit(Main(os.Args[2:], os.Stdin, os.Stdout))
	}
	os.Exit(m.Run())
}

// The measurement is worth nothing if a call is let in without being looked at.
func TestTheGuardedMethodRefusesABadTokenAndSoDoesThePeer(t *testing.T) {
	r := miniredis.RunT(t)
	b, err := start(t.Context(), r.Addr(), 1)
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
