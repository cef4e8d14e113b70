package address_test

import (
	"context"
	"net"
	"net/netip"
	"testing"

	"google.golang.org/grpc/metadata"
	"google.golang.org/grpc/peer"

	"github.com/curfew-platform/curfew/pkg/interceptors/address"
)

type memory struct{}

func (memory) Network() string { return "bufconn" }
func (memory) String() string  { return "bufconn" }

func tcp(text string) net.Addr { return net.TCPAddrFromAddrPort(netip.MustParseAddrPort(text)) }

func TestTheClientIsTheNearestHopThatIsNoTrustedProxy(t *testing.T) {
	proxies := address.Proxies{netip.MustParsePrefix("10.0.0.0/8"), netip.MustParsePrefix("fd00::/8")}
	for name, c := range map[string]struct {
		from      net.Addr
		forwarded []string
		want      string
	}{
		"no proxy":                              {tcp("192.0.2.1:5"), nil, "192.0.2.1"},
		"a stranger says who he forwards":       {tcp("192.0.2.1:5"), []string{"198.51.100.7"}, "192.0.2.1"},
		"a proxy forwards":                      {tcp("10.1.1.1:5"), []string{"198.51.100.7"}, "198.51.100.7"},
		"two proxies":                           {tcp("10.1.1.1:5"), []string{"198.51.100.7, 10.2.2.2"}, "198.51.100.7"},
		"two header fields":                     {tcp("10.1.1.1:5"), []string{"198.51.100.7", "10.2.2.2"}, "198.51.100.7"},
		"a client writes the header":            {tcp("10.1.1.1:5"), []string{"203.0.113.9, 198.51.100.7"}, "198.51.100.7"},
		"a client writes a proxy in the header": {tcp("10.1.1.1:5"), []string{"10.9.9.9, 198.51.100.7, 10.2.2.2"}, "198.51.100.7"},
		"only proxies":                          {tcp("10.1.1.1:5"), []string{"10.2.2.2"}, "10.2.2.2"},
		"a proxy that says nothing":             {tcp("10.1.1.1:5"), nil, "10.1.1.1"},
		"a proxy that says nonsense":            {tcp("10.1.1.1:5"), []string{"198.51.100.7, unknown"}, "10.1.1.1"},
		"IPv4 in IPv6":                          {tcp("[::ffff:192.0.2.1]:5"), nil, "192.0.2.1"},
		"IPv6 with a port":                      {tcp("[fd00::1]:5"), []string{"[2001:db8::1]:99"}, "2001:db8::1"},
		"the edge of this process":              {memory{}, []string{"198.51.100.7, 10.2.2.2"}, "198.51.100.7"},
		"the edge, and nothing known":           {memory{}, nil, ""},
		"a socket file":                         {&net.UnixAddr{Name: "/s", Net: "unix"}, []string{"198.51.100.7"}, ""},
	} {
		t.Run(name, func(t *testing.T) {
			ctx := peer.NewContext(t.Context(), &peer.Peer{Addr: c.from})
			ctx = metadata.NewIncomingContext(ctx, metadata.MD{"x-forwarded-for": c.forwarded})
			got, ok := proxies.Client(ctx)
			if ok != (c.want != "") || (ok && got.String() != c.want) {
				t.Errorf("got %s, want %s", got, c.want)
			}
		})
	}
	if _, ok := proxies.Client(context.Background()); ok {
		t.Error("a context of no call has a client")
	}
}

func TestAnIPv6ClientIsItsNetwork(t *testing.T) {
	for addr, want := range map[string]string{
		"192.0.2.1": "192.0.2.1/32", "2001:db8:1:2:3::4": "2001:db8:1:2::/64", "::ffff:192.0.2.1": "192.0.2.1/32", "fe80::1%eth0": "fe80::/64",
	} {
		if got := address.Network(netip.MustParseAddr(addr)).String(); got != want {
			t.Errorf("%s is of %s, want %s", addr, got, want)
		}
	}
}
