package supervisor

import (
	"errors"
	"testing"
	"time"

	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/types/known/durationpb"

	supervisorv1 "github.com/curfew-platform/curfew/proto/gen/curfew/internalapi/supervisor/v1"
)

type response = supervisorv1.SuperviseResponse

func ready() *response {
	return &response{Message: &supervisorv1.SuperviseResponse_Ready{Ready: &supervisorv1.Ready{}}}
}

func drained() *response {
	return &response{Message: &supervisorv1.SuperviseResponse_Drained{Drained: &supervisorv1.Drained{}}}
}

func bye(reason string) *response {
	return &response{Message: &supervisorv1.SuperviseResponse_Bye{Bye: &supervisorv1.Bye{Reason: reason}}}
}

func heartbeat(h *supervisorv1.Heartbeat) *response {
	return &response{Message: &supervisorv1.SuperviseResponse_Heartbeat{Heartbeat: h}}
}

func TestASessionAcceptsWhatTheProtocolAllowsAndNothingElse(t *testing.T) {
	id := identity{slot: 2, generation: 7}
	greeting := hello(ProtocolVersion, id)
	for _, c := range []struct {
		name string
		said []*response
		err  error // of the last message; the others are fine
	}{
		{"a whole life", []*response{greeting, heartbeat(nil), ready(), heartbeat(&supervisorv1.Heartbeat{InFlight: 1, Progress: 1}), drained(), bye("done")}, nil},
		{"the end of a child that never was ready", []*response{greeting, drained(), bye("")}, nil},
		{"nothing in it", []*response{{}}, ErrProtocol},
		{"nothing in it, later", []*response{greeting, {}}, ErrProtocol},
		{"ready before hello", []*response{ready()}, ErrProtocol},
		{"hello twice", []*response{greeting, greeting}, ErrProtocol},
		{"another version", []*response{hello(ProtocolVersion+1, id)}, ErrVersion},
		{"another slot", []*response{hello(ProtocolVersion, identity{slot: 1, generation: 7})}, ErrProtocol},
		{"another generation", []*response{hello(ProtocolVersion, identity{slot: 2, generation: 6})}, ErrProtocol},
		{"ready twice", []*response{greeting, ready(), ready()}, ErrProtocol},
		{"ready after drained", []*response{greeting, drained(), ready()}, ErrProtocol},
		{"drained twice", []*response{greeting, drained(), drained()}, ErrProtocol},
		{"anything after bye", []*response{greeting, bye(""), heartbeat(nil)}, ErrProtocol},
		{"less than nothing in flight", []*response{greeting, heartbeat(&supervisorv1.Heartbeat{InFlight: -1})}, ErrProtocol},
		{"younger than new", []*response{greeting, heartbeat(&supervisorv1.Heartbeat{Oldest: durationpb.New(-1)})}, ErrProtocol},
		{"an age that is none", []*response{greeting, heartbeat(&supervisorv1.Heartbeat{Oldest: &durationpb.Duration{Nanos: -1, Seconds: 1}})}, ErrProtocol},
		{"the age of nothing", []*response{greeting, heartbeat(&supervisorv1.Heartbeat{Oldest: durationpb.New(1)})}, ErrProtocol},
		{"as much in flight as there is", []*response{greeting, heartbeat(&supervisorv1.Heartbeat{InFlight: 1<<63 - 1, Progress: 1<<63 - 1})}, nil},
		{"progress that falls", []*response{greeting, heartbeat(&supervisorv1.Heartbeat{Progress: 2}), heartbeat(&supervisorv1.Heartbeat{Progress: 1})}, ErrProtocol},
	} {
		t.Run(c.name, func(t *testing.T) {
			s := session{slot: id.slot, generation: id.generation}
			for i, m := range c.said {
				_, err := s.accept(m)
				want := error(nil)
				if i == len(c.said)-1 {
					want = c.err
				}
				if !errors.Is(err, want) {
					t.Errorf("message %d: %v, want %v", i, err, want)
				}
			}
		})
	}
}

func TestTheIdentityOfAChildIsReadBackExactly(t *testing.T) {
	id := identity{slot: 3, generation: 12, heartbeat: 500 * time.Millisecond, orphanGrace: time.Second}
	if got, err := parseIdentity(id.String()); err != nil || got != id {
		t.Errorf("got %v, %v", got, err)
	}
	for _, s := range []string{
		"", "0 1", "0 1 1s", "-1 1 1s 0s", "0 0 1s 0s", "0 1 0s 0s", "0 1 -1s 0s", "0 1 1s -1s", "0 1 1s 0s ", "00 1 1s 0s",
		"0 1 1000ms 0s", "4294967296 1 1s 0s", "0 1 1s 0s 1", "0 1 1s later",
	} {
		if _, err := parseIdentity(s); !errors.Is(err, errIdentity) {
			t.Errorf("%q: %v", s, err)
		}
	}
}

// FuzzSession plays a child that sends whatever it likes: the input is a list
// of messages, each behind a byte with its length. The session never panics,
// never counts backwards, and accepts nothing before a Hello or after a Bye.
func FuzzSession(f *testing.F) {
	id := identity{slot: 2, generation: 7}
	add := func(messages ...*response) {
		var data []byte
		for _, m := range messages {
			b, err := proto.Marshal(m)
			if err != nil {
				f.Fatal(err)
			}
			data = append(append(data, byte(len(b))), b...)
		}
		f.Add(data)
	}
	add(hello(ProtocolVersion, id), ready(), heartbeat(&supervisorv1.Heartbeat{InFlight: 3, Oldest: durationpb.New(time.Second), Progress: 9}), drained(), bye("done"))
	add(ready(), hello(ProtocolVersion, id))
	add(hello(9, id), heartbeat(&supervisorv1.Heartbeat{InFlight: -1}))
	f.Add([]byte("\x04\xff\xff\xff\xff\x00"))
	f.Fuzz(func(t *testing.T, data []byte) {
		s := session{slot: id.slot, generation: id.generation}
		greeted, left := false, false
		var progress int64
		for len(data) > 0 {
			n := min(int(data[0]), len(data)-1)
			var m response
			err := proto.Unmarshal(data[1:1+n], &m)
			data = data[1+n:]
			if err != nil {
				return // gRPC ends the stream
			}
			e, err := s.accept(&m)
			if err != nil {
				if !errors.Is(err, ErrProtocol) && !errors.Is(err, ErrVersion) {
					t.Errorf("an error without a name: %v", err)
				}
				return
			}
			if left || !greeted && e != eventHello {
				t.Errorf("accepted %v, greeted %v, left %v", &m, greeted, left)
			}
			greeted, left = true, e == eventBye
			if s.vitals.progress < progress || s.vitals.inFlight < 0 || s.vitals.oldest < 0 || len(s.reason) > maxByeBytes {
				t.Errorf("after %v: %+v", &m, s)
			}
			progress = s.vitals.progress
		}
	})
}

// FuzzIdentity checks that what is accepted is what String writes.
func FuzzIdentity(f *testing.F) {
	f.Add("0 1 500ms 300ms")
	f.Add("1 9223372036854775807 1h0m0s 0s")
	f.Add("-0 +1 1s 0s")
	f.Fuzz(func(t *testing.T, s string) {
		if id, err := parseIdentity(s); err == nil && id.String() != s {
			t.Errorf("%q became %q", s, id)
		}
	})
}
