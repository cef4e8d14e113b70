package guard

import (
	"log/slog"
	"net"
	"testing"

	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/health"
	healthv1 "google.golang.org/grpc/health/grpc_health_v1"
	"google.golang.org/grpc/status"

	"github.com/curfew-platform/curfew/pkg/interceptors/certfile"
	"github.com/curfew-platform/curfew/pkg/interceptors/token"
	"github.com/curfew-platform/curfew/pkg/localenv/authority"
)

func TestAServiceShowsItsCertificateWhereAuthDemandsOne(t *testing.T) {
	dir := t.TempDir()
	ca := authority.New(t, dir, "ca")
	serverCert, serverKey := ca.Issue(t, dir, "auth")
	cert, key := ca.Issue(t, dir, "orders")
	files, err := certfile.Open(certfile.Paths{Cert: serverCert, Key: serverKey, CA: ca.File}, nil)
	if err != nil {
		t.Fatal(err)
	}
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	srv := grpc.NewServer(grpc.Creds(files.Credentials()))
	healthv1.RegisterHealthServer(srv, health.NewServer())
	go func() { _ = srv.Serve(l) }()
	defer srv.Stop()
	for name, c := range map[string]struct {
		settings Settings
		want     codes.Code
	}{
		"with one":                  {Settings{AuthTLSCA: ca.File, AuthTLSCert: cert, AuthTLSKey: key}, codes.OK},
		"without":                   {Settings{AuthTLSCA: ca.File}, codes.Unavailable},
		"authorities of the system": {Settings{AuthTLSCert: cert, AuthTLSKey: key}, codes.Unavailable},
		"plaintext":                 {Settings{}, codes.Unavailable},
	} {
		own, err := c.settings.files(slog.New(slog.DiscardHandler))
		if err != nil {
			t.Fatal(err)
		}
		d := &dialer{files: own}
		for _, addresses := range [][]string{{l.Addr().String()}, {l.Addr().String(), l.Addr().String()}} {
			conn, err := d.all(addresses, nil)
			if err != nil {
				t.Fatal(err)
			}
			_, err = healthv1.NewHealthClient(conn).Check(t.Context(), &healthv1.HealthCheckRequest{})
			if status.Code(err) != c.want {
				t.Errorf("%s, %d addresses: %v", name, len(addresses), err)
			}
		}
		if err := d.close(); err != nil {
			t.Error(err)
		}
	}
}

func TestACertificateForAuthAndItsKeyGoTogether(t *testing.T) {
	s := Settings{AuthAddr: "localhost:1", Issuer: token.CurfewIssuer, ServiceKeyFile: keyFile(t), AuthTLSCert: "tls.crt"}
	if err := s.Validate(); err == nil {
		t.Error("a certificate without a key is accepted")
	}
}
