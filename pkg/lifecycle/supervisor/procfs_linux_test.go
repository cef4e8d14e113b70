package supervisor

import (
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
)

// procInfo is a process as /proc shows it.
type procInfo struct {
	pid, ppid, pgrp int
	state           string
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
		p, ok := parseStat(string(stat))
		if !ok {
			t.Fatalf("unknown format of %s/stat: %q", dir, stat)
		}
		tagged := strings.Contains("\x00"+string(env), "\x00"+tagVar+"="+tag+"\x00")
		if tagged || p.state == "Z" && p.ppid == os.Getpid() {
			list = append(list, p)
		}
	}
	return list
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
