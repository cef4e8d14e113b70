package inflight

import "testing"

// Two processors that take a hand at the same moment get two shards.
func TestHandsThatAreTakenTogetherPointAtDifferentShards(t *testing.T) {
	taken := map[uint32]bool{}
	for range shards {
		h, ok := hands.Get().(*hand)
		if !ok {
			t.Fatal("no hand")
		}
		defer hands.Put(h)
		taken[h.n%shards] = true
	}
	if len(taken) < shards/2 {
		t.Errorf("%d hands point at %d shards", shards, len(taken))
	}
}
