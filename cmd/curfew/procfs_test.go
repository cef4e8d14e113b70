package main

import (
	"bytes"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"
)

// descendants are the processes below pid, from /proc.
func descendants(t *testing.T, pid int) []int {
	t.Helper()
	children := map[int][]int{}
	stats, err := filepath.Glob("/proc/[0-9]*/stat")
	if err != nil {
		t.Fatal(err)
	}
	for _, file := range stats {
		raw, err := os.ReadFile(file)
		if err != nil {
			continue // It has ended.
		}
		fields := strings.Fields(string(raw[bytes.LastIndexByte(raw, ')')+1:]))
		child, _ := strconv.Atoi(filepath.Base(filepath.Dir(file)))
		parent, _ := strconv.Atoi(fields[1])
		children[parent] = append(children[parent], child)
	}
	var all []int
	for queue := []int{pid}; len(queue) > 0; queue = queue[1:] {
		all = append(all, children[queue[0]]...)
		queue = append(queue, children[queue[0]]...)
	}
	return all
}

// alive tells whether the process runs and is no zombie.
func alive(pid int) bool {
	raw, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
	if err != nil {
		return false
	}
	return strings.Fields(string(raw[bytes.LastIndexByte(raw, ')')+1:]))[0] != "Z"
}

// gone waits until none of the processes is left, for at most a limit. It is a
// limit for processes that get a processor when they want one: also who was
// killed waits for its turn to die. What they have waited is added, as the
// kernel counts it.
func gone(t *testing.T, pids []int, limit time.Duration) {
	t.Helper()
	var starved starvation
	for began := time.Now(); ; <-time.After(5 * time.Millisecond) {
		spent := time.Since(began) // Before the look: what is gone by then is gone.
		left := slices.DeleteFunc(slices.Clone(pids), func(pid int) bool { return !alive(pid) })
		if len(left) == 0 {
			return
		}
		starved.look(append(left, os.Getpid()))
		if spent > limit+starved.total {
			t.Fatalf("after %v, %v of it without a processor, there are left %v", spent, starved.total, left)
		}
	}
}

// starvation adds up how long threads of some processes were ready to run and
// had no processor, from the first look on.
type starvation struct {
	last  map[string]time.Duration // by thread
	total time.Duration
}

func (s *starvation) look(pids []int) {
	if s.last == nil {
		s.last = map[string]time.Duration{}
	}
	for _, pid := range pids {
		threads, _ := filepath.Glob(fmt.Sprintf("/proc/%d/task/*/schedstat", pid))
		for _, thread := range threads {
			stat, _ := os.ReadFile(thread)
			var ran, waited time.Duration
			if n, _ := fmt.Sscan(string(stat), &ran, &waited); n != 2 {
				continue // It has ended, or this kernel does not count.
			}
			before, known := s.last[thread]
			s.last[thread] = waited
			if known {
				s.total += waited - before
			}
		}
	}
}
