package memory_test

import (
	"testing"

	"github.com/curfew-platform/curfew/pkg/interceptors/revocation"
	"github.com/curfew-platform/curfew/pkg/interceptors/revocation/memory"
	"github.com/curfew-platform/curfew/pkg/interceptors/revocation/revocationtest"
)

func TestMemoryIsASource(t *testing.T) {
	revocationtest.RunSource(t, func(*testing.T) revocationtest.Backend {
		s := memory.New()
		return revocationtest.Backend{Source: s, Revoke: func(rules ...revocation.Rule) error {
			_, err := s.Revoke(rules...)
			return err
		}}
	})
}
