package interceptors

import (
	"context"
	"runtime"

	"google.golang.org/grpc"
)

// Unary is the chain without the transport, for benchmarks.
func (ch *Chain) Unary() grpc.UnaryServerInterceptor { return ch.unary }

// WhenForgotten calls f when the call whose context ctx is was collected.
func WhenForgotten(ctx context.Context, f func()) {
	runtime.AddCleanup(ctx.(*call), func(f func()) { f() }, f)
}
