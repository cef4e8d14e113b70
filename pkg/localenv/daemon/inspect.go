package daemon

import (
	"bytes"
	"context"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strconv"
	"strings"
	"time"
)

// CommandLine returns the command line of a live process, its arguments joined
// by blanks, and the empty string when there is no such process or it is a
// zombie.
func CommandLine(pid int) string {
	if runtime.GOOS != "linux" {
		return ask(pid, "command=")
	}
	raw, err := os.ReadFile(filepath.Join("/proc", strconv.Itoa(pid), "cmdline"))
	if err != nil {
		return ""
	}
	return strings.TrimSpace(strings.ReplaceAll(string(raw), "\x00", " "))
}

// birth returns a text that tells two processes with the same id apart, empty
// when there is no such process.
func birth(pid int) string {
	if runtime.GOOS != "linux" {
		return ask(pid, "lstart=")
	}
	raw, err := os.ReadFile(filepath.Join("/proc", strconv.Itoa(pid), "stat"))
	if err != nil {
		return ""
	}
	// The program's name, in parentheses, may hold blanks: count after it.
	// Field 22 of proc(5) is the start time in clock ticks since boot.
	fields := strings.Fields(string(raw[bytes.LastIndexByte(raw, ')')+1:]))
	const startTime, state = 22 - 3, 0
	if len(fields) <= startTime || fields[state] == "Z" {
		return ""
	}
	return fields[startTime]
}

// ask reads one column of ps, on systems without /proc.
func ask(pid int, column string) string {
	ctx, cancel := context.WithTimeout(context.Background(), 5*time.Second)
	defer cancel()
	out, err := exec.CommandContext(ctx, "ps", "-o", column, "-p", strconv.Itoa(pid)).Output()
	if err != nil {
		return ""
	}
	return strings.TrimSpace(string(out))
}
