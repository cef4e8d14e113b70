package quickstart_test

import (
	"context"
	"crypto/ed25519"
	"crypto/x509"
	"encoding/base64"
	"encoding/pem"
	"fmt"
	"log/slog"
	"maps"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"sync"
	"testing"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/metadata"
	"google.golang.org/protobuf/types/known/timestamppb"

	"github.com/curfew-platform/curfew/e2e/quickstart"
	"github.com/curfew-platform/curfew/pkg/interceptors/creds"
	"github.com/curfew-platform/curfew/pkg/interceptors/identity"
	"github.com/curfew-platform/curfew/pkg/interceptors/revocation"
	"github.com/curfew-platform/curfew/pkg/interceptors/revocation/feed"
	"github.com/curfew-platform/curfew/pkg/interceptors/revocation/feed/feedgrpc"
	"github.com/curfew-platform/curfew/pkg/interceptors/revocation/feed/feedtest"
	"github.com/curfew-platform/curfew/pkg/interceptors/revocation/memory"
	"github.com/curfew-platform/curfew/pkg/interceptors/status"
	"github.com/curfew-platform/curfew/pkg/interceptors/token"
	"github.com/curfew-platform/curfew/pkg/interceptors/token/tokentest"
	authv1 "github.com/curfew-platform/curfew/proto/gen/curfew/auth/v1"
	ordersv1 "github.com/curfew-platform/curfew/proto/gen/curfew/orders/v1"
	revocationv1 "github.com/curfew-platform/curfew/proto/gen/curfew/revocation/v1"
)

var quiet = slog.New(slog.DiscardHandler)

type catalog struct {
	ordersv1.UnimplementedCatalogServiceServer
}

func (catalog) ListProducts(context.Context, *ordersv1.ListProductsRequest) (*ordersv1.ListProductsResponse, error) {
	return &ordersv1.ListProductsResponse{}, nil
}

// provider is any OpenID Connect issuer, over TLS.
func provider(t *testing.T, keys *tokentest.Issuer) *httptest.Server {
	t.Helper()
	var server *httptest.Server
	server = httptest.NewTLSServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path == "/.well-known/openid-configuration" {
			_, _ = fmt.Fprintf(w, `{"issuer": %q, "jwks_uri": %q}`, server.URL, server.URL+"/keys")
			return
		}
		_, _ = fmt.Fprintf(w, `{"keys": [{"kty": "OKP", "crv": "Ed25519", "kid": %q, "x": %q}]}`, tokentest.KeyID,
			base64.RawURLEncoding.EncodeToString(keys.Public()))
	}))
	t.Cleanup(server.Close)
	return server
}

// listen serves until the test ends and returns the address.
func listen(t *testing.T, server *grpc.Server) string {
	t.Helper()
	lis, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	var wg sync.WaitGroup
	wg.Go(func() { _ = server.Serve(lis) })
	t.Cleanup(func() {
		server.Stop()
		wg.Wait()
	})
	return lis.Addr().String()
}

// service is a server whose issuer mints what a test wants.
func service(t *testing.T, revoked revocation.Source) (call func(raw string) error, mint func(change tokentest.Claims) string) {
	t.Helper()
	keys := tokentest.New(t)
	issuer := provider(t, keys)
	tokens, err := quickstart.Tokens(issuer.URL, "shop", issuer.Client(), quiet)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(tokens.Close)
	return serve(t, tokens, revoked), func(change tokentest.Claims) string {
		now := time.Now().Unix()
		claims := tokentest.Claims{"iss": issuer.URL, "aud": "shop", "sub": "u1", "sid": "s1", "roles": []string{"customer"}, "iat": now, "exp": now + 300}
		maps.Copy(claims, change)
		return keys.Sign(t, tokentest.Claims{"alg": "EdDSA", "typ": "JWT", "kid": tokentest.KeyID}, claims)
	}
}

// serve runs the server of the page and returns how to call it with a token.
func serve(t *testing.T, tokens *token.Verifier, revoked revocation.Source) (call func(raw string) error) {
	t.Helper()
	server, err := quickstart.NewServer(tokens, revoked, catalog{}, quiet)
	if err != nil {
		t.Fatal(err)
	}
	conn, err := creds.Dial(creds.Target{Address: listen(t, server)}, nil)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = conn.Close() })
	client := ordersv1.NewCatalogServiceClient(conn)
	return func(raw string) error {
		ctx := metadata.AppendToOutgoingContext(t.Context(), "authorization", "Bearer "+raw)
		_, err := client.ListProducts(ctx, &ordersv1.ListProductsRequest{})
		return err
	}
}

func want(t *testing.T, err error, code codes.Code, reason string) {
	t.Helper()
	if status.Code(err) != code || status.Reason(err) != reason {
		t.Errorf("got %v (%s), want %v (%s)", err, status.Reason(err), code, reason)
	}
}

func TestAServiceChecksTheTokensOfAnyIssuer(t *testing.T) {
	source := memory.New()
	call, mint := service(t, source)
	good := mint(nil)
	want(t, call(good), codes.OK, "")
	want(t, call(mint(tokentest.Claims{"aud": "another"})), codes.Unauthenticated, "TOKEN_WRONG_AUDIENCE")
	want(t, call(mint(tokentest.Claims{"roles": []string{"visitor"}})), codes.PermissionDenied, "PERMISSION_DENIED")
	want(t, call("x"), codes.Unauthenticated, "TOKEN_MALFORMED")
	iss := issuerOf(t, good)
	if _, err := source.Revoke(revocation.Rule{Kind: revocation.KindSession, Issuer: iss, ID: "s1", KeepUntil: time.Now().Add(time.Hour)}); err != nil {
		t.Fatal(err)
	}
	want(t, call(good), codes.Unauthenticated, "TOKEN_REVOKED")
	want(t, call(mint(tokentest.Claims{"sid": "s2"})), codes.OK, "")
}

// auth stands for services/auth: it gives service tokens and serves the feed.
type auth struct {
	authv1.UnimplementedAuthServiceServer
	t      *testing.T
	issuer *tokentest.Issuer
}

func (a auth) IssueServiceToken(context.Context, *authv1.IssueServiceTokenRequest) (*authv1.IssueServiceTokenResponse, error) {
	return &authv1.IssueServiceTokenResponse{
		AccessToken: a.issuer.Service(a.t, "catalog"), AccessExpiresAt: timestamppb.New(time.Now().Add(5 * time.Minute)),
	}, nil
}

type caller struct {
	grpc.ServerStream
	ctx context.Context
}

func (c caller) Context() context.Context { return c.ctx }

func TestARevocationIsInForceHereWhenTheOneWhoRevokedIsTold(t *testing.T) {
	issuer := tokentest.New(t)
	verifier := issuer.Verifier(t)
	authenticated := func(srv any, ss grpc.ServerStream, _ *grpc.StreamServerInfo, handler grpc.StreamHandler) error {
		md, _ := metadata.FromIncomingContext(ss.Context())
		id, err := verifier.Verify(ss.Context(), md.Get("authorization")[0][len("Bearer "):])
		if err != nil {
			return err
		}
		return handler(srv, caller{ss, identity.NewContext(ss.Context(), id)})
	}
	store := feedtest.NewMemory()
	engine, err := feed.New(feed.Config{Store: store, Replica: "auth-0", Poll: 20 * time.Millisecond, Wake: store.Wake()})
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	var running sync.WaitGroup
	running.Go(func() { _ = engine.Run(ctx) })
	server := grpc.NewServer(grpc.StreamInterceptor(authenticated))
	revocationv1.RegisterRevocationServiceServer(server, feedgrpc.New(engine, nil))
	authv1.RegisterAuthServiceServer(server, auth{t: t, issuer: issuer})
	conn, hangUp, err := quickstart.Connect(creds.Target{Address: listen(t, server)}, "catalog", keyFile(t))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		hangUp()
		cancel()
		running.Wait()
	})
	source, err := quickstart.Revocations(conn, "catalog-0", quiet)
	if err != nil {
		t.Fatal(err)
	}
	running.Go(func() { _ = source.Run(ctx) })
	<-source.Ready()

	call, mint := service(t, source)
	stolen := mint(nil)
	want(t, call(stolen), codes.OK, "")
	seq := store.Revoke(revocation.Rule{Kind: revocation.KindSession, Issuer: issuerOf(t, stolen), ID: "s1", KeepUntil: time.Now().Add(time.Hour)})
	if _, err := engine.Await(t.Context(), seq); err != nil { // what ChangePassword or Logout wait for
		t.Fatal(err)
	}
	want(t, call(stolen), codes.Unauthenticated, "TOKEN_REVOKED")
	if err := source.Leave(t.Context()); err != nil {
		t.Error(err)
	}
}

func keyFile(t *testing.T) string {
	t.Helper()
	_, private, err := ed25519.GenerateKey(nil)
	if err != nil {
		t.Fatal(err)
	}
	der, err := x509.MarshalPKCS8PrivateKey(private)
	if err != nil {
		t.Fatal(err)
	}
	path := filepath.Join(t.TempDir(), "key.pem")
	if err := os.WriteFile(path, pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: der}), 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}
