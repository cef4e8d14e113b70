//go:build !race

package randomtest

const raceEnabled = false
