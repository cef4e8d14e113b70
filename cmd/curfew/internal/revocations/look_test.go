package revocations

import (
	"testing"
	"time"

	"google.golang.org/protobuf/types/known/durationpb"
	"google.golang.org/protobuf/types/known/timestamppb"

	revocationv1 "github.com/curfew-platform/curfew/proto/gen/curfew/revocation/v1"
)

func TestWhatSeveralServersTellIsShownOnceAndAsFreshAsItIsKnown(t *testing.T) {
	now := time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)
	replica := func(id, server string, acked int64, asOf time.Duration) watching {
		r := &revocationv1.Replica{ReplicaId: id, Incarnation: id, Principal: "services/orders", Server: server, AckedSeq: acked}
		if asOf > 0 {
			r.AsOf = timestamppb.New(now.Add(-asOf))
		}
		return watching{Replica: r}
	}
	receipt := func(seq int64, waited time.Duration) *revocationv1.Receipt {
		return &revocationv1.Receipt{Seq: seq, Acked: 2, Waited: durationpb.New(waited)}
	}
	v := &view{
		servers: []*revocationv1.Server{{Name: "auth", Incarnation: "AAAA"}, {Name: "auth", Incarnation: "BBBB"}},
		replicas: []watching{
			replica("b", "BBBB", 1, 2*time.Second), replica("a", "AAAA", 3, 0), replica("b", "BBBB", 2, time.Second),
			replica("a", "AAAA", 2, time.Second), replica("a", "BBBB", 1, time.Second), replica("c", "CCCC", 1, time.Second),
		},
		receipts: []*revocationv1.Receipt{receipt(1, 1), receipt(2, 1), receipt(1, 1), receipt(2, 2)},
	}
	v.settle()
	type row struct {
		id, at string
		acked  int64
	}
	want := []row{{"a", "auth/AAAA", 3}, {"a", "auth/BBBB", 1}, {"b", "auth/BBBB", 2}, {"c", "gone", 1}}
	if len(v.replicas) != len(want) {
		t.Fatalf("%d replicas", len(v.replicas))
	}
	for i, r := range v.replicas {
		if got := (row{r.GetReplicaId(), r.server, r.GetAckedSeq()}); got != want[i] {
			t.Errorf("%d: %v, want %v", i, got, want[i])
		}
	}
	if len(v.receipts) != 3 || v.receipts[0].GetSeq() != 2 || v.receipts[2].GetSeq() != 1 {
		t.Errorf("receipts %v", v.receipts)
	}
}
