package load

import (
	"fmt"
	"maps"
	"sync"
	"time"

	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
)

// Verdict is what the load saw. It is printed as JSON.
type Verdict struct {
	Run     string  `json:"run"`     // trace id of the log records
	Seconds float64 `json:"seconds"` // that it ran

	Calls map[string]Calls `json:"calls"` // of customers, by kind
	// Failed are calls of customers that failed although a normal client had repeated what may be repeated.
	Failed  int64            `json:"failed"`
	Codes   map[string]int64 `json:"codes,omitempty"`   // of the failed ones
	Samples []string         `json:"samples,omitempty"` // the first failures

	Customers []string `json:"customers"` // users/{id}
	Orders    int64    `json:"orders"`    // that were answered, perhaps after more repetitions
	Unsettled int64    `json:"unsettled"` // orders that nobody knows the outcome of

	Revocations int64    `json:"revocations"` // calls that ended a token and returned
	Pending     int64    `json:"pending"`     // calls that may have ended one
	LongestMS   int64    `json:"longest_revocation_ms"`
	Checks      int64    `json:"checks"`      // answers of single replicas to a token that had ended before the call
	Unreachable int64    `json:"unreachable"` // replicas that did not answer such a call
	Leaks       int64    `json:"leaks"`       // answers that admitted it
	LeakSamples []string `json:"leak_samples,omitempty"`

	Produced      int64 `json:"produced"` // log records that the broker has acknowledged
	ProduceFailed int64 `json:"produce_failed"`
	// From are the ends of the topic's partitions when the run began.
	From map[int32]int64 `json:"from,omitempty"`
}

// Calls are the calls of a kind.
type Calls struct {
	Calls     int64 `json:"calls"`
	Failed    int64 `json:"failed,omitempty"`
	LongestMS int64 `json:"longest_ms"`
}

// mostSamples bounds the failures that are kept in words.
const mostSamples = 8

// tally is a Verdict that grows.
type tally struct {
	mu sync.Mutex
	v  Verdict
}

func (t *tally) note(change func(*Verdict)) {
	t.mu.Lock()
	defer t.mu.Unlock()
	change(&t.v)
}

// called notes a call of a customer.
func (t *tally) called(kind string, took time.Duration, err error) {
	t.note(func(v *Verdict) {
		if v.Calls == nil {
			v.Calls, v.Codes = map[string]Calls{}, map[string]int64{}
		}
		c := v.Calls[kind]
		c.Calls++
		c.LongestMS = max(c.LongestMS, took.Milliseconds())
		if err != nil {
			c.Failed++
			v.Failed++
			v.Codes[status.Code(err).String()]++
			v.Samples = sample(v.Samples, fmt.Sprintf("%s after %v: %v", kind, took.Round(time.Millisecond), err))
		}
		v.Calls[kind] = c
	})
}

func sample(samples []string, s string) []string {
	if len(samples) == mostSamples {
		return samples
	}
	const longest = 300
	return append(samples, time.Now().UTC().Format("15:04:05.000 ")+s[:min(len(s), longest)])
}

// verdict returns what there is so far.
func (t *tally) verdict() Verdict {
	t.mu.Lock()
	defer t.mu.Unlock()
	v := t.v
	v.Calls, v.Codes = maps.Clone(v.Calls), maps.Clone(v.Codes)
	return v
}

// transient tells whether the same call may succeed a moment later.
func transient(err error) bool {
	switch status.Code(err) {
	case codes.Unavailable, codes.DeadlineExceeded, codes.ResourceExhausted, codes.Aborted, codes.Canceled:
		return true
	default:
		return false
	}
}
