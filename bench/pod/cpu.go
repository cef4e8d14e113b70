package pod

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"time"

	"github.com/curfew-platform/curfew/e2e/stand"
)

// tick is the unit of the kernel's accounts, USER_HZ: 10 ms on every Linux that Go runs on.
const tick = 10 * time.Millisecond

// process is one line of the kernel's accounts.
type process struct {
	parent int
	used   time.Duration // by itself and by children that were waited for
}

// processes reads the accounts of all processes.
func processes() (map[int]process, error) {
	files, err := filepath.Glob("/proc/[0-9]*/stat")
	if err != nil || len(files) == 0 {
		return nil, errors.Join(errors.New("figures of pods need /proc"), err)
	}
	all := make(map[int]process, len(files))
	for _, file := range files {
		content, err := os.ReadFile(file)
		if err != nil {
			continue // it has ended
		}
		// The name may hold spaces and ends with the last parenthesis.
		at := bytes.LastIndexByte(content, ')')
		fields := strings.Fields(string(content[at+1:]))
		pid, err := strconv.Atoi(filepath.Base(filepath.Dir(file)))
		if err != nil || len(fields) < 15 {
			return nil, fmt.Errorf("%s: not understood", file)
		}
		p := process{}
		p.parent, _ = strconv.Atoi(fields[1])
		for _, f := range fields[11:15] {
			n, _ := strconv.ParseInt(f, 10, 64)
			p.used += time.Duration(n) * tick
		}
		all[pid] = p
	}
	return all, nil
}

// used is the processor time of a process and of all below it.
func used(root int) (time.Duration, error) {
	all, err := processes()
	if err != nil {
		return 0, err
	}
	var sum time.Duration
	for pid := range all {
		for at := pid; at > 0; at = all[at].parent {
			if at == root {
				sum += all[pid].used
				break
			}
		}
	}
	return sum, nil
}

// server returns the process of the PostgreSQL server, which has to be on this machine.
func server(ctx context.Context, url string) (int, error) {
	conn, err := stand.Connect(ctx, url)
	if err != nil {
		return 0, err
	}
	defer conn.Close(context.WithoutCancel(ctx)) //nolint:errcheck // Nothing is written.
	var backend int
	if err := conn.QueryRow(ctx, "SELECT pg_backend_pid()").Scan(&backend); err != nil {
		return 0, fmt.Errorf("find the server: %w", err)
	}
	all, err := processes()
	if err != nil {
		return 0, err
	}
	name, err := os.ReadFile(fmt.Sprintf("/proc/%d/comm", backend))
	if err != nil || !strings.HasPrefix(string(name), "postgres") {
		return 0, errors.New("figures of pods need a PostgreSQL server on this machine")
	}
	return all[backend].parent, nil
}
