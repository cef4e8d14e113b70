package guard

import (
	"context"
	"net"
	"strconv"
	"sync/atomic"
	"testing"
	"time"

	"golang.org/x/net/dns/dnsmessage"
	"google.golang.org/grpc"
	"google.golang.org/grpc/health"
	healthv1 "google.golang.org/grpc/health/grpc_health_v1"
)

// names answers every question with the address that it holds, as the DNS of a
// cluster does for the pods of a headless service.
type names struct{ address atomic.Value }

func (n *names) serve(t *testing.T) {
	t.Helper()
	conn, err := net.ListenPacket("udp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	old := net.DefaultResolver
	net.DefaultResolver = &net.Resolver{PreferGo: true, Dial: func(ctx context.Context, _, _ string) (net.Conn, error) {
		var d net.Dialer
		return d.DialContext(ctx, "udp", conn.LocalAddr().String())
	}}
	done := make(chan struct{})
	t.Cleanup(func() {
		net.DefaultResolver = old
		_ = conn.Close()
		<-done
	})
	go func() {
		defer close(done)
		buf := make([]byte, 512)
		for {
			size, from, err := conn.ReadFrom(buf)
			if err != nil {
				return
			}
			if answer, ok := n.answer(buf[:size]); ok {
				_, _ = conn.WriteTo(answer, from)
			}
		}
	}()
}

func (n *names) answer(question []byte) ([]byte, bool) {
	var m dnsmessage.Message
	if m.Unpack(question) != nil || len(m.Questions) != 1 {
		return nil, false
	}
	m.Header.Response, m.Additionals = true, nil
	if q := m.Questions[0]; q.Type == dnsmessage.TypeA {
		m.Answers = []dnsmessage.Resource{{
			Header: dnsmessage.ResourceHeader{Name: q.Name, Type: q.Type, Class: q.Class, TTL: 1},
			Body:   &dnsmessage.AResource{A: [4]byte(net.ParseIP(n.address.Load().(string)).To4())}, //nolint:forcetypeassert // Only strings are stored.
		}}
	}
	packed, err := m.Pack()
	return packed, err == nil
}

// replica serves health at an address until it is stopped.
func replica(t *testing.T, address string) *grpc.Server {
	t.Helper()
	l, err := net.Listen("tcp", address)
	if err != nil {
		t.Fatal(err)
	}
	s := grpc.NewServer()
	healthv1.RegisterHealthServer(s, health.NewServer())
	go func() { _ = s.Serve(l) }()
	t.Cleanup(s.Stop)
	return s
}

func TestAFeedFindsAReplicaThatCameBackUnderItsNameWithAnotherAddress(t *testing.T) {
	l, err := net.Listen("tcp", "127.0.0.2:0")
	if err != nil {
		t.Fatal(err)
	}
	port := strconv.Itoa(l.Addr().(*net.TCPAddr).Port) //nolint:forcetypeassert // Of a TCP listener.
	if err := l.Close(); err != nil {
		t.Fatal(err)
	}
	dns := &names{}
	dns.address.Store("127.0.0.2")
	dns.serve(t)
	d := &dialer{plaintext: true}
	conn, err := d.feed("auth-0.auth-headless:"+port, nil)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = d.close() }()
	ctx, cancel := context.WithTimeout(t.Context(), 20*time.Second) // gRPC's own resolver asks again after 30 s
	defer cancel()
	check := func() error {
		_, err := healthv1.NewHealthClient(conn).Check(ctx, &healthv1.HealthCheckRequest{}, grpc.WaitForReady(true))
		return err
	}
	first := replica(t, "127.0.0.2:"+port)
	if err := check(); err != nil {
		t.Fatal(err)
	}
	first.Stop()
	dns.address.Store("127.0.0.3")
	replica(t, "127.0.0.3:"+port)
	// A call that is begun before the end is noticed fails with it.
	for err = check(); err != nil && ctx.Err() == nil; err = check() {
	}
	if err != nil {
		t.Errorf("after it came back: %v", err)
	}
}
