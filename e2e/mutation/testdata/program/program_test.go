// Package program has a test that fails whatever the code is, as one does that
// cannot build what it starts.
package program

import "testing"

func TestSum(t *testing.T) {
	t.Error("the program does not build")
}
