package revocations

import (
	"strings"
	"testing"
	"time"

	"google.golang.org/protobuf/types/known/durationpb"
	"google.golang.org/protobuf/types/known/timestamppb"

	revocationv1 "github.com/curfew-platform/curfew/proto/gen/curfew/revocation/v1"
)

func TestAViewSaysWhoHoldsALeaseAndHowFresh(t *testing.T) {
	now := time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)
	v := &view{
		at: now, head: 7,
		servers: []*revocationv1.Server{
			{Name: "auth", Incarnation: "AAAAxx", Watermark: 7, Watchers: 2, LeaseUntil: timestamppb.New(now.Add(5 * time.Second)), Answering: true},
			{Name: "auth", Incarnation: "BBBBxx", Watermark: 4, Watchers: 1},
		},
		replicas: []watching{
			{&revocationv1.Replica{ReplicaId: "orders\x1b[2J", Principal: "services/orders", AckedSeq: 5}, "auth/AAAA"},
			{&revocationv1.Replica{ReplicaId: "orders-1", Principal: "services/orders", AckedSeq: 7, AsOf: timestamppb.New(now.Add(-time.Second))}, "auth/BBBB"},
		},
		receipts: []*revocationv1.Receipt{{Seq: 7, Acked: 2, Waited: durationpb.New(1500 * time.Microsecond)}},
	}
	var out strings.Builder
	v.write(&out)
	const want = `03:04:05.0, head of the feed 7

SERVER     WATCHERS  WATERMARK  BEHIND  ROW LEASE  LAPSED
auth/AAAA  2         7          0       5s         0
auth/BBBB  1         4          3       none       0  not asked

REPLICA     PRINCIPAL        AT         ACKED  BEHIND  LEASE  AS OF
orders?[2J  services/orders  auth/AAAA  5      2       none   now
orders-1    services/orders  auth/BBBB  7      0       none   1s ago

RECEIPT  ACKED  EXPIRED  WAITED
7        2      0        1.5ms
`
	if out.String() != want {
		t.Errorf("got:\n%s", out.String())
	}
}
