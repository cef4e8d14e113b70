package server

import (
	"bytes"
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/json"
	"encoding/pem"
	"errors"
	"io"
	"log/slog"
	"math/big"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/credentials"
	"google.golang.org/grpc/credentials/insecure"
	healthv1 "google.golang.org/grpc/health/grpc_health_v1"
	"google.golang.org/grpc/status"

	"github.com/curfew-platform/curfew/pkg/interceptors"
	"github.com/curfew-platform/curfew/pkg/interceptors/authz"
	"github.com/curfew-platform/curfew/pkg/interceptors/identity"
	"github.com/curfew-platform/curfew/pkg/interceptors/revocation/memory"
	"github.com/curfew-platform/curfew/pkg/interceptors/token"
	"github.com/curfew-platform/curfew/pkg/lifecycle"
	"github.com/curfew-platform/curfew/pkg/localenv/freeport"
	authv1 "github.com/curfew-platform/curfew/proto/gen/curfew/auth/v1"
)

// patience bounds every wait, for a busy machine.
const patience = time.Minute

// keys serves GetJwks, which is public, and IntrospectToken, which is not.
type keys struct {
	authv1.UnimplementedTokenServiceServer
}

func (keys) GetJwks(context.Context, *authv1.GetJwksRequest) (*authv1.Jwks, error) {
	return &authv1.Jwks{Keys: []*authv1.Jwk{{Kid: "k1"}}}, nil
}

// active finds every token active.
type active struct{}

func (active) Introspect(context.Context, *identity.Identity, token.Raw) error { return nil }

func chainConfig(t *testing.T) interceptors.Config {
	t.Helper()
	perms, err := authz.ParsePermissions([]byte(`{"roles": {"service": ["auth.tokens.introspect"]}}`))
	if err != nil {
		t.Fatal(err)
	}
	policy, err := authz.NewPolicy(authz.FileServices(authv1.File_curfew_auth_v1_token_service_proto), perms)
	if err != nil {
		t.Fatal(err)
	}
	verifier, err := token.NewVerifier(token.Curfew("https://auth.curfew.dev", &token.Static{}))
	if err != nil {
		t.Fatal(err)
	}
	return interceptors.Config{
		Verifier: verifier, Revocation: memory.New(), Policy: policy,
		Logger: slog.New(slog.DiscardHandler), Introspector: active{},
	}
}

func testChain(t *testing.T, settings *Settings) *interceptors.Chain {
	t.Helper()
	chain, err := NewChain(nil, settings, chainConfig(t))
	if err != nil {
		t.Fatal(err)
	}
	return chain
}

// serve runs a server until the test ends and returns its addresses.
func serve(t *testing.T, settings *Settings) addresses {
	t.Helper()
	group, bound := start(t, settings, nil)
	select {
	case <-group.Started():
	case <-time.After(patience):
		t.Fatal("not started")
	}
	return bound()
}

// start runs a server until the test ends. The function returned reads its
// addresses once it has started.
func start(t *testing.T, settings *Settings, health func() lifecycle.Health) (*lifecycle.Group, func() addresses) {
	t.Helper()
	if settings.Listen == "" {
		settings.Listen = "127.0.0.1:0"
	}
	settings.HTTPListen = "127.0.0.1:0"
	settings.AddrFile = filepath.Join(t.TempDir(), "addr.json")
	group, err := lifecycle.New(lifecycle.WithoutSignals(), lifecycle.WithReportWriter(io.Discard))
	if err != nil {
		t.Fatal(err)
	}
	rt := &Runtime{Name: "test", Log: slog.New(slog.DiscardHandler), Group: group}
	err = Add(rt, API{
		Settings: settings, Chain: testChain(t, settings),
		Register: func(s grpc.ServiceRegistrar) { authv1.RegisterTokenServiceServer(s, keys{}) },
		Gateways: []Gateway{authv1.RegisterTokenServiceHandler},
	})
	if err != nil {
		t.Fatal(err)
	}
	if health != nil {
		if err := group.Add(lifecycle.Part{Name: "dependency", Phase: lifecycle.Leave, Health: health}); err != nil {
			t.Fatal(err)
		}
	}
	ended := make(chan error, 1)
	go func() { ended <- group.Run(context.Background()) }()
	t.Cleanup(func() {
		group.Shutdown(nil)
		if err := <-ended; err != nil {
			t.Errorf("the server did not stop clean: %v", err)
		}
		if _, err := os.Stat(settings.AddrFile); !os.IsNotExist(err) {
			t.Error("the address file outlives the server")
		}
	})
	return group, func() addresses {
		content, err := os.ReadFile(settings.AddrFile)
		if err != nil {
			t.Fatal(err)
		}
		var bound addresses
		if err := json.Unmarshal(content, &bound); err != nil {
			t.Fatal(err)
		}
		return bound
	}
}

func jwks(t *testing.T, addr string, creds credentials.TransportCredentials) error {
	t.Helper()
	conn, err := grpc.NewClient(addr, grpc.WithTransportCredentials(creds))
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	_, err = authv1.NewTokenServiceClient(conn).GetJwks(ctx, &authv1.GetJwksRequest{})
	return err
}

func get(t *testing.T, client *http.Client, method, url string) (int, string) {
	t.Helper()
	req, err := http.NewRequestWithContext(t.Context(), method, url, bytes.NewBufferString(`{"token":"x"}`))
	if err != nil {
		t.Fatal(err)
	}
	res, err := client.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer res.Body.Close()
	body, err := io.ReadAll(res.Body)
	if err != nil {
		t.Fatal(err)
	}
	return res.StatusCode, string(body)
}

func TestTheEdgeGoesThroughTheSameChainAsTheNetwork(t *testing.T) {
	bound := serve(t, &Settings{})
	if err := jwks(t, bound.GRPC, insecure.NewCredentials()); err != nil {
		t.Errorf("public method over gRPC: %v", err)
	}
	for _, test := range []struct {
		method, path string
		code         int
	}{
		{http.MethodGet, "/auth/v1/jwks", http.StatusOK},
		{http.MethodPost, "/auth/v1/tokens:introspect", http.StatusUnauthorized},
		{http.MethodGet, "/livez", http.StatusOK},
		{http.MethodGet, "/readyz", http.StatusOK},
		{http.MethodGet, "/nothing", http.StatusNotFound},
	} {
		if code, body := get(t, http.DefaultClient, test.method, "http://"+bound.HTTP+test.path); code != test.code {
			t.Errorf("%s %s: %d, want %d: %s", test.method, test.path, code, test.code, body)
		}
	}
}

// A proxy in front replaces or removes authorization; it does not know other
// spellings of it.
func TestTheEdgeTakesTheTokenFromAuthorizationOnly(t *testing.T) {
	bound := serve(t, &Settings{})
	req, err := http.NewRequestWithContext(t.Context(), http.MethodPost, "http://"+bound.HTTP+"/auth/v1/tokens:introspect", bytes.NewBufferString(`{"token":"x"}`))
	if err != nil {
		t.Fatal(err)
	}
	req.Header.Set("Grpc-Metadata-Authorization", "Bearer x")
	res, err := http.DefaultClient.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer res.Body.Close()
	if body, _ := io.ReadAll(res.Body); !bytes.Contains(body, []byte("TOKEN_MISSING")) {
		t.Errorf("%d %s", res.StatusCode, body)
	}
}

func TestHealthSaysServingOnlyWhenTheServiceIsReady(t *testing.T) {
	ports, err := freeport.Find(t.Context(), 1)
	if err != nil {
		t.Fatal(err)
	}
	addr := net.JoinHostPort("127.0.0.1", strconv.Itoa(ports[0]))
	var condition atomic.Int64
	condition.Store(int64(lifecycle.Unready))
	group, _ := start(t, &Settings{Listen: addr}, func() lifecycle.Health {
		return lifecycle.Health{Condition: lifecycle.Condition(condition.Load())}
	})
	conn, err := grpc.NewClient(addr, grpc.WithTransportCredentials(insecure.NewCredentials()))
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	watch, err := healthv1.NewHealthClient(conn).Watch(ctx, &healthv1.HealthCheckRequest{}, grpc.WaitForReady(true))
	if err != nil {
		t.Fatal(err)
	}
	serving, not := healthv1.HealthCheckResponse_SERVING, healthv1.HealthCheckResponse_NOT_SERVING
	for i, step := range []struct {
		want healthv1.HealthCheckResponse_ServingStatus
		next []lifecycle.Condition // that the dependency is in afterwards
	}{
		{not, []lifecycle.Condition{lifecycle.Degraded}}, // does its job, if badly
		{serving, []lifecycle.Condition{lifecycle.Ready, lifecycle.Unready}},
		{not, []lifecycle.Condition{lifecycle.Ready}},
		{serving, nil},
	} {
		r, err := watch.Recv()
		if err != nil {
			t.Fatal(err)
		}
		if r.GetStatus() != step.want {
			t.Errorf("step %d: %v, want %v", i, r.GetStatus(), step.want)
		}
		<-group.Started()
		for _, c := range step.next {
			condition.Store(int64(c))
		}
	}
}

func TestHealthHasAListenerWhereReasonsAreTold(t *testing.T) {
	group, bound := start(t, &Settings{HealthListen: "127.0.0.1:0"}, func() lifecycle.Health {
		return lifecycle.Health{Condition: lifecycle.Degraded, Reason: "12 s behind"}
	})
	<-group.Started()
	// A part that did not answer in time is not ready; soon it has answered.
	var code int
	var body string
	for end := time.Now().Add(patience); code != http.StatusOK && time.Now().Before(end); {
		code, body = get(t, http.DefaultClient, http.MethodGet, "http://"+bound().Health+"/readyz?verbose")
	}
	if code != http.StatusOK || !strings.Contains(body, "[~] dependency degraded: 12 s behind\n") {
		t.Errorf("%d %s", code, body)
	}
	code, body = get(t, http.DefaultClient, http.MethodGet, "http://"+bound().HTTP+"/readyz?verbose")
	if code != http.StatusOK || strings.Contains(body, "12 s") {
		t.Errorf("the edge tells strangers: %d %s", code, body)
	}
}

func TestAPortThatIsTakenIsNamedByItsFlag(t *testing.T) {
	taken, err := net.Listen("tcp", "127.0.0.1:0") //nolint:noctx // Loopback.
	if err != nil {
		t.Fatal(err)
	}
	defer taken.Close()
	const free = "127.0.0.1:0"
	for flag, settings := range map[string]*Settings{
		"--listen: ":        {Listen: taken.Addr().String()},
		"--http-listen: ":   {Listen: free, HTTPListen: taken.Addr().String()},
		"--health-listen: ": {Listen: free, HealthListen: taken.Addr().String()},
	} {
		group, err := lifecycle.New(lifecycle.WithoutSignals(), lifecycle.WithReportWriter(io.Discard))
		if err != nil {
			t.Fatal(err)
		}
		err = Add(&Runtime{Name: "test", Log: slog.New(slog.DiscardHandler), Group: group}, API{
			Settings: settings, Chain: testChain(t, settings),
			Register: func(s grpc.ServiceRegistrar) { authv1.RegisterTokenServiceServer(s, keys{}) },
		})
		if err == nil || !strings.HasPrefix(err.Error(), flag) {
			t.Errorf("%s%v", flag, err)
		}
	}
}

func TestAMethodWithoutARuleStopsTheServerFromStarting(t *testing.T) {
	group, err := lifecycle.New(lifecycle.WithoutSignals(), lifecycle.WithReportWriter(io.Discard))
	if err != nil {
		t.Fatal(err)
	}
	err = Add(&Runtime{Name: "test", Log: slog.New(slog.DiscardHandler), Group: group}, API{
		Settings: &Settings{Listen: "127.0.0.1:0"}, Chain: testChain(t, &Settings{}),
		Register: func(s grpc.ServiceRegistrar) {
			authv1.RegisterAccountServiceServer(s, authv1.UnimplementedAccountServiceServer{})
		},
	})
	if err == nil {
		t.Error("a method that the policy does not know was accepted")
	}
}

// authority issues certificates for the tests.
type authority struct {
	cert *x509.Certificate
	key  *ecdsa.PrivateKey
	pool *x509.CertPool
}

func newAuthority(t *testing.T) *authority {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	template := &x509.Certificate{
		SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: "test authority"}, IsCA: true, BasicConstraintsValid: true,
		NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(time.Hour), KeyUsage: x509.KeyUsageCertSign,
	}
	der, err := x509.CreateCertificate(rand.Reader, template, template, &key.PublicKey, key)
	if err != nil {
		t.Fatal(err)
	}
	cert, err := x509.ParseCertificate(der)
	if err != nil {
		t.Fatal(err)
	}
	a := &authority{cert: cert, key: key, pool: x509.NewCertPool()}
	a.pool.AddCert(cert)
	return a
}

// write issues a certificate into dir and returns the paths of chain and key.
func (a *authority) write(t *testing.T, dir string, serial int64) (certFile, keyFile string) {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	template := &x509.Certificate{
		SerialNumber: big.NewInt(serial), Subject: pkix.Name{CommonName: "test"}, IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1)},
		NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(time.Hour),
		ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth, x509.ExtKeyUsageClientAuth},
	}
	der, err := x509.CreateCertificate(rand.Reader, template, a.cert, &key.PublicKey, a.key)
	if err != nil {
		t.Fatal(err)
	}
	keyDER, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		t.Fatal(err)
	}
	certFile, keyFile = filepath.Join(dir, "tls.crt"), filepath.Join(dir, "tls.key")
	for file, block := range map[string]*pem.Block{
		certFile: {Type: "CERTIFICATE", Bytes: der}, keyFile: {Type: "PRIVATE KEY", Bytes: keyDER},
	} {
		if err := os.WriteFile(file, pem.EncodeToMemory(block), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	return certFile, keyFile
}

func TestATLSListenerTakesTLSOnlyAndTheEdgeStillWorks(t *testing.T) {
	ca := newAuthority(t)
	cert, key := ca.write(t, t.TempDir(), 2)
	bound := serve(t, &Settings{TLSCert: cert, TLSKey: key})
	if err := jwks(t, bound.GRPC, credentials.NewTLS(&tls.Config{RootCAs: ca.pool, MinVersion: tls.VersionTLS12})); err != nil {
		t.Errorf("TLS: %v", err)
	}
	if err := jwks(t, bound.GRPC, insecure.NewCredentials()); status.Code(err) != codes.Unavailable {
		t.Errorf("plaintext to a TLS listener: %v", err)
	}
	for _, http2 := range []bool{false, true} {
		client := &http.Client{Transport: &http.Transport{
			TLSClientConfig: &tls.Config{RootCAs: ca.pool, MinVersion: tls.VersionTLS12}, ForceAttemptHTTP2: http2,
		}}
		if code, body := get(t, client, http.MethodGet, "https://"+bound.HTTP+"/auth/v1/jwks"); code != http.StatusOK {
			t.Errorf("edge, HTTP/2 %v: %d %s", http2, code, body)
		}
		client.CloseIdleConnections()
	}
}

func TestMutualTLSRefusesAClientWithoutACertificate(t *testing.T) {
	ca := newAuthority(t)
	dir := t.TempDir()
	cert, key := ca.write(t, dir, 2)
	caFile := filepath.Join(dir, "ca.crt")
	if err := os.WriteFile(caFile, pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: ca.cert.Raw}), 0o600); err != nil {
		t.Fatal(err)
	}
	bound := serve(t, &Settings{TLSCert: cert, TLSKey: key, TLSClientCA: caFile})
	if err := jwks(t, bound.GRPC, credentials.NewTLS(&tls.Config{RootCAs: ca.pool, MinVersion: tls.VersionTLS12})); status.Code(err) != codes.Unavailable {
		t.Errorf("no client certificate: %v", err)
	}
	own, err := tls.LoadX509KeyPair(cert, key)
	if err != nil {
		t.Fatal(err)
	}
	with := &tls.Config{RootCAs: ca.pool, Certificates: []tls.Certificate{own}, MinVersion: tls.VersionTLS12}
	if err := jwks(t, bound.GRPC, credentials.NewTLS(with)); err != nil {
		t.Errorf("with a client certificate: %v", err)
	}
}

func TestNewCertificatesAndAuthoritiesAreTakenWithoutARestart(t *testing.T) {
	before, after := newAuthority(t), newAuthority(t)
	dir := t.TempDir()
	cert, key := before.write(t, dir, 2)
	own, err := tls.LoadX509KeyPair(cert, key)
	if err != nil {
		t.Fatal(err)
	}
	caFile := filepath.Join(dir, "ca.crt")
	trust := func(a *authority) {
		t.Helper()
		if err := os.WriteFile(caFile, pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: a.cert.Raw}), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	trust(before)
	bound := serve(t, &Settings{TLSCert: cert, TLSKey: key, TLSClientCA: caFile})
	both := x509.NewCertPool()
	both.AddCert(before.cert)
	both.AddCert(after.cert)
	client := &tls.Config{RootCAs: both, Certificates: []tls.Certificate{own}, NextProtos: protocols, MinVersion: tls.VersionTLS12}
	let := func(address string) (serial int64, in bool) {
		t.Helper()
		conn, err := tls.Dial("tcp", address, client)
		if err != nil {
			t.Fatal(err)
		}
		defer conn.Close()
		_ = conn.SetDeadline(time.Now().Add(patience))
		// The settings of HTTP/2, which both send first. A client that is refused reads why.
		_, err = conn.Read(make([]byte, 1))
		return conn.ConnectionState().PeerCertificates[0].SerialNumber.Int64(), err == nil
	}
	for _, step := range []struct {
		change func()
		serial int64
		in     bool
	}{
		{func() {}, 2, true},
		{func() { after.write(t, dir, 3) }, 3, true},
		{func() { trust(after) }, 3, false},
	} {
		step.change()
		for listener, address := range map[string]string{"grpc": bound.GRPC, "http": bound.HTTP} {
			if serial, in := let(address); serial != step.serial || in != step.in {
				t.Errorf("%s: certificate %d, let in %v; want %d, %v", listener, serial, in, step.serial, step.in)
			}
		}
	}
}

func TestCertificatesThatCannotBeUsedStopTheServerFromStarting(t *testing.T) {
	group, err := lifecycle.New(lifecycle.WithoutSignals(), lifecycle.WithReportWriter(io.Discard))
	if err != nil {
		t.Fatal(err)
	}
	settings := &Settings{Listen: "127.0.0.1:0", TLSCert: "none.crt", TLSKey: "none.key"}
	err = Add(&Runtime{Name: "test", Log: slog.New(slog.DiscardHandler), Group: group}, API{
		Settings: settings, Chain: testChain(t, settings), Register: func(grpc.ServiceRegistrar) {},
	})
	if ue := (*lifecycle.UsageError)(nil); !errors.As(err, &ue) || !strings.Contains(err.Error(), "none.crt") {
		t.Error(err)
	}
}
