//go:build race

package authztest

// thin is the part of the combinations that is tried under the race detector,
// which makes a call six times as slow: every 17th. A prime, so that it falls into
// step with nothing.
const thin = 17
