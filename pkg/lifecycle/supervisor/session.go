package supervisor

import (
	"fmt"
	"strings"
	"time"

	supervisorv1 "github.com/curfew-platform/curfew/proto/gen/curfew/internalapi/supervisor/v1"
)

// maxByeBytes is what is kept of the reason in a Bye.
const maxByeBytes = 1024

// event is what one message of the child means to the supervisor.
type event int

const (
	eventHello event = iota + 1
	eventReady
	eventHeartbeat
	eventDrained
	eventBye
)

// vitals are the figures of a heartbeat.
type vitals struct {
	inFlight int64
	oldest   time.Duration
	progress int64
}

// session checks what a child says, message by message. It trusts nothing: the
// child may run any program.
type session struct {
	slot       int
	generation int64

	hello, ready, drained, bye bool
	vitals                     vitals
	reason                     string
}

// accept returns what a message means, or an error that wraps [ErrProtocol] or
// [ErrVersion] and ends the session.
func (s *session) accept(m *supervisorv1.SuperviseResponse) (event, error) {
	hello, isHello := m.GetMessage().(*supervisorv1.SuperviseResponse_Hello)
	switch {
	case s.bye:
		return 0, fmt.Errorf("%w: message after bye", ErrProtocol)
	case isHello:
		return eventHello, s.greet(hello.Hello)
	case !s.hello:
		return 0, fmt.Errorf("%w: first message is not hello", ErrProtocol)
	}
	switch m := m.GetMessage().(type) {
	case *supervisorv1.SuperviseResponse_Ready:
		if s.ready || s.drained {
			return 0, fmt.Errorf("%w: ready at the wrong time", ErrProtocol)
		}
		s.ready = true
		return eventReady, nil
	case *supervisorv1.SuperviseResponse_Heartbeat:
		return eventHeartbeat, s.beat(m.Heartbeat)
	case *supervisorv1.SuperviseResponse_Drained:
		if s.drained {
			return 0, fmt.Errorf("%w: drained twice", ErrProtocol)
		}
		s.drained = true
		return eventDrained, nil
	case *supervisorv1.SuperviseResponse_Bye:
		reason := m.Bye.GetReason()
		s.bye, s.reason = true, strings.ToValidUTF8(reason[:min(len(reason), maxByeBytes)], "")
		return eventBye, nil
	default:
		return 0, fmt.Errorf("%w: unknown or empty message", ErrProtocol)
	}
}

func (s *session) greet(m *supervisorv1.Hello) error {
	switch {
	case s.hello:
		return fmt.Errorf("%w: hello twice", ErrProtocol)
	case m.GetVersion() != ProtocolVersion:
		return fmt.Errorf("%w: it speaks %d, this is %d", ErrVersion, m.GetVersion(), ProtocolVersion)
	case int(m.GetSlot()) != s.slot || m.GetGeneration() != s.generation:
		return fmt.Errorf("%w: hello of slot %d generation %d, want slot %d generation %d",
			ErrProtocol, m.GetSlot(), m.GetGeneration(), s.slot, s.generation)
	}
	s.hello = true
	return nil
}

func (s *session) beat(m *supervisorv1.Heartbeat) error {
	v := vitals{inFlight: m.GetInFlight(), progress: m.GetProgress()}
	if oldest := m.GetOldest(); oldest != nil {
		if err := oldest.CheckValid(); err != nil {
			return fmt.Errorf("%w: heartbeat: %w", ErrProtocol, err)
		}
		v.oldest = oldest.AsDuration()
	}
	switch {
	case v.inFlight < 0 || v.oldest < 0:
		return fmt.Errorf("%w: heartbeat with a negative number", ErrProtocol)
	case v.inFlight == 0 && v.oldest > 0:
		return fmt.Errorf("%w: heartbeat with the age of nothing", ErrProtocol)
	case v.progress < s.vitals.progress:
		return fmt.Errorf("%w: progress fell from %d to %d", ErrProtocol, s.vitals.progress, v.progress)
	}
	s.vitals = v
	return nil
}
