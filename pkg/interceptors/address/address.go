// Package address finds the network address of the client of a call, also
// behind proxies.
package address

import (
	"context"
	"fmt"
	"net"
	"net/netip"
	"slices"
	"strings"

	"google.golang.org/grpc/metadata"
	"google.golang.org/grpc/peer"
)

// MemoryNetwork is the network name of in-memory connections from an HTTP edge
// in the same process. Their own address says nothing about the client.
const MemoryNetwork = "bufconn"

// ipv6Network is the prefix that one customer is given at least, RFC 6177: the
// addresses below it cost nothing.
const ipv6Network = 64

// Proxies are the networks of trusted proxies, whose x-forwarded-for is
// believed. An empty list trusts none.
type Proxies []netip.Prefix

// The widest networks that can be somebody's own: 10.0.0.0/8 and fc00::/7.
const (
	widest4 = 8
	widest6 = 7
)

// Check returns an error for a network that is invalid, or so wide that it
// contains strangers: somebody who is trusted can claim any address.
func (p Proxies) Check() error {
	for _, network := range p {
		switch {
		case !network.IsValid() || network.Addr().Is4In6():
			return fmt.Errorf("proxies: %s is no network of IPv4 or IPv6", network)
		case network.Addr().Is4() && network.Bits() < widest4, network.Addr().Is6() && network.Bits() < widest6:
			return fmt.Errorf("proxies: %s is everybody", network)
		}
	}
	return nil
}

// Client returns the address of the client of the incoming call of ctx: the
// nearest hop that is not a trusted proxy. Every hop appends the address before
// it to x-forwarded-for, so what is left of the nearest untrusted hop was
// written by that hop and is ignored. Client returns false if the address is
// unknown, as it is on networks other than IP.
func (p Proxies) Client(ctx context.Context) (netip.Addr, bool) {
	from, ok := peer.FromContext(ctx)
	if !ok || from.Addr == nil {
		return netip.Addr{}, false
	}
	var client netip.Addr
	// The HTTP edge has appended its peer already.
	if from.Addr.Network() != MemoryNetwork {
		if client, ok = hop(from.Addr.String()); !ok {
			return netip.Addr{}, false
		}
		if !p.trust(client) {
			return client, true
		}
	}
	hops := strings.Split(strings.Join(metadata.ValueFromIncomingContext(ctx, "x-forwarded-for"), ","), ",")
	for _, text := range slices.Backward(hops) {
		addr, ok := hop(text)
		if !ok {
			break
		}
		client = addr
		if !p.trust(addr) {
			break
		}
	}
	return client, client.IsValid()
}

func (p Proxies) trust(addr netip.Addr) bool {
	return slices.ContainsFunc(p, func(network netip.Prefix) bool { return network.Contains(addr) })
}

// Network returns the network that one client is assumed to have: the address
// itself, for IPv6 its /64.
func Network(addr netip.Addr) netip.Prefix {
	bits := addr.BitLen()
	if addr.Is6() && !addr.Is4In6() {
		bits = ipv6Network
	}
	network, err := addr.Unmap().WithZone("").Prefix(min(bits, addr.Unmap().BitLen()))
	if err != nil {
		return netip.Prefix{}
	}
	return network
}

// hop reads an address with or without a port.
func hop(text string) (netip.Addr, bool) {
	text = strings.TrimSpace(text)
	if host, _, err := net.SplitHostPort(text); err == nil {
		text = host
	}
	addr, err := netip.ParseAddr(text)
	return addr.Unmap().WithZone(""), err == nil
}
