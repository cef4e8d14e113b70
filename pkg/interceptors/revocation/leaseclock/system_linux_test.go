package leaseclock_test

import (
	"os"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/curfew-platform/curfew/pkg/interceptors/revocation/leaseclock"
)

// TestTheSystemClockGoesOnInSuspend compares with /proc/uptime, which counts
// suspend as CLOCK_BOOTTIME does.
func TestTheSystemClockGoesOnInSuspend(t *testing.T) {
	raw, err := os.ReadFile("/proc/uptime")
	if err != nil {
		t.Fatal(err)
	}
	up, err := strconv.ParseFloat(strings.Fields(string(raw))[0], 64)
	if err != nil {
		t.Fatal(err)
	}
	now := leaseclock.System().Now()
	if d := now.Boot - time.Duration(up*float64(time.Second)); d < -time.Second || d > time.Minute {
		t.Errorf("boot clock is %s, uptime %.2fs", now.Boot, up)
	}
	if d := time.Since(now.Time()); d < -time.Minute || d > time.Minute {
		t.Errorf("wall clock is %s away", d)
	}
}
