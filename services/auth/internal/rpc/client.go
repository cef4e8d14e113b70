package rpc

import (
	"context"

	"google.golang.org/grpc/peer"

	"github.com/curfew-platform/curfew/pkg/interceptors/address"
)

// clientAddress is who calls, as limits on guesses know it: an address without
// its port, or on networks other than IP the peer's own name. It is empty if
// nothing is known.
func clientAddress(ctx context.Context, trusted address.Proxies) string {
	if client, ok := trusted.Client(ctx); ok {
		return client.String()
	}
	from, ok := peer.FromContext(ctx)
	if !ok || from.Addr == nil || from.Addr.Network() == address.MemoryNetwork {
		return ""
	}
	return from.Addr.String()
}
