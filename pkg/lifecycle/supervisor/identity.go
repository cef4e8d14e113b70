package supervisor

import (
	"errors"
	"fmt"
	"os"
	"strconv"
	"strings"
	"syscall"
	"time"
)

// identityVar tells a child who it is. It is not a secret: the channel is the
// inherited descriptor, the variable only says that there is one.
const identityVar = "CURFEW_SUPERVISOR_CHILD"

// channelFD is where a child finds its end of the channel.
const channelFD = 3

// ProtocolVersion is the version of curfew.internal.supervisor.v1 that this
// package speaks. Parent and child must agree.
const ProtocolVersion = 1

// errIdentity means that the variable does not have the form that String gives it.
var errIdentity = errors.New("malformed " + identityVar)

// identity is what a child is told at its start.
type identity struct {
	slot        int
	generation  int64
	heartbeat   time.Duration
	orphanGrace time.Duration
}

// String returns the value of identityVar.
func (id identity) String() string {
	return fmt.Sprintf("%d %d %s %s", id.slot, id.generation, id.heartbeat, id.orphanGrace)
}

// parseIdentity is the inverse of String; it accepts nothing else.
func parseIdentity(s string) (identity, error) {
	fields := strings.Split(s, " ")
	if len(fields) != 4 {
		return identity{}, errIdentity
	}
	slot, err1 := strconv.ParseInt(fields[0], 10, 32)
	generation, err2 := strconv.ParseInt(fields[1], 10, 64)
	heartbeat, err3 := time.ParseDuration(fields[2])
	grace, err4 := time.ParseDuration(fields[3])
	if err := errors.Join(err1, err2, err3, err4); err != nil {
		return identity{}, fmt.Errorf("%w: %w", errIdentity, err)
	}
	id := identity{slot: int(slot), generation: generation, heartbeat: heartbeat, orphanGrace: grace}
	if slot < 0 || generation < 1 || heartbeat <= 0 || grace < 0 || id.String() != s {
		return identity{}, errIdentity
	}
	return id, nil
}

// inherited is who this process is, as its parent said. It is read when the
// program is initialised, before anything can start a process that would
// inherit the variable and the descriptor, and so keep the channel open.
var inherited = inherit()

type inheritance struct {
	identity

	present bool
	err     error
}

func inherit() inheritance {
	value, ok := os.LookupEnv(identityVar)
	if !ok {
		return inheritance{}
	}
	_ = os.Unsetenv(identityVar)
	syscall.CloseOnExec(channelFD)
	id, err := parseIdentity(value)
	return inheritance{identity: id, present: true, err: err}
}

// IsChild tells whether a supervisor started this process with a control
// channel, so that it should call [Attach].
func IsChild() bool { return inherited.present }
