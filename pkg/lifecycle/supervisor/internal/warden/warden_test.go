package warden

import (
	"fmt"
	"os"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"go.uber.org/goleak"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// journal is a group that says what is done to it and when.
type journal struct {
	pgid  int
	ends  time.Duration // by itself, after the death of the parent
	begin time.Time
	done  *[]string
}

func (j journal) note(what string) {
	*j.done = append(*j.done, fmt.Sprintf("%s %d after %v", what, j.pgid, time.Since(j.begin)))
}
func (j journal) wake()      { j.note("wake") }
func (j journal) kill()      { j.note("kill") }
func (j journal) free()      { j.note("free") }
func (j journal) gone() bool { return j.ends > 0 && time.Since(j.begin) >= j.ends }

func TestTheWardenEndsTheGroupsThatAreLeftEachAtItsTime(t *testing.T) {
	for name, c := range map[string]struct {
		said string
		want []string
	}{
		"nothing": {"", nil},
		"one":     {"+7 300000000\n", []string{"free 7 after 400ms", "kill 7 after 400ms", "wake 7 after 0s"}},
		"one that was let go": {
			"+7 1\n+8 0\n-7\n",
			[]string{"free 7 after 0s", "free 8 after 100ms", "kill 8 after 100ms", "wake 8 after 0s"},
		},
		"each at its time": {
			"+7 2000000000\n+8 1000000000\n",
			[]string{
				"free 7 after 2.1s", "free 8 after 1.1s", "kill 7 after 2.1s", "kill 8 after 1.1s",
				"wake 7 after 0s", "wake 8 after 0s",
			},
		},
		"one that ends by itself": {
			"+100 1000000000\n",
			[]string{"free 100 after 100ms", "wake 100 after 0s"},
		},
		"odd lines": {
			// Group 0 is the warden's own, 1 stands for every process there is.
			"+0 1\n+1 1\n+-7 1\n+7 -1\n+7\n7 1\nx\n-9\n\n+8 0\n-8x",
			[]string{"free 8 after 0s"},
		},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				var done []string
				begin := time.Now()
				watch(strings.NewReader(c.said), func(pgid int) group {
					j := journal{pgid: pgid, begin: begin, done: &done}
					if pgid == 100 {
						j.ends = 90 * time.Millisecond
					}
					return j
				})
				slices.Sort(done)
				if !slices.Equal(done, c.want) {
					t.Errorf("got %q, want %q", done, c.want)
				}
			})
		})
	}
}

func TestAWardenThatLivedLongIsReplacedAsSoonAsTheFirst(t *testing.T) {
	var last time.Duration
	for i, c := range []struct{ lived, want time.Duration }{
		{0, time.Second},
		{0, 2 * time.Second},
		{time.Second, 4 * time.Second},
		{59 * time.Second, 8 * time.Second},
		{time.Minute, time.Second},
		{0, 2 * time.Second},
		{0, 4 * time.Second},
		{0, 8 * time.Second},
		{0, 16 * time.Second},
		{0, 32 * time.Second},
		{0, time.Minute},
		{0, time.Minute},
		{time.Hour, time.Second},
	} {
		if last = backoff(last, c.lived); last != c.want {
			t.Errorf("wait %d is %v, want %v", i, last, c.want)
		}
	}
}

// FuzzWatch feeds what a parent never writes: only groups that were opened are
// signalled, each is freed once, and none is its own or everybody's.
func FuzzWatch(f *testing.F) {
	f.Add("+7 300000000\n-7\n+8 0\n")
	f.Add("+1 0\n+0 0\n-1\n--1\n")
	f.Fuzz(func(t *testing.T, said string) {
		open := map[int]int{}
		watch(strings.NewReader(said), func(pgid int) group {
			if pgid < 2 {
				t.Errorf("group %d", pgid)
			}
			open[pgid]++
			return counted{open, pgid}
		})
		for pgid, n := range open {
			if n != 0 {
				t.Errorf("group %d is open %d times", pgid, n)
			}
		}
	})
}

type counted struct {
	open map[int]int
	pgid int
}

func (c counted) wake()      {}
func (c counted) kill()      {}
func (c counted) gone() bool { return true }
func (c counted) free()      { c.open[c.pgid]-- }

func eventually(t *testing.T, what string, holds func() bool) {
	t.Helper()
	limit := time.After(20 * time.Second)
	for !holds() {
		select {
		case <-time.After(2 * time.Millisecond):
		case <-limit:
			t.Fatalf("it does not happen: %s", what)
		}
	}
}

// state is the state of a process in /proc; empty if it is gone.
func state(pid int) string {
	stat, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
	if err != nil {
		return ""
	}
	_, rest, _ := strings.Cut(string(stat), ") ")
	return rest[:1]
}
