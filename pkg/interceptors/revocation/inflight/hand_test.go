package inflight

import "testing"

// Two processors that take a hand at the same moment get two shards.
func TestHandsThatAreTakenTogetherPointAtDifferentShards(t *testing.T) {
	const processors = 16
	taken := map[uint32]bool{}
	for range processors {
		h, ok := hands.Get().(*hand)
		if !ok {
			t.Fatal("no hand")
		}
		defer hands.Put(h)
		taken[h.n%shards] = true
	}
	if len(taken) < processors/2 {
		t.Errorf("%d hands point at %d shards", processors, len(taken))
	}
}
