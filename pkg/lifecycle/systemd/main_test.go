package systemd

import (
	"os"
	"testing"

	"github.com/curfew-platform/curfew/pkg/lifecycle/internal/leaktest"
)

func TestMain(m *testing.M) { os.Exit(leaktest.Main(m)) }
