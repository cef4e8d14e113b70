package order_test

import (
	"errors"
	"math"
	"testing"

	"github.com/curfew-platform/curfew/services/orders/internal/order"
)

func TestAmountsAreExactOrRefused(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		name, currency string
		units          int64
		nanos          int32
		want           int64 // -1: refused
	}{
		{"euros and cents", "EUR", 12, 340_000_000, 1234},
		{"nothing", "EUR", 0, 0, 0},
		{"no digits after the point", "JPY", 500, 0, 500},
		{"three digits after the point", "KWD", 1, 5_000_000, 1005},
		{"the most", "EUR", order.MaxUnitMinor / 100, 0, order.MaxUnitMinor},
		{"one more than the most", "EUR", order.MaxUnitMinor / 100, 10_000_000, -1},
		{"half a cent", "EUR", 1, 5_000_000, -1},
		{"digits that the yen does not have", "JPY", 1, 10_000_000, -1},
		{"negative units", "EUR", -1, 0, -1},
		{"negative nanos", "EUR", 1, -10_000_000, -1},
		{"nanos beyond a unit", "EUR", 0, 1_000_000_000, -1},
		{"units that overflow", "EUR", math.MaxInt64, 0, -1},
		{"units that overflow when multiplied", "EUR", math.MaxInt64/100 + 1, 0, -1},
		{"the least units", "EUR", math.MinInt64, math.MinInt32, -1},
		{"no currency", "", 1, 0, -1},
		{"a currency in lower case", "eur", 1, 0, -1},
		{"a currency that is no code", "EU\x00", 1, 0, -1},
	} {
		got, err := order.Minor(c.currency, c.units, c.nanos)
		if c.want < 0 {
			if _, ok := errors.AsType[*order.InvalidAmount](err); !ok {
				t.Errorf("%s: got %d, %v", c.name, got, err)
			}
			continue
		}
		if err != nil || got != c.want {
			t.Errorf("%s: got %d, %v, want %d", c.name, got, err, c.want)
		}
	}
}

// An amount that is taken is given back the same.
func FuzzAnAmountSurvivesTheWayThroughMinorUnits(f *testing.F) {
	f.Add("EUR", int64(12), int32(340_000_000))
	f.Add("JPY", int64(math.MaxInt64), int32(0))
	f.Add("KWD", int64(-1), int32(math.MinInt32))
	f.Fuzz(func(t *testing.T, currency string, units int64, nanos int32) {
		minor, err := order.Minor(currency, units, nanos)
		if err != nil {
			return
		}
		if minor < 0 || minor > order.MaxUnitMinor {
			t.Fatalf("%d is out of range", minor)
		}
		if u, n := order.Split(currency, minor); u != units || n != nanos {
			t.Fatalf("%d.%09d became %d.%09d", units, nanos, u, n)
		}
	})
}
