package events_test

import (
	"testing"

	"go.uber.org/goleak"

	"github.com/curfew-platform/curfew/pkg/localenv/kafkatest"
	"github.com/curfew-platform/curfew/pkg/localenv/pgtest"
)

func TestMain(m *testing.M) {
	goleak.VerifyTestMain(kafkatest.Runner{M: pgtest.Runner{M: m}})
}
