package interceptors_test

import (
	"context"
	"net"
	"slices"
	"sync"
	"testing"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials/insecure"
	"google.golang.org/grpc/metadata"

	"github.com/curfew-platform/curfew/pkg/interceptors"
	"github.com/curfew-platform/curfew/pkg/interceptors/internal/shop"
	"github.com/curfew-platform/curfew/pkg/interceptors/revocation/memory"
	"github.com/curfew-platform/curfew/pkg/interceptors/token/tokentest"
)

// batch is how many calls make one measurement of a pair.
const batch = 200

// BenchmarkPairs measures real calls over loopback in interleaved batches: the
// full chain beside the identical chain on a public method, where
// authentication, revocation and authorization do nothing, with the same
// metadata. It reports the median ratio of neighbouring batches.
func BenchmarkPairs(b *testing.B) {
	issuer := tokentest.New(b)
	chain, err := interceptors.New(interceptors.Config{
		Verifier: issuer.Verifier(b), Revocation: memory.New(), Policy: policy(b), Logger: discard,
		Audit: &auditRecorder{}, Introspector: introspector(func() error { return nil }),
	})
	if err != nil {
		b.Fatal(err)
	}
	server := grpc.NewServer(chain.ServerOptions()...)
	(&shop.Server{}).Register(server)
	lis, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		b.Fatal(err)
	}
	var wg sync.WaitGroup
	wg.Go(func() { _ = server.Serve(lis) })
	defer wg.Wait()
	defer server.Stop()
	conn, err := grpc.NewClient(lis.Addr().String(), grpc.WithTransportCredentials(insecure.NewCredentials()))
	if err != nil {
		b.Fatal(err)
	}
	defer func() { _ = conn.Close() }()
	ctx := metadata.AppendToOutgoingContext(context.Background(), "authorization", "Bearer "+issuer.User(b, "u1", []string{"customer"}))
	measure := func(method string) time.Duration {
		begin := time.Now()
		for range batch {
			if err := shop.Call(ctx, conn, method, shop.Message{Name: "users/u1/things/1"}); err != nil {
				b.Fatal(err)
			}
		}
		return time.Since(begin)
	}
	measure("Get")
	measure("Login")
	var ratios []float64
	for b.Loop() {
		open := measure("Login")
		full := measure("Get")
		ratios = append(ratios, float64(full)/float64(open))
	}
	slices.Sort(ratios)
	b.ReportMetric(ratios[len(ratios)/2], "ratio-p50")
}
