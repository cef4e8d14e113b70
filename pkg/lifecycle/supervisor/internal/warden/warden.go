// Package warden ends the process groups of children whose parent was killed.
//
// A child with a control channel sees the death of its parent and ends itself.
// A child that is killed in the same moment, is stopped, or never heard of this
// protocol does not, and what it has started lives on. The warden is a small
// process beside the parent, a re-exec of the same binary that goes no further
// than this package's initialisation. It knows the groups of the parent's
// children and waits for the end of a pipe that only the parent holds open. Then
// it wakes the groups, gives each its time, and kills what is left.
//
// Elsewhere than on Linux, and beside PID 1, whose namespace ends with it, there
// is none.
package warden

import (
	"bufio"
	"fmt"
	"io"
	"strings"
	"time"
)

// look is the time between two looks whether the groups are gone.
const look = 20 * time.Millisecond

// spare is how much longer than its time a group is left alone, so that who ends
// in order is not cut off.
const spare = 100 * time.Millisecond

// group is a process group that the warden can still signal.
type group interface {
	// wake continues whoever is stopped.
	wake()
	// gone tells whether nobody is left.
	gone() bool
	// kill ends all.
	kill()
	// free forgets the group.
	free()
}

// charge is a group and the time it has after the death of the parent.
type charge struct {
	group

	grace time.Duration
}

// watch follows what the parent writes to its end, which is the parent's death,
// and ends the groups that are left then. Lines are "+PGID NANOSECONDS" and
// "-PGID"; an odd one is skipped, for nobody is there to be told.
func watch(parent io.Reader, open func(pgid int) group) {
	charges := map[int]charge{}
	forget := func(pgid int) {
		if c, ok := charges[pgid]; ok {
			c.free()
			delete(charges, pgid)
		}
	}
	lines := bufio.NewScanner(parent)
	for lines.Scan() {
		var pgid int
		var grace time.Duration
		if n, _ := fmt.Sscanf(lines.Text(), "+%d %d", &pgid, &grace); n == 2 && pgid > 1 && grace >= 0 {
			forget(pgid)
			charges[pgid] = charge{group: open(pgid), grace: grace}
			continue
		}
		if n, _ := fmt.Sscanf(lines.Text(), "-%d", &pgid); n == 1 && strings.HasPrefix(lines.Text(), "-") {
			forget(pgid)
		}
	}
	finish(charges)
}

// finish ends the groups, and returns as soon as none is left.
func finish(charges map[int]charge) {
	death := time.Now()
	for _, c := range charges {
		c.wake()
	}
	for {
		for pgid, c := range charges {
			late := time.Since(death) >= c.grace+spare
			if late {
				c.kill()
			}
			if late || c.gone() {
				c.free()
				delete(charges, pgid)
			}
		}
		if len(charges) == 0 {
			return
		}
		<-time.After(look)
	}
}
