package sum

import "testing"

func TestSum(t *testing.T) {
	if sum(1, 2, false) != 3 || sum(1, 2, true) != -1 {
		t.Error("wrong")
	}
}

func TestNothing(t *testing.T) {
	if zero() != 0 {
		t.Error("wrong")
	}
}
