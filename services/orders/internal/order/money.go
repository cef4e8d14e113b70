package order

import (
	"fmt"
	"math/bits"
)

// MaxUnitMinor is the highest price of a unit, in minor units. With MaxLines
// lines of MaxQuantity units no sum of an order comes near the end of int64.
const MaxUnitMinor = 1_000_000_000_000

// exponents of the currencies that do not have two digits (ISO 4217).
var exponents = map[string]int{ //nolint:gochecknoglobals // A constant table.
	"BIF": 0, "CLP": 0, "DJF": 0, "GNF": 0, "ISK": 0, "JPY": 0, "KMF": 0, "KRW": 0, "PYG": 0,
	"RWF": 0, "UGX": 0, "UYI": 0, "VND": 0, "VUV": 0, "XAF": 0, "XOF": 0, "XPF": 0,
	"BHD": 3, "IQD": 3, "JOD": 3, "KWD": 3, "LYD": 3, "OMR": 3, "TND": 3, "CLF": 4, "UYW": 4,
}

// nanoDigits is how many digits google.type.Money has after the point.
const nanoDigits = 9

func pow10(n int) int64 {
	p := int64(1)
	for range n {
		p *= 10
	}
	return p
}

func exponent(currency string) int {
	if e, ok := exponents[currency]; ok {
		return e
	}
	return 2
}

// Minor converts an amount in units and nanos (google.type.Money) into minor
// units of its currency. It refuses what is negative, has more digits than the
// currency, is above MaxUnitMinor, or is no currency code; the error is an *InvalidAmount.
func Minor(currency string, units int64, nanos int32) (int64, error) {
	if !validCurrency(currency) {
		return 0, &InvalidAmount{Why: "the currency code is not three upper-case letters"}
	}
	if units < 0 || nanos < 0 {
		return 0, &InvalidAmount{Why: "the amount is negative"}
	}
	if nanos > 999_999_999 {
		return 0, &InvalidAmount{Why: "nanos is above 999,999,999"}
	}
	digits := exponent(currency)
	step := pow10(nanoDigits - digits)
	if int64(nanos)%step != 0 {
		return 0, &InvalidAmount{Why: fmt.Sprintf("%s has %d digits after the point", currency, digits)}
	}
	if units > MaxUnitMinor/pow10(digits) {
		return 0, &InvalidAmount{Why: "the amount is too large"}
	}
	minor := units*pow10(digits) + int64(nanos)/step
	if minor > MaxUnitMinor {
		return 0, &InvalidAmount{Why: "the amount is too large"}
	}
	return minor, nil
}

// Split converts minor units into units and nanos.
func Split(currency string, minor int64) (units int64, nanos int32) {
	digits := exponent(currency)
	p := pow10(digits)
	return minor / p, int32(minor % p * pow10(nanoDigits-digits)) //nolint:gosec // Below 10^9.
}

func validCurrency(code string) bool {
	if len(code) != 3 {
		return false
	}
	for i := range code {
		if code[i] < 'A' || code[i] > 'Z' {
			return false
		}
	}
	return true
}

// addProduct returns sum + price*quantity, or false on overflow.
func addProduct(sum, price int64, quantity int) (int64, bool) {
	hi, lo := bits.Mul64(uint64(price), uint64(quantity)) //nolint:gosec // Both are checked to be positive.
	if hi != 0 || lo > 1<<62 || sum > 1<<62 {
		return 0, false
	}
	return sum + int64(lo), true //nolint:gosec // At most 2^62 each.
}
