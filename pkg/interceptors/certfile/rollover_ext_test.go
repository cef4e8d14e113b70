package certfile_test

import (
	"context"
	"crypto/tls"
	"io"
	"net"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/credentials"
	"google.golang.org/grpc/health"
	healthv1 "google.golang.org/grpc/health/grpc_health_v1"
	"google.golang.org/grpc/keepalive"
	"google.golang.org/grpc/peer"
	"google.golang.org/grpc/status"

	"github.com/curfew-platform/curfew/pkg/interceptors/certfile"
	"github.com/curfew-platform/curfew/pkg/interceptors/creds"
)

// patience bounds every wait, for a busy machine.
const patience = 30 * time.Second

func open(t *testing.T, v *volume) *certfile.Files {
	t.Helper()
	files, err := certfile.Open(v.paths(), nil)
	if err != nil {
		t.Fatal(err)
	}
	return files
}

// serve runs a server of the files whose connections live for age.
func serve(t *testing.T, files *certfile.Files, age time.Duration) (address string) {
	t.Helper()
	l, err := net.Listen("tcp", loopback+":0")
	if err != nil {
		t.Fatal(err)
	}
	s := grpc.NewServer(grpc.Creds(files.Credentials()), grpc.KeepaliveParams(keepalive.ServerParameters{MaxConnectionAge: age}))
	healthv1.RegisterHealthServer(s, health.NewServer())
	var serving sync.WaitGroup
	serving.Go(func() { _ = s.Serve(l) })
	t.Cleanup(func() {
		s.Stop()
		serving.Wait()
	})
	return l.Addr().String()
}

// dial returns a client that shows and trusts the files.
func dial(t *testing.T, address string, files *certfile.Files) healthv1.HealthClient {
	t.Helper()
	conn, err := creds.Dial(creds.Target{Address: address, Files: files}, nil)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = conn.Close() })
	return healthv1.NewHealthClient(conn)
}

// call returns the serial number of the certificate that the server showed.
func call(ctx context.Context, c healthv1.HealthClient) (serial string, err error) {
	serial, _, err = callOver(ctx, c)
	return serial, err
}

// callOver says over which connection too, by its address.
func callOver(ctx context.Context, c healthv1.HealthClient) (serial, connection string, err error) {
	var p peer.Peer
	if _, err := c.Check(ctx, &healthv1.HealthCheckRequest{}, grpc.Peer(&p)); err != nil {
		return "", "", err
	}
	info, ok := p.AuthInfo.(credentials.TLSInfo)
	if !ok {
		return "", "", status.Error(codes.Internal, "no TLS")
	}
	return info.State.PeerCertificates[0].SerialNumber.String(), p.LocalAddr.String(), nil
}

// TestAnAuthorityIsReplacedUnderLoadWithoutAFailedCall: first both sides trust
// both authorities, then both show certificates of the new one, then both trust
// the new one only. Connections live for 50 ms, so that each step is met by many.
func TestAnAuthorityIsReplacedUnderLoadWithoutAFailedCall(t *testing.T) {
	t.Parallel()
	before, after := newAuthority(t, "before", hour), newAuthority(t, "after", hour)
	oldCert, oldKey := before.issue(t, loopback, hour)
	newCert, newKey := after.issue(t, loopback, hour)
	server, client := newVolume(t, secret(oldCert, oldKey, before.pem)), newVolume(t, secret(oldCert, oldKey, before.pem))
	c := dial(t, serve(t, open(t, server), 50*time.Millisecond), open(t, client))
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	done := make(chan struct{})
	var calls atomic.Int64
	var load sync.WaitGroup
	for range 8 {
		load.Go(func() {
			for {
				select {
				case <-done:
					return
				default:
				}
				if _, err := call(ctx, c); err != nil {
					t.Errorf("call %d: %v", calls.Load(), err)
					return
				}
				calls.Add(1)
			}
		})
	}
	first, err := call(ctx, c)
	if err != nil {
		t.Fatal(err)
	}
	for _, files := range []map[string]string{
		secret(oldCert, oldKey, before.pem+after.pem),
		secret(newCert, newKey, before.pem+after.pem),
		secret(newCert, newKey, after.pem),
	} {
		server.put(t, files)
		client.put(t, files)
		// A client has one connection at a time. The first one that is met here may be of before the step, or
		// was begun before it, with the files of then; who goes on sooner drops what it shows. The next ones are not.
		for met := map[string]bool{}; len(met) < 4 && ctx.Err() == nil && !t.Failed(); {
			if _, connection, err := callOver(ctx, c); err == nil {
				met[connection] = true
			}
		}
	}
	close(done)
	load.Wait()
	t.Logf("%d calls", calls.Load())
	if last, err := call(ctx, c); err != nil || last == first {
		t.Errorf("the certificate of before is still shown: %v", err)
	}
}

func TestStepsInTheWrongOrderAreRefusedUntilTheOthersFollow(t *testing.T) {
	t.Parallel()
	before, after := newAuthority(t, "before", hour), newAuthority(t, "after", hour)
	oldCert, oldKey := before.issue(t, loopback, hour)
	newCert, newKey := after.issue(t, loopback, hour)
	server, client := newVolume(t, secret(oldCert, oldKey, before.pem)), newVolume(t, secret(oldCert, oldKey, before.pem))
	files := open(t, client)
	address := serve(t, open(t, server), time.Hour)
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	running := dial(t, address, files)
	if _, err := call(ctx, running); err != nil {
		t.Fatal(err)
	}
	// refused is a new connection that one side does not trust. A server that
	// refuses only breaks it.
	refused := func(what, want string) {
		t.Helper()
		_, err := call(ctx, dial(t, address, files))
		if status.Code(err) != codes.Unavailable || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %v", what, err)
		}
	}
	server.put(t, secret(newCert, newKey, before.pem))
	refused("the server shows what no client trusts", "unknown authority")
	client.put(t, secret(newCert, newKey, before.pem+after.pem))
	refused("the client shows what the server does not trust", "")
	if _, err := call(ctx, running); err != nil {
		t.Errorf("a connection that was open: %v", err)
	}
	waiting := dial(t, address, files)
	if _, err := call(ctx, waiting); err == nil {
		t.Error("it is trusted before its time")
	}
	server.put(t, secret(newCert, newKey, after.pem))
	if _, err := waiting.Check(ctx, &healthv1.HealthCheckRequest{}, grpc.WaitForReady(true)); err != nil {
		t.Errorf("when both know the new authority: %v", err)
	}
}

func TestAnAuthorityThatEndsIsNotTrustedAnyMore(t *testing.T) {
	t.Parallel()
	ctx, cancel := context.WithTimeout(t.Context(), 2*patience)
	defer cancel()
	var ends *authority
	var files *certfile.Files
	var address string
	trusted := func() error {
		conn, err := files.Dial(ctx, "tcp", address)
		if err == nil {
			_ = conn.Close()
		}
		return err
	}
	// On a machine that stood still it has ended before anybody looked.
	for validity := 2 * time.Second; ; validity *= 2 {
		ends = newAuthority(t, "ends", life{-time.Hour, validity})
		cert, key := ends.issue(t, loopback, hour)
		v := newVolume(t, secret(cert, key, ends.pem))
		var err error
		if files, err = certfile.Open(v.paths(), nil); err == nil {
			address = serve(t, files, time.Hour)
			err = trusted()
		}
		if err == nil {
			break
		}
		if time.Now().Before(ends.cert.NotAfter) || validity > patience {
			t.Fatal(err)
		}
	}
	tick := time.NewTicker(50 * time.Millisecond)
	defer tick.Stop()
	err := trusted()
	for ; err == nil; err = trusted() {
		<-tick.C
	}
	if time.Now().Before(ends.cert.NotAfter) || !strings.Contains(err.Error(), "expired") {
		t.Error(err)
	}
	if _, err := call(ctx, dial(t, address, files)); status.Code(err) != codes.Unavailable {
		t.Errorf("a call: %v", err)
	}
}

func TestTheNameOfTheServerIsVerified(t *testing.T) {
	t.Parallel()
	ca := newAuthority(t, "ca", hour)
	cert, key := ca.issue(t, "127.0.0.9", hour)
	files := open(t, newVolume(t, secret(cert, key, ca.pem)))
	address := serve(t, files, time.Hour)
	if _, err := call(t.Context(), dial(t, address, files)); status.Code(err) != codes.Unavailable {
		t.Errorf("a certificate of another address is trusted: %v", err)
	}
	if conn, err := files.Dial(t.Context(), "tcp", address); err == nil {
		_ = conn.Close()
		t.Error("a certificate of another address is trusted")
	}
}

func TestAServerWithAuthoritiesDemandsACertificate(t *testing.T) {
	t.Parallel()
	ca := newAuthority(t, "ca", hour)
	cert, key := ca.issue(t, loopback, hour)
	files := open(t, newVolume(t, secret(cert, key, ca.pem)))
	address := greet(t, files)
	cfg, err := files.Client()
	if err != nil {
		t.Fatal(err)
	}
	if _, err := greeted(t, address, cfg); err != nil {
		t.Errorf("with a certificate: %v", err)
	}
	cfg.Certificates = nil
	if _, err := greeted(t, address, cfg); err == nil {
		t.Error("without one it is let in")
	}
}

// TestASessionIsNotResumedAfterItsAuthorityWasDropped: a client that keeps the
// secrets of a session need not show its certificate again.
func TestASessionIsNotResumedAfterItsAuthorityWasDropped(t *testing.T) {
	t.Parallel()
	for name, version := range map[string]uint16{"TLS 1.2": tls.VersionTLS12, "TLS 1.3": tls.VersionTLS13} {
		before, after := newAuthority(t, "before", hour), newAuthority(t, "after", hour)
		serverCert, serverKey := before.issue(t, loopback, hour)
		v := newVolume(t, secret(serverCert, serverKey, before.pem+after.pem))
		address := greet(t, open(t, v))
		cert, key := before.issue(t, loopback, hour)
		cfg, err := open(t, newVolume(t, secret(cert, key, before.pem))).Client()
		if err != nil {
			t.Fatal(err)
		}
		cfg.ClientSessionCache, cfg.MaxVersion = tls.NewLRUClientSessionCache(1), version
		for try, resumes := range []bool{false, true} {
			if resumed, err := greeted(t, address, cfg); err != nil || resumed != resumes {
				t.Fatalf("%s, try %d: resumed %v, %v", name, try, resumed, err)
			}
		}
		v.put(t, secret(serverCert, serverKey, after.pem))
		if resumed, err := greeted(t, address, cfg); err == nil {
			t.Errorf("%s: let in, resumed %v", name, resumed)
		}
	}
}

// greet serves one byte on each connection.
func greet(t *testing.T, files *certfile.Files) (address string) {
	t.Helper()
	l, err := tls.Listen("tcp", loopback+":0", files.Server())
	if err != nil {
		t.Fatal(err)
	}
	var serving sync.WaitGroup
	serving.Go(func() {
		for {
			conn, err := l.Accept()
			if err != nil {
				return
			}
			_ = conn.SetDeadline(time.Now().Add(patience))
			_, _ = conn.Write([]byte{1})
			_ = conn.Close()
		}
	})
	t.Cleanup(func() {
		_ = l.Close()
		serving.Wait()
	})
	return l.Addr().String()
}

// greeted reads that byte: only then has the server accepted the client, and
// said how its session is resumed.
func greeted(t *testing.T, address string, cfg *tls.Config) (resumed bool, err error) {
	t.Helper()
	conn, err := tls.Dial("tcp", address, cfg)
	if err != nil {
		return false, err
	}
	defer func() { _ = conn.Close() }()
	_ = conn.SetDeadline(time.Now().Add(patience))
	if _, err := io.ReadFull(conn, make([]byte, 1)); err != nil {
		return false, err
	}
	return conn.ConnectionState().DidResume, nil
}
