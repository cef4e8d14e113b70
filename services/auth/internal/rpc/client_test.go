package rpc

import (
	"net"
	"net/netip"
	"testing"

	"google.golang.org/grpc/metadata"
	"google.golang.org/grpc/peer"

	"github.com/curfew-platform/curfew/pkg/interceptors/address"
)

type edge struct{}

func (edge) Network() string { return address.MemoryNetwork }
func (edge) String() string  { return address.MemoryNetwork }

func tcp(address string) net.Addr {
	return net.TCPAddrFromAddrPort(netip.MustParseAddrPort(address))
}

// Else everybody behind one proxy shares a limit, and anybody there locks any
// account out; or a client escapes by writing the header itself.
func TestTheClientIsTheNearestHopThatIsNoTrustedProxy(t *testing.T) {
	trusted := address.Proxies{netip.MustParsePrefix("127.0.0.0/8"), netip.MustParsePrefix("::1/128"), netip.MustParsePrefix("10.0.0.0/8")}
	for what, c := range map[string]struct {
		peer      net.Addr
		forwarded []string
		want      string
	}{
		"a direct call":                         {tcp("203.0.113.7:1"), nil, "203.0.113.7"},
		"a direct call that forges":             {tcp("203.0.113.7:1"), []string{"198.51.100.1"}, "203.0.113.7"},
		"through a proxy":                       {tcp("10.0.0.1:1"), []string{"203.0.113.7"}, "203.0.113.7"},
		"through a proxy, forged":               {tcp("10.0.0.1:1"), []string{"198.51.100.1, 203.0.113.7"}, "203.0.113.7"},
		"through two proxies, forged":           {tcp("127.0.0.1:1"), []string{"198.51.100.1", "203.0.113.7, 10.0.0.1"}, "203.0.113.7"},
		"through the HTTP edge":                 {edge{}, []string{"203.0.113.7"}, "203.0.113.7"},
		"through the HTTP edge, forged":         {edge{}, []string{"198.51.100.1, 203.0.113.7"}, "203.0.113.7"},
		"through a proxy and the HTTP edge":     {edge{}, []string{"198.51.100.1, 203.0.113.7, 10.0.0.1"}, "203.0.113.7"},
		"from a trusted host":                   {edge{}, []string{"127.0.0.1"}, "127.0.0.1"},
		"with a port":                           {edge{}, []string{"203.0.113.7:4711, 10.0.0.1"}, "203.0.113.7"},
		"IPv6":                                  {tcp("[::1]:1"), []string{"[2001:db8::1]:80"}, "2001:db8::1"},
		"IPv4 in IPv6":                          {tcp("[::ffff:203.0.113.7]:1"), nil, "203.0.113.7"},
		"a proxy in IPv6 clothes":               {tcp("[::ffff:10.0.0.1]:1"), []string{"203.0.113.7"}, "203.0.113.7"},
		"a proxy that does not know its client": {tcp("10.0.0.1:1"), []string{"198.51.100.1, unknown"}, "10.0.0.1"},
		"nothing is known":                      {edge{}, nil, ""},
		"a socket file":                         {&net.UnixAddr{Name: "/run/auth.sock", Net: "unix"}, []string{"198.51.100.1"}, "/run/auth.sock"},
	} {
		ctx := peer.NewContext(t.Context(), &peer.Peer{Addr: c.peer})
		md := metadata.MD{}
		md.Append("x-forwarded-for", c.forwarded...)
		if got := clientAddress(metadata.NewIncomingContext(ctx, md), trusted); got != c.want {
			t.Errorf("%s: %q, want %q", what, got, c.want)
		}
	}
}
