package revocationpb_test

import (
	"testing"

	"google.golang.org/protobuf/proto"

	"github.com/curfew-platform/curfew/pkg/interceptors/revocation/internal/revocationpb"
	"github.com/curfew-platform/curfew/pkg/interceptors/revocation/message"
	revocationv1 "github.com/curfew-platform/curfew/proto/gen/curfew/revocation/v1"
)

// FuzzRequest feeds what a watcher may send: what is understood is understood
// once, so the way there and back changes nothing.
func FuzzRequest(f *testing.F) {
	for _, m := range []message.Request{
		message.Hello{ReplicaID: "r", Incarnation: "i", LastSeq: -1, Generation: "g"},
		message.Renew{Nonce: 1<<64 - 1, AppliedSeq: 1<<63 - 1, Generation: "g"},
		message.Leave{},
	} {
		wire, err := revocationpb.FromRequest(m)
		if err != nil {
			f.Fatal(err)
		}
		raw, err := proto.Marshal(wire)
		if err != nil {
			f.Fatal(err)
		}
		f.Add(raw)
	}
	f.Fuzz(func(t *testing.T, raw []byte) {
		var wire revocationv1.WatchRevocationsRequest
		if proto.Unmarshal(raw, &wire) != nil {
			return
		}
		m, err := revocationpb.ToRequest(&wire)
		if err != nil {
			return
		}
		back, err := revocationpb.FromRequest(m)
		if err != nil {
			t.Fatalf("%+v was understood and cannot be said: %v", m, err)
		}
		if again, err := revocationpb.ToRequest(back); err != nil || again != m {
			t.Fatalf("%+v became %+v, %v", m, again, err)
		}
	})
}
