package lifecycle

import "fmt"

// Phase is one step of the stop. The six phases are fixed and run in the order of their numbers; parts start in the
// reverse order, so that what is closed last is there first.
type Phase int

const (
	// Announce tells the world that this process is going away while it still serves: readiness and health turn
	// negative, then the group waits until the news has spread (WithPropagation).
	Announce Phase = iota + 1
	// IntakeOff stops new work from coming in: listeners close, GOAWAY, polls are cancelled.
	IntakeOff
	// Drain waits for work that was admitted: calls in flight, batches, goroutines of [Group.Go].
	Drain
	// Commit makes the results durable: flushes, offsets, outbox.
	Commit
	// Leave hands back what others wait for: group memberships, leases, watchers.
	Leave
	// Close releases what everything before needed: clients, pools, children.
	Close
)

const phaseCount = int(Close)

// phases lists the phases in the order of the stop.
var phases = [phaseCount]Phase{Announce, IntakeOff, Drain, Commit, Leave, Close}

var phaseNames = [phaseCount]string{"announce", "intake off", "drain", "commit", "leave", "close"}

// String returns the name used in reports, for example "intake off".
func (p Phase) String() string {
	if !p.valid() {
		return fmt.Sprintf("phase(%d)", int(p))
	}
	return phaseNames[p-1]
}

// MarshalText writes the name, so that a report reads "intake off" and not 2.
func (p Phase) MarshalText() ([]byte, error) {
	if !p.valid() {
		return nil, fmt.Errorf("lifecycle: no such phase: %d", int(p))
	}
	return []byte(p.String()), nil
}

// UnmarshalText reads a name written by [Phase.MarshalText].
func (p *Phase) UnmarshalText(text []byte) error {
	for i, name := range phaseNames {
		if name == string(text) {
			*p = phases[i]
			return nil
		}
	}
	return fmt.Errorf("lifecycle: no such phase: %.40q", text)
}

func (p Phase) valid() bool { return p >= Announce && p <= Close }

// hurried reports whether a second signal ends the phase at once, with no regard to its floor.
func (p Phase) hurried() bool { return p == Announce || p == Drain }
