package rpc

import (
	"context"
	"net"
	"net/netip"
	"slices"
	"strings"

	"google.golang.org/grpc/metadata"
	"google.golang.org/grpc/peer"
)

// memoryNetwork is the network of connections from the HTTP edge of this
// process, whose own address says nothing.
const memoryNetwork = "bufconn"

// Proxies are the networks of hosts that say truly from whom they forward.
type Proxies []netip.Prefix

// client is the network address of who calls, without its port: the nearest hop
// that is no trusted proxy. Every hop appends the address of the one before it
// to x-forwarded-for, so what stands left of the nearest untrusted one was
// written by that one and is not looked at. It is empty if nothing is known.
func (p Proxies) client(ctx context.Context) string {
	hops := strings.Split(strings.Join(metadata.ValueFromIncomingContext(ctx, "x-forwarded-for"), ","), ",")
	from, ok := peer.FromContext(ctx)
	if !ok {
		return ""
	}
	// The HTTP edge has appended its peer already.
	if from.Addr.Network() != memoryNetwork {
		if _, err := hop(from.Addr.String()); err != nil {
			return from.Addr.String()
		}
		hops = append(hops, from.Addr.String())
	}
	client := ""
	for _, text := range slices.Backward(hops) {
		addr, err := hop(text)
		if err != nil {
			break
		}
		client = addr.String()
		if !p.trust(addr) {
			break
		}
	}
	return client
}

func (p Proxies) trust(addr netip.Addr) bool {
	return slices.ContainsFunc(p, func(network netip.Prefix) bool { return network.Contains(addr) })
}

// hop reads an address with or without a port.
func hop(text string) (netip.Addr, error) {
	text = strings.TrimSpace(text)
	if host, _, err := net.SplitHostPort(text); err == nil {
		text = host
	}
	addr, err := netip.ParseAddr(text)
	return addr.Unmap().WithZone(""), err
}
