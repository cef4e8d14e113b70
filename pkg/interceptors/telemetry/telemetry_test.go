package telemetry_test

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	sdkmetric "go.opentelemetry.io/otel/sdk/metric"
	"go.opentelemetry.io/otel/sdk/metric/metricdata"
	"google.golang.org/grpc/codes"

	"github.com/curfew-platform/curfew/pkg/interceptors"
	"github.com/curfew-platform/curfew/pkg/interceptors/revocation/watcher"
	"github.com/curfew-platform/curfew/pkg/interceptors/telemetry"
	"github.com/curfew-platform/curfew/pkg/interceptors/token"
)

// collect returns everything that is measured as lines "name{attributes} value".
func collect(t *testing.T, reader *sdkmetric.ManualReader) []string {
	t.Helper()
	var all metricdata.ResourceMetrics
	if err := reader.Collect(t.Context(), &all); err != nil {
		t.Fatal(err)
	}
	var out []string
	for _, scope := range all.ScopeMetrics {
		for _, m := range scope.Metrics {
			switch d := m.Data.(type) {
			case metricdata.Histogram[float64]:
				for _, p := range d.DataPoints {
					out = append(out, fmt.Sprintf("%s{%s} n=%d sum=%g", m.Name, p.Attributes.Encoded(encoder{}), p.Count, p.Sum))
				}
			case metricdata.Sum[int64]:
				for _, p := range d.DataPoints {
					out = append(out, fmt.Sprintf("%s{%s} %d", m.Name, p.Attributes.Encoded(encoder{}), p.Value))
				}
			case metricdata.Gauge[int64]:
				for _, p := range d.DataPoints {
					out = append(out, fmt.Sprintf("%s{} %d", m.Name, p.Value))
				}
			case metricdata.Gauge[float64]:
				for _, p := range d.DataPoints {
					out = append(out, fmt.Sprintf("%s{} %g", m.Name, p.Value))
				}
			default:
				t.Errorf("%s is a %T", m.Name, d)
			}
		}
	}
	slices.Sort(out)
	return out
}

func TestACallIsRecordedByMethodCodeAndReasonAndNothingElse(t *testing.T) {
	reader := sdkmetric.NewManualReader()
	m, err := telemetry.New(sdkmetric.NewMeterProvider(sdkmetric.WithReader(reader)))
	if err != nil {
		t.Fatal(err)
	}
	ctx := t.Context()
	for range 3 {
		m.Began(ctx, "/a.B/C")
	}
	m.Ended(ctx, interceptors.CallStats{Method: "/a.B/C", Duration: time.Second})
	m.Ended(ctx, interceptors.CallStats{Method: "/a.B/C", Duration: 2 * time.Second, Code: codes.Unauthenticated, Reason: "TOKEN_REVOKED"})
	want := []string{
		"curfew.call.duration{curfew.reason=TOKEN_REVOKED rpc.grpc.status_code=16 rpc.method=/a.B/C} n=1 sum=2",
		"curfew.call.duration{rpc.grpc.status_code=0 rpc.method=/a.B/C} n=1 sum=1",
		"curfew.call.running{rpc.method=/a.B/C} 1",
	}
	if diff := cmp.Diff(want, collect(t, reader)); diff != "" {
		t.Error(diff)
	}
}

// A call is counted with the attributes of its series, which are made once.
func TestCountingACallAllocatesNothingOfItsOwn(t *testing.T) {
	m, err := telemetry.New(sdkmetric.NewMeterProvider(sdkmetric.WithReader(sdkmetric.NewManualReader())))
	if err != nil {
		t.Fatal(err)
	}
	n := testing.AllocsPerRun(1000, func() {
		m.Began(t.Context(), "/a.B/C")
		m.Ended(t.Context(), interceptors.CallStats{Method: "/a.B/C", Duration: time.Second, Code: codes.NotFound, Reason: "USER_NOT_FOUND"})
	})
	if n > 0 {
		t.Errorf("%v allocations", n)
	}
}

func BenchmarkACall(b *testing.B) {
	m, err := telemetry.New(sdkmetric.NewMeterProvider(sdkmetric.WithReader(sdkmetric.NewManualReader())))
	if err != nil {
		b.Fatal(err)
	}
	b.ReportAllocs()
	for b.Loop() {
		m.Began(b.Context(), "/a.B/C")
		m.Ended(b.Context(), interceptors.CallStats{Method: "/a.B/C", Duration: time.Second})
	}
}

type held struct{}

func (held) Stats() token.Stats {
	return token.Stats{Hits: 9, Misses: 2, Evictions: 1, Entries: 3, Bytes: 4096}
}

func (held) Status() watcher.Status { return watcher.Status{Rules: 7, Lease: -time.Second, Losses: 2} }

func TestWhatAChainHoldsIsReadWhenItIsCollected(t *testing.T) {
	reader := sdkmetric.NewManualReader()
	stop, err := telemetry.Observe(sdkmetric.NewMeterProvider(sdkmetric.WithReader(reader)), held{}, held{})
	if err != nil {
		t.Fatal(err)
	}
	want := []string{
		"curfew.revocation.lease.losses{} 2",
		"curfew.revocation.lease{} -1",
		"curfew.revocation.rules{} 7",
		"curfew.token.bytes{} 4096",
		"curfew.token.cache{curfew.result=eviction} 1",
		"curfew.token.cache{curfew.result=hit} 9",
		"curfew.token.cache{curfew.result=miss} 2",
		"curfew.token.entries{} 3",
	}
	if diff := cmp.Diff(want, collect(t, reader)); diff != "" {
		t.Error(diff)
	}
	if err := stop(); err != nil {
		t.Error(err)
	}
	if left := collect(t, reader); len(left) > 0 {
		t.Errorf("after the end: %s", strings.Join(left, "; "))
	}
}

type left struct{}

func (left) Status() watcher.Status {
	return watcher.Status{Rules: 7, Lease: -time.Hour, Losses: 2, Left: true}
}

func TestTheLastFiguresOfAStopDoNotLookLikeALostLease(t *testing.T) {
	reader := sdkmetric.NewManualReader()
	if _, err := telemetry.Observe(sdkmetric.NewMeterProvider(sdkmetric.WithReader(reader)), nil, left{}); err != nil {
		t.Fatal(err)
	}
	want := []string{"curfew.revocation.lease.losses{} 2", "curfew.revocation.rules{} 7"}
	if diff := cmp.Diff(want, collect(t, reader)); diff != "" {
		t.Error(diff)
	}
}

func TestWithoutAProviderNothingIsMade(t *testing.T) {
	if _, err := telemetry.New(nil); err == nil {
		t.Error("a meter without a provider")
	}
	if _, err := telemetry.Observe(nil, held{}, held{}); err == nil {
		t.Error("gauges without a provider")
	}
}
