package memory_test

import (
	"testing"
	"testing/synctest"
	"time"

	"github.com/curfew-platform/curfew/pkg/interceptors/revocation"
	"github.com/curfew-platform/curfew/pkg/interceptors/revocation/memory"
)

func TestMemoryStaysBounded(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := memory.New()
		for n := range 1000 {
			if _, err := s.Revoke(revocation.Rule{
				Kind: revocation.KindToken, Issuer: "iss", ID: time.Duration(n).String(), KeepUntil: time.Now().Add(5 * time.Minute),
			}); err != nil {
				t.Fatal(err)
			}
			time.Sleep(time.Minute)
		}
		if s.Len() > 10 {
			t.Errorf("%d rules held, of which at most 6 can matter", s.Len())
		}
	})
}
