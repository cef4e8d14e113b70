package supervisor

import "errors"

// Reason says why a generation of a child ended. The text is stable and meant
// for logs and metrics.
type Reason string

const (
	// ReasonExited is an end that the supervisor did not ask for: the child
	// returned, crashed, or was killed by somebody else.
	ReasonExited Reason = "exited"
	// ReasonStopped is an end that was asked for and came in time.
	ReasonStopped Reason = "stopped"
	// ReasonForced is an end that was asked for and did not come in time.
	ReasonForced Reason = "forced"
	// ReasonStartFailed means that the process could not be started at all.
	ReasonStartFailed Reason = "start failed"
	// ReasonNoHello goes with [ErrNoHello].
	ReasonNoHello Reason = "no hello"
	// ReasonVersion goes with [ErrVersion].
	ReasonVersion Reason = "version mismatch"
	// ReasonProtocol goes with [ErrProtocol].
	ReasonProtocol Reason = "protocol violation"
	// ReasonChannelClosed goes with [ErrChannelClosed].
	ReasonChannelClosed Reason = "channel closed"
	// ReasonNotReady goes with [ErrNotReady].
	ReasonNotReady Reason = "not ready"
	// ReasonRefused goes with an error of [Spec.OnReady].
	ReasonRefused Reason = "refused"
	// ReasonUnresponsive goes with [ErrUnresponsive].
	ReasonUnresponsive Reason = "unresponsive"
	// ReasonStalled goes with [ErrStalled].
	ReasonStalled Reason = "stalled"
)

// Reasons returns every reason, for those who count ends from the beginning.
func Reasons() []Reason {
	return []Reason{
		ReasonExited, ReasonStopped, ReasonForced, ReasonStartFailed, ReasonNoHello, ReasonVersion, ReasonProtocol,
		ReasonChannelClosed, ReasonNotReady, ReasonRefused, ReasonUnresponsive, ReasonStalled,
	}
}

// What a child can do wrong. [Exit.Err] wraps one of them with the details.
var (
	// ErrNoHello means that the child did not identify itself in time.
	ErrNoHello = errors.New("child sent no hello in time")
	// ErrVersion means that the child speaks another version of the protocol.
	ErrVersion = errors.New("child speaks another version of the control protocol")
	// ErrProtocol means that the child sent something that is not the protocol.
	ErrProtocol = errors.New("child violated the control protocol")
	// ErrChannelClosed means that the child closed its channel and lived on.
	ErrChannelClosed = errors.New("child closed its control channel")
	// ErrNotReady means that the child was not ready in time.
	ErrNotReady = errors.New("child was not ready in time")
	// ErrUnresponsive means that heartbeats are missing.
	ErrUnresponsive = errors.New("child sends no heartbeats")
	// ErrStalled means that work is in flight and none of it gets finished.
	ErrStalled = errors.New("child makes no progress")
	// ErrIntensity means that children died more often than the policy allows.
	// It stops the group.
	ErrIntensity = errors.New("children die more often than the restart policy allows")
	// ErrOrphaned is the cause of a child's stop after its parent died.
	ErrOrphaned = errors.New("supervisor died")
	// ErrNotChild is returned by [Attach] in a process that no supervisor started.
	ErrNotChild = errors.New("process is not the child of a supervisor")
	// ErrNoSlot means that there is no slot of that number.
	ErrNoSlot = errors.New("no such slot")
	// ErrStopping means that the supervisor is being stopped.
	ErrStopping = errors.New("supervisor is stopping")
)
