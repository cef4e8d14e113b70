// Package address tells from which network address a call comes, also behind
// proxies.
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

// MemoryNetwork is the network of connections from an HTTP edge of this
// process, whose own address says nothing.
const MemoryNetwork = "bufconn"

// ipv6Network is the prefix that one customer is given at least, RFC 6177: the
// addresses below it cost nothing.
const ipv6Network = 64

// Proxies are the networks of hosts that say truly from whom they forward.
// None is trusted if it is empty.
type Proxies []netip.Prefix

// The widest networks that can be somebody's own: 10.0.0.0/8 and fc00::/7.
const (
	widest4 = 8
	widest6 = 7
)

// Check reports a network that is none, or that holds strangers: who is trusted
// from anywhere writes any address that he likes.
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

// Client is who calls: the nearest hop that is no trusted proxy. Every hop
// appends the address of the one before it to x-forwarded-for, so what stands
// left of the nearest untrusted one was written by that one and is not looked
// at. It is false if nothing is known, which is so on other networks than IP.
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

// Network is what one client can be expected to have: the address itself, of
// IPv6 the /64.
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
