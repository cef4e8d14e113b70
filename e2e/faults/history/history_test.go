package history_test

import (
	"testing"
	"time"

	"github.com/curfew-platform/curfew/e2e/faults/history"
)

func at(ms int) time.Time { return time.UnixMilli(int64(ms)) }

func TestAHistoryIsJudgedByTheGuarantee(t *testing.T) {
	type step func(*history.Token)
	saw := func(kind history.Kind, process string, call, done int) step {
		return func(h *history.Token) { h.Saw(kind, process, at(call), at(done)) }
	}
	revoked := func(call, done int) step {
		return func(h *history.Token) { h.Revoked(at(call), at(done)) }
	}
	unknown := func(call int) step {
		return func(h *history.Token) { h.MayBeRevoked(at(call)) }
	}
	for name, test := range map[string]struct {
		steps []step
		good  bool
	}{
		"admitted before, refused after":                     {[]step{saw(history.Admitted, "a", 1, 2), revoked(3, 6), saw(history.Refused, "a", 7, 8)}, true},
		"admitted after the return":                          {[]step{revoked(3, 6), saw(history.Admitted, "a", 7, 8)}, false},
		"a call that began before the return":                {[]step{revoked(3, 6), saw(history.Admitted, "a", 5, 8)}, true},
		"refused before the call":                            {[]step{saw(history.Refused, "a", 1, 2), revoked(3, 6)}, false},
		"replicas differ while it runs":                      {[]step{revoked(1, 9), saw(history.Refused, "a", 2, 3), saw(history.Admitted, "b", 4, 5)}, true},
		"one replica goes back while it runs":                {[]step{revoked(1, 9), saw(history.Refused, "a", 2, 3), saw(history.Admitted, "a", 4, 5)}, false},
		"nobody knows whether it was revoked, and it was":    {[]step{unknown(1), saw(history.Refused, "a", 20, 30)}, true},
		"nobody knows whether it was revoked, and it wasn't": {[]step{unknown(1), saw(history.Admitted, "a", 20, 30)}, true},
		"revoked twice":                                      {[]step{unknown(1), revoked(3, 6), saw(history.Admitted, "a", 7, 8)}, false},
	} {
		h := &history.Token{}
		for _, s := range test.steps {
			s(h)
		}
		if err := h.Check(); (err == nil) != test.good {
			t.Errorf("%s: %v", name, err)
		}
	}
}
