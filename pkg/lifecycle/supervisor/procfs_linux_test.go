package supervisor

import (
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"
)

// procInfo is a process as /proc shows it.
type procInfo struct {
	pid, ppid, pgrp int
	state           string
	worker, warden  bool // by its command line
}

// alive tells whether the process can still do something.
func (p procInfo) alive() bool { return p.state != "Z" && p.state != "X" }

// processes lists the processes whose environment holds tagVar with this
// value: all descendants of what a test started, wherever they were
// re-parented. A zombie has no environment any more; it is listed if it is a
// child of this process.
func processes(t testing.TB, tag string) []procInfo {
	t.Helper()
	dirs, err := filepath.Glob("/proc/[0-9]*")
	if err != nil {
		t.Fatal(err)
	}
	var list []procInfo
	for _, dir := range dirs {
		stat, err := os.ReadFile(filepath.Join(dir, "stat"))
		if err != nil {
			continue // it has ended meanwhile
		}
		env, _ := os.ReadFile(filepath.Join(dir, "environ"))
		args, _ := os.ReadFile(filepath.Join(dir, "cmdline"))
		p, ok := parseStat(string(stat))
		if !ok {
			t.Fatalf("unknown format of %s/stat: %q", dir, stat)
		}
		p.worker = strings.HasSuffix(string(args), "\x00worker\x00")
		p.warden = string(args) == "supervisor-warden\x00"
		tagged := strings.Contains("\x00"+string(env), "\x00"+tagVar+"="+tag+"\x00")
		if tagged || p.state == "Z" && p.ppid == os.Getpid() {
			list = append(list, p)
		}
	}
	return list
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
				continue // it has ended, or this kernel does not count
			}
			before, known := s.last[thread]
			s.last[thread] = waited
			if known {
				s.total += waited - before
			}
		}
	}
}

// stopped tells whether all threads of a process are stopped, or it is gone.
func stopped(pid int) bool {
	tasks, _ := filepath.Glob(fmt.Sprintf("/proc/%d/task/*/stat", pid))
	for _, task := range tasks {
		stat, err := os.ReadFile(task)
		if err != nil {
			continue
		}
		if p, ok := parseStat(string(stat)); ok && p.alive() && p.state != "T" {
			return false
		}
	}
	return true
}

// parseStat reads pid, state, ppid and pgrp. The second field is the name, in
// parentheses, and may hold anything.
func parseStat(stat string) (procInfo, bool) {
	open, end := strings.IndexByte(stat, '('), strings.LastIndexByte(stat, ')')
	if open < 0 || end < open {
		return procInfo{}, false
	}
	rest := strings.Fields(stat[end+1:])
	if len(rest) < 3 {
		return procInfo{}, false
	}
	pid, err1 := strconv.Atoi(strings.TrimSpace(stat[:open]))
	ppid, err2 := strconv.Atoi(rest[1])
	pgrp, err3 := strconv.Atoi(rest[2])
	return procInfo{pid: pid, ppid: ppid, pgrp: pgrp, state: rest[0]}, err1 == nil && err2 == nil && err3 == nil
}
