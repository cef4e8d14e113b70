//go:build !race

package authztest

// thin is one: every combination is tried.
const thin = 1
