// Package sum is broken by the tests of the runner.
package sum

func sum(a, b int, minus bool) int {
	if minus {
		b = -b
	}
	return a + b
}

func zero() int { return 0 }
