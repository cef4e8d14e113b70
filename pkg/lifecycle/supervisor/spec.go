package supervisor

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"runtime"
	"slices"
	"syscall"
	"time"

	"github.com/curfew-platform/curfew/pkg/lifecycle"
)

// Spec describes children that are all the same but for their slot.
type Spec struct {
	// Name is unique in the group; it names the parts, the children and their
	// log lines. At most 80 bytes. Required.
	Name string
	// Slots is how many children run; default 1.
	Slots int

	// Path is the program; "" is the running binary itself, the very file that
	// was started even if another one has taken its path since.
	Path string
	// Args are the arguments after the name of the program.
	Args []string
	// Env is the environment; nil is that of the parent. Of two variables of
	// one name the later counts. What a service manager told the parent and
	// nobody else is left out: NOTIFY_SOCKET, WATCHDOG_* and LISTEN_*.
	Env []string
	// Dir is the working directory; "" is that of the parent.
	Dir string
	// Credential runs the children as somebody else, for programs that refuse
	// to run as root.
	Credential *syscall.Credential

	// MemoryLimit sets GOMEMLIMIT, in bytes; 0 leaves it alone.
	MemoryLimit int64
	// MaxProcs sets GOMAXPROCS; 0 leaves it alone. [Share] divides the parent's
	// own number among the slots, rounded up.
	MaxProcs int
	// LimitData is RLIMIT_DATA in bytes; 0 is no limit. A Go program that
	// reaches it dies with exit status 2. Linux only.
	LimitData int64
	// Rlimits are other limits, such as those for open files or core dumps.
	// They and LimitData are set from outside by prlimit(2), right after the
	// program was loaded: its first instructions may run without them, what it
	// starts later has them. A hard limit above the parent's,
	// and any limit together with Credential, need CAP_SYS_RESOURCE. If one can't be set the child is killed and the start
	// fails. Linux only.
	Rlimits []Rlimit

	// Plain children have no control channel: a foreign program, or one that
	// does not call [Attach].
	Plain bool
	// Ready is polled, 50 ms apart, until it returns nil; then a plain child is
	// ready. nil means ready at once. Each call gets a context of at most 5 s.
	Ready func(ctx context.Context) error
	// StopSignal asks a plain child to stop; default SIGTERM.
	StopSignal syscall.Signal
	// DeathSignal is what the kernel sends to a child when the parent dies;
	// default SIGKILL for plain children. PostgreSQL wants SIGQUIT. It reaches
	// the child alone, not its descendants. Children with a channel see the end
	// of that; their default is SIGHUP, which ends them before they attach and
	// not after. It can't be SIGTERM: the kernel repeats the signal as the
	// threads of the parent die one by one, and a group takes the second for
	// the end of Drain and the third for the order to skip Commit. Linux only.
	DeathSignal syscall.Signal

	// OrphanGrace is how long children go on stopping after the parent died,
	// before their process groups get SIGKILL; default 300 ms. A tree of
	// supervised children takes the sum over its levels. Linux only for plain
	// children and for those that did not attach.
	OrphanGrace time.Duration

	// OnReady is called once for each generation of a child with a channel,
	// when it has said that it is ready. The child counts as ready when it
	// returns nil; an error ends the generation with [ReasonRefused]. Its
	// context ends with the generation; OnReady must return soon after.
	OnReady func(ctx context.Context, child Child) error
	// OnExit is called exactly once for each generation that was tried, after
	// its OnReady has returned and the process was reaped, and before the slot
	// is started again. Calls for different slots overlap.
	OnExit func(exit Exit)

	// Restart says when a child that ended is started again.
	Restart RestartPolicy

	// StopPhase is the phase in which the children stop. The default,
	// [lifecycle.IntakeOff], tells them Drain in that phase, awaits and
	// escalates in [lifecycle.Drain], and reaps what is left in
	// [lifecycle.Close]. With any other phase all of it happens in that one:
	// Leave and Close suit servers that the other children depend on. Children
	// start when the phase in which they are awaited starts.
	StopPhase lifecycle.Phase
	// StopTimeout bounds Drain where no phase does: in [Supervisor.Stop],
	// [Supervisor.Restart], and after a violation; default 10 s.
	StopTimeout time.Duration
	// TermTimeout is the time between SIGTERM and SIGQUIT; default 1 s.
	TermTimeout time.Duration
	// QuitTimeout is the time between SIGQUIT and SIGKILL; default 1 s. If the
	// phase is too short both shrink, so that half of it is left for Drain.
	QuitTimeout time.Duration

	// HelloTimeout bounds the time from start to Hello; default 5 s.
	HelloTimeout time.Duration
	// ReadyTimeout bounds the time from start to ready; default 60 s.
	ReadyTimeout time.Duration
	// Heartbeat is how often a child sends one; default 500 ms.
	Heartbeat time.Duration
	// HeartbeatTimeout is how long heartbeats may be missing; default 10 s.
	// Time in which the parent itself was stopped doesn't count.
	HeartbeatTimeout time.Duration
	// ProgressTimeout is how long a child may have work in flight without
	// finishing any of it; default 60 s, negative means for ever. It matters
	// only for children that call [Agent.SetProgress].
	ProgressTimeout time.Duration
	// OldestTimeout is how old the oldest unit in flight may become; default 0,
	// for ever. It finds the one unit that is stuck while others get finished,
	// and a child whose counter rises without work. It matters only for children
	// that call [Agent.SetOldest].
	OldestTimeout time.Duration

	// Log takes the supervisor's own lines and the children's output; default
	// [slog.Default]. A line that is a JSON object with "msg" keeps its level,
	// time and attributes; any other becomes the attribute "line". All carry
	// the group "child": name, slot, generation, pid. Lines above 64 KiB are
	// logged in pieces. More than 1 MiB/s for a child, after the first 8 MiB,
	// is dropped and counted, so that a flood neither blocks the child nor
	// fills a disk. A handler that blocks does block the children's writes.
	Log *slog.Logger
}

const maxNameBytes = 80

// Share as [Spec.MaxProcs] gives each child its part of the parent's GOMAXPROCS.
const Share = -1

// Rlimit bounds a resource of a process; see getrlimit(2).
type Rlimit struct {
	// Resource is one of the RLIMIT constants of package syscall or unix.
	Resource int
	// Soft is what counts, Hard the most that the child may raise it to.
	Soft, Hard uint64
}

// complete checks the spec and fills in the defaults.
func (s Spec) complete() (Spec, error) {
	var err error
	switch {
	case s.Name == "" || len(s.Name) > maxNameBytes:
		return s, fmt.Errorf("supervisor: name %.20q must have 1 to %d bytes", s.Name, maxNameBytes)
	case s.Slots < 0 || s.MaxProcs < Share || s.MemoryLimit < 0 || s.LimitData < 0:
		return s, s.refuse(errors.New("a number is negative"))
	case s.Plain && s.OnReady != nil:
		return s, s.refuse(errors.New("plain children have no OnReady"))
	case !s.Plain && (s.Ready != nil || s.StopSignal != 0):
		return s, s.refuse(errors.New("Ready and StopSignal are for plain children"))
	}
	for _, d := range []time.Duration{
		s.StopTimeout, s.TermTimeout, s.QuitTimeout, s.HelloTimeout,
		s.ReadyTimeout, s.Heartbeat, s.HeartbeatTimeout, s.OrphanGrace, s.OldestTimeout,
	} {
		if d < 0 {
			return s, s.refuse(errors.New("a time is negative"))
		}
	}
	for _, limit := range s.Rlimits {
		if limit.Soft > limit.Hard {
			return s, s.refuse(fmt.Errorf("limit of resource %d: soft is above hard", limit.Resource))
		}
	}
	s.Slots = max(s.Slots, 1)
	if s.MaxProcs == Share {
		s.MaxProcs = (runtime.GOMAXPROCS(0) + s.Slots - 1) / s.Slots
	}
	s.Args, s.Env, s.Rlimits = slices.Clone(s.Args), slices.Clone(s.Env), slices.Clone(s.Rlimits)
	if s.Env == nil {
		s.Env = os.Environ()
	}
	if s.Path == "" {
		if s.Path, err = self(); err != nil {
			return s, s.refuse(err)
		}
	}
	if s.Restart, err = s.Restart.complete(s.Slots); err != nil {
		return s, s.refuse(err)
	}
	s.completeSignals()
	s.completeTimes()
	if s.StopPhase == 0 {
		s.StopPhase = lifecycle.IntakeOff
	}
	if s.Log == nil {
		s.Log = slog.Default() //nolint:forbidigo // documented: what a spec without a logger gets
	}
	return s, nil
}

func (s *Spec) refuse(err error) error { return fmt.Errorf("supervisor %q: %w", s.Name, err) }

func (s *Spec) completeSignals() {
	if s.StopSignal == 0 {
		s.StopSignal = syscall.SIGTERM
	}
	if s.DeathSignal == 0 {
		s.DeathSignal = syscall.SIGHUP
		if s.Plain {
			s.DeathSignal = syscall.SIGKILL
		}
	}
}

func (s *Spec) completeTimes() {
	for _, v := range []struct {
		d        *time.Duration
		fallback time.Duration
	}{
		{&s.StopTimeout, 10 * time.Second},
		{&s.TermTimeout, time.Second},
		{&s.QuitTimeout, time.Second},
		{&s.HelloTimeout, 5 * time.Second},
		{&s.ReadyTimeout, time.Minute},
		{&s.Heartbeat, 500 * time.Millisecond},
		{&s.HeartbeatTimeout, 10 * time.Second},
		{&s.ProgressTimeout, time.Minute},
		{&s.OrphanGrace, defaultOrphanGrace},
	} {
		if *v.d == 0 {
			*v.d = v.fallback
		}
	}
}
