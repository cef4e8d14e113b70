package watchergrpc

import (
	"context"

	"google.golang.org/grpc"

	revocationv1 "github.com/curfew-platform/curfew/proto/gen/curfew/revocation/v1"
)

// client connects again for every attempt to open a stream, instead of waiting
// for gRPC's backoff, which grows with the time for which a server was away: a
// restarted server is needed as soon as the next one stops, within a lease. How
// often there is an attempt is up to the watcher.
type client struct {
	revocationv1.RevocationServiceClient

	conn *grpc.ClientConn
}

// WatchRevocations implements revocationv1.RevocationServiceClient. If nothing
// is reachable it fails at once, as the last attempt to connect did; the one
// that it begins is for the next call.
func (c *client) WatchRevocations(ctx context.Context, opts ...grpc.CallOption) (revocationv1.RevocationService_WatchRevocationsClient, error) {
	c.conn.ResetConnectBackoff()
	return c.RevocationServiceClient.WatchRevocations(ctx, opts...)
}
