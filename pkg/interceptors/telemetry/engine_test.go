package telemetry_test

import (
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	sdkmetric "go.opentelemetry.io/otel/sdk/metric"

	"github.com/curfew-platform/curfew/pkg/interceptors/revocation/feed"
	"github.com/curfew-platform/curfew/pkg/interceptors/telemetry"
)

type engine struct{}

func (engine) Status() feed.Status {
	return feed.Status{Head: 9, Watermark: 7, Rules: 4, Watchers: 3, Lapsed: 2, RowLease: 5 * time.Second, RowLosses: 1}
}

func TestTheStateOfAnEngineIsReadWhenItIsCollected(t *testing.T) {
	reader := sdkmetric.NewManualReader()
	stop, err := telemetry.ObserveEngine(sdkmetric.NewMeterProvider(sdkmetric.WithReader(reader)), engine{})
	if err != nil {
		t.Fatal(err)
	}
	want := []string{
		"curfew.feed.behind{} 2",
		"curfew.feed.lapsed{} 2",
		"curfew.feed.row.lease{} 5",
		"curfew.feed.row.losses{} 1",
		"curfew.feed.watchers{} 3",
	}
	if diff := cmp.Diff(want, collect(t, reader)); diff != "" {
		t.Error(diff)
	}
	if err := stop(); err != nil {
		t.Error(err)
	}
	if left := collect(t, reader); len(left) > 0 {
		t.Errorf("after the end: %v", left)
	}
	if _, err := telemetry.ObserveEngine(nil, engine{}); err == nil {
		t.Error("gauges without a provider")
	}
}

func TestAReceiptIsRecordedByWhatTheCallWaitedFor(t *testing.T) {
	reader := sdkmetric.NewManualReader()
	awaited, err := telemetry.Receipts(sdkmetric.NewMeterProvider(sdkmetric.WithReader(reader)))
	if err != nil {
		t.Fatal(err)
	}
	awaited(feed.Receipt{Acked: 3, Waited: time.Second}, true)
	awaited(feed.Receipt{Acked: 3, Waited: 2 * time.Second}, true)
	awaited(feed.Receipt{Acked: 2, Expired: 1, Waited: 3 * time.Second}, true)
	awaited(feed.Receipt{Acked: 2, Expired: 1, Waited: 4 * time.Second}, false)
	want := []string{
		"curfew.feed.barrier.duration{curfew.result=acked} n=2 sum=3",
		"curfew.feed.barrier.duration{curfew.result=expired} n=1 sum=3",
		"curfew.feed.barrier.duration{curfew.result=pending} n=1 sum=4",
	}
	if diff := cmp.Diff(want, collect(t, reader)); diff != "" {
		t.Error(diff)
	}
	if _, err := telemetry.Receipts(nil); err == nil {
		t.Error("a histogram without a provider")
	}
}
