package wakeup_test

import (
	"testing"

	"go.uber.org/goleak"

	"github.com/curfew-platform/curfew/pkg/localenv/pgtest"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(pgtest.Runner{M: m}) }
