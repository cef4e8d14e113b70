package revocationpb_test

import (
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/types/known/durationpb"
	"google.golang.org/protobuf/types/known/timestamppb"

	"github.com/curfew-platform/curfew/pkg/interceptors/revocation"
	"github.com/curfew-platform/curfew/pkg/interceptors/revocation/internal/revocationpb"
	"github.com/curfew-platform/curfew/pkg/interceptors/revocation/message"
	revocationv1 "github.com/curfew-platform/curfew/proto/gen/curfew/revocation/v1"
)

var (
	keep  = time.Date(2026, 1, 2, 3, 4, 5, 6000, time.UTC)
	rules = []revocation.Rule{
		{Seq: 1, Kind: revocation.KindToken, Issuer: "iss", ID: "jti", KeepUntil: keep},
		{Seq: 2, Kind: revocation.KindSession, Issuer: "iss", ID: "sid", KeepUntil: keep},
		{Seq: 3, Kind: revocation.KindSubjectEpoch, Issuer: "iss", ID: "sub", Epoch: 9, KeepUntil: keep},
		{Seq: 4, Kind: revocation.KindSubjectBlock, Issuer: "iss", ID: "sub", Until: keep.Add(-time.Hour), KeepUntil: keep},
		{Seq: 5, Kind: revocation.KindKey, Issuer: "iss", ID: "kid", KeepUntil: keep},
		{Seq: 6, Kind: revocation.KindIssuer, Issuer: "iss", KeepUntil: keep},
	}
)

func TestWhatIsSentIsWhatArrives(t *testing.T) {
	for _, want := range []message.Response{
		message.Snapshot{Generation: "g", HeadSeq: 6, Rules: rules, More: true},
		message.Events{Generation: "g", Rules: rules, Seq: 6},
		message.Grant{Nonce: 1<<64 - 1, TTL: time.Second, Generation: "g"},
		message.Move{},
	} {
		wire, err := revocationpb.FromResponse(want)
		if err != nil {
			t.Fatal(err)
		}
		got, err := revocationpb.ToResponse(over(t, wire, &revocationv1.WatchRevocationsResponse{}))
		if diff := cmp.Diff(want, got); err != nil || diff != "" {
			t.Error(err, diff)
		}
	}
	for _, want := range []message.Request{
		message.Hello{ReplicaID: "r", Incarnation: "i", LastSeq: 7, Generation: "g"},
		message.Renew{Nonce: 3, AppliedSeq: 4, Generation: "g"},
		message.Leave{},
	} {
		wire, err := revocationpb.FromRequest(want)
		if err != nil {
			t.Fatal(err)
		}
		got, err := revocationpb.ToRequest(over(t, wire, &revocationv1.WatchRevocationsRequest{}))
		if diff := cmp.Diff(want, got); err != nil || diff != "" {
			t.Error(err, diff)
		}
	}
}

func over[M proto.Message](t *testing.T, m, into M) M {
	t.Helper()
	raw, err := proto.Marshal(m)
	if err != nil {
		t.Fatal(err)
	}
	if err := proto.Unmarshal(raw, into); err != nil {
		t.Fatal(err)
	}
	return into
}

// TestARuleThatIsNotUnderstood: a server may be newer. What cannot be applied
// must not be acknowledged.
func TestARuleThatIsNotUnderstoodCompletelyIsAnError(t *testing.T) {
	good := func() *revocationv1.Rule { return revocationpb.FromRule(rules[2]) }
	for name, spoil := range map[string]func(*revocationv1.Rule){
		"an unknown target":     func(r *revocationv1.Rule) { r.Target = nil },
		"no issuer":             func(r *revocationv1.Rule) { r.Issuer = "" },
		"no keep-until":         func(r *revocationv1.Rule) { r.KeepUntil = nil },
		"an invalid keep-until": func(r *revocationv1.Rule) { r.KeepUntil = &timestamppb.Timestamp{Nanos: -1} },
		"an empty subject":      func(r *revocationv1.Rule) { r.Target = &revocationv1.Rule_SubjectEpoch{} },
		"all tokens, not":       func(r *revocationv1.Rule) { r.Target = &revocationv1.Rule_AllTokens{} },
		"a block without end": func(r *revocationv1.Rule) {
			r.Target = &revocationv1.Rule_SubjectBlock{SubjectBlock: &revocationv1.SubjectBlock{Subject: "s"}}
		},
	} {
		r := good()
		spoil(r)
		wire := &revocationv1.WatchRevocationsResponse{Message: &revocationv1.WatchRevocationsResponse_Events{
			Events: &revocationv1.Events{Rules: []*revocationv1.Rule{r}},
		}}
		if m, err := revocationpb.ToResponse(wire); err == nil {
			t.Errorf("%s: %+v", name, m)
		}
	}
	if _, err := revocationpb.ToResponse(&revocationv1.WatchRevocationsResponse{}); err == nil {
		t.Error("an unknown message is no error")
	}
	if _, err := revocationpb.ToRequest(nil); err == nil {
		t.Error("no message is no error")
	}
	if _, err := revocationpb.ToResponse(&revocationv1.WatchRevocationsResponse{Message: &revocationv1.WatchRevocationsResponse_Grant{
		Grant: &revocationv1.Grant{Ttl: &durationpb.Duration{Seconds: 1, Nanos: -1}},
	}}); err == nil {
		t.Error("an invalid length is no error")
	}
}

func FuzzResponse(f *testing.F) {
	for _, m := range []message.Response{message.Snapshot{Generation: "g", Rules: rules}, message.Grant{Nonce: 1, TTL: 1}, message.Move{}} {
		wire, err := revocationpb.FromResponse(m)
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
		var wire revocationv1.WatchRevocationsResponse
		if proto.Unmarshal(raw, &wire) != nil {
			return
		}
		m, err := revocationpb.ToResponse(&wire)
		if err != nil {
			return
		}
		var got []revocation.Rule
		switch m := m.(type) {
		case message.Snapshot:
			got = m.Rules
		case message.Events:
			got = m.Rules
		}
		for _, r := range got {
			if err := r.Validate(); err != nil {
				t.Errorf("accepted %+v: %v", r, err)
			}
		}
		(*revocation.Set)(nil).With(got...)
	})
}
