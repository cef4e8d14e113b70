package watchergrpc

import (
	"context"

	"google.golang.org/grpc"

	revocationv1 "github.com/curfew-platform/curfew/proto/gen/curfew/revocation/v1"
)

// Client returns a client of the servers of the feed behind a connection. It
// connects for every attempt to open a stream: what was unreachable is tried
// again at once, and not when gRPC's pause is over, which grows with the time
// for which a server was away. A server that was restarted is needed when the
// next one stops, for as long as a lease at most, and how often a watcher tries
// is the watcher's to decide.
func Client(conn *grpc.ClientConn) revocationv1.RevocationServiceClient {
	return &client{RevocationServiceClient: revocationv1.NewRevocationServiceClient(conn), conn: conn}
}

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
