package interceptors

import "google.golang.org/grpc"

// Unary is the chain without the transport, for benchmarks.
func (ch *Chain) Unary() grpc.UnaryServerInterceptor { return ch.unary }
