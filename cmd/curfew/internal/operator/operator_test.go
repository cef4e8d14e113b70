package operator

import (
	"strings"
	"testing"
)

func TestAnAddressThatCannotBeUsedIsRefusedByItsFlags(t *testing.T) {
	for want, c := range map[string]struct {
		flags   Flags
		address string
	}{
		"--auth-addr, without --auth-tls-ca and --auth-plaintext: ": {Flags{}, "auth.curfew.svc:443"},
		"--auth-tls-ca, ": {Flags{AuthTLSCA: "/none"}, "auth.curfew.svc:443"},
	} {
		if _, err := c.flags.Dial(c.address); err == nil || !strings.HasPrefix(err.Error(), want) {
			t.Errorf("want %q, got %v", want, err)
		}
	}
	conn, err := (&Flags{}).Dial(" localhost:1")
	if err != nil {
		t.Fatal(err)
	}
	if err := conn.Close(); err != nil {
		t.Error(err)
	}
}
