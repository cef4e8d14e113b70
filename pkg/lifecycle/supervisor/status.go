package supervisor

import "time"

// State is where a slot stands.
type State int

const (
	// StateIdle is a slot that was not started yet.
	StateIdle State = iota
	// StateStarting is a child that runs and is not ready.
	StateStarting
	// StateReady is a child that may be given work.
	StateReady
	// StateStopping is a child that was told to stop.
	StateStopping
	// StateBackoff is a slot that waits for its next start.
	StateBackoff
	// StateStopped is a slot that is not started again by itself.
	StateStopped
)

// String returns the state in lower case.
func (s State) String() string {
	return [...]string{"idle", "starting", "ready", "stopping", "backoff", "stopped"}[s]
}

// Status is a slot at one moment.
type Status struct {
	// Name is [Spec.Name].
	Name string
	// Slot counts from 0.
	Slot int
	// Pid is 0 if no process runs.
	Pid int
	// Generation counts the starts, from 1; 0 before the first.
	Generation int64
	// State is where the slot stands.
	State State
	// InFlight is what the last heartbeat said.
	InFlight int64
	// Oldest is the age of the oldest unit in flight, as of the last heartbeat.
	Oldest time.Duration
	// Progress is the counter of the last heartbeat.
	Progress int64
	// Heartbeat is when the child was last heard of; zero if never.
	Heartbeat time.Time
	// Drained tells that the child has said that nothing is in flight any more.
	Drained bool
	// LastExit is the end of the generation before; nil if there was none.
	LastExit *Exit
}
