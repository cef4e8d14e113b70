// Package chain measures what authentication, revocation and authorization add
// to a call: the full chain against the identical chain with those three links
// passing, and against golang-jwt with Redis EXISTS per call.
package chain

import (
	"context"
	"crypto/ed25519"
	"fmt"
	"io"
	"log/slog"
	"net"
	"time"

	"github.com/golang-jwt/jwt/v5"
	"github.com/google/uuid"
	"github.com/redis/go-redis/v9"
	"golang.org/x/sync/errgroup"
	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials/insecure"
	"google.golang.org/grpc/metadata"
	"google.golang.org/protobuf/reflect/protoreflect"
	"google.golang.org/protobuf/types/known/wrapperspb"

	"github.com/curfew-platform/curfew/bench/ratio"
	"github.com/curfew-platform/curfew/pkg/interceptors"
	"github.com/curfew-platform/curfew/pkg/interceptors/authz"
	"github.com/curfew-platform/curfew/pkg/interceptors/revocation/memory"
	"github.com/curfew-platform/curfew/pkg/interceptors/token"
)

const (
	issuer   = "https://auth.curfew.dev"
	audience = "curfew"
	clients  = 4
	calls    = 20_000 // of one run
	patience = time.Minute
)

// Run measures calls in time: seconds for the same number of calls, pairs
// times. redisAddr is a real server.
func Run(ctx context.Context, pairs int, redisAddr string) ([]ratio.Result, error) {
	b, err := newBench(redisAddr)
	if err != nil {
		return nil, err
	}
	defer b.close()
	guarded := func() (float64, error) { return b.run(ctx, b.full, guardedMethod) }
	without := func() (float64, error) { return b.run(ctx, b.full, publicMethod) }
	peer := func() (float64, error) { return b.run(ctx, b.peer, publicMethod) }
	for _, warm := range []func() (float64, error){guarded, without, peer} {
		if _, err := warm(); err != nil {
			return nil, err
		}
	}
	chain, err := ratio.Measure(pairs, guarded, without)
	if err != nil {
		return nil, err
	}
	against, err := ratio.Measure(pairs, guarded, peer)
	if err != nil {
		return nil, err
	}
	return []ratio.Result{
		{Name: "full chain / the identical chain without authentication, revocation and authorization, same metadata", Unit: "us/call", Goal: 1.10, Below: true, Pairs: chain},
		{Name: "full chain / the same chain with golang-jwt and Redis EXISTS on every call instead", Unit: "us/call", Goal: 1, Below: true, Pairs: against},
	}, nil
}

type bench struct {
	full, peer *grpc.ClientConn
	redis      *redis.Client
	servers    []*grpc.Server
	bearer     string
}

func newBench(redisAddr string) (*bench, error) {
	public, private, err := ed25519.GenerateKey(nil)
	if err != nil {
		return nil, fmt.Errorf("bench: %w", err)
	}
	ch, err := newChain(public)
	if err != nil {
		return nil, err
	}
	b := &bench{redis: redis.NewClient(&redis.Options{Addr: redisAddr})}
	if b.bearer, err = accessToken(private); err != nil {
		return nil, err
	}
	if b.full, err = b.serve(ch.ServerOptions()...); err != nil {
		return nil, err
	}
	b.peer, err = b.serve(append(ch.ServerOptions(), grpc.ChainUnaryInterceptor(lookup(public, b.redis)))...)
	return b, err
}

func newChain(public ed25519.PublicKey) (*interceptors.Chain, error) {
	keys, err := token.NewStatic(token.Key{ID: "bench", Algorithm: token.EdDSA, Public: public})
	if err != nil {
		return nil, err
	}
	verifier, err := token.NewVerifier(token.Curfew(issuer, keys))
	if err != nil {
		return nil, err
	}
	service, err := descriptor()
	if err != nil {
		return nil, err
	}
	perms, err := authz.ParsePermissions([]byte(`{"roles": {"customer": ["` + permission + `"]}}`))
	if err != nil {
		return nil, err
	}
	policy, err := authz.NewPolicy([]protoreflect.ServiceDescriptor{service}, perms)
	if err != nil {
		return nil, err
	}
	return interceptors.New(interceptors.Config{
		Verifier: verifier, Revocation: memory.New(nil), Policy: policy,
		Logger: slog.New(slog.NewJSONHandler(io.Discard, nil)), //nolint:sloglint // Formatting the line is part of the cost.
	})
}

func accessToken(private ed25519.PrivateKey) (string, error) {
	now := time.Now()
	t := jwt.NewWithClaims(jwt.SigningMethodEdDSA, jwt.MapClaims{
		"iss": issuer, "aud": []string{audience}, "sub": uuid.NewString(), "sid": uuid.NewString(), "jti": uuid.NewString(),
		"epoch": 1, "roles": []string{"customer"}, "auth_time": now.Unix(), "acr": "aal1",
		"iat": now.Unix(), "nbf": now.Unix(), "exp": now.Add(time.Hour).Unix(),
	})
	t.Header["typ"], t.Header["kid"] = "at+jwt", "bench"
	signed, err := t.SignedString(private)
	if err != nil {
		return "", fmt.Errorf("sign: %w", err)
	}
	return "Bearer " + signed, nil
}

func (b *bench) serve(options ...grpc.ServerOption) (*grpc.ClientConn, error) {
	l, err := new(net.ListenConfig).Listen(context.Background(), "tcp", "127.0.0.1:0")
	if err != nil {
		return nil, fmt.Errorf("listen: %w", err)
	}
	srv := grpc.NewServer(options...)
	register(srv)
	b.servers = append(b.servers, srv)
	go func() { _ = srv.Serve(l) }() // ends with Stop in close
	conn, err := grpc.NewClient(l.Addr().String(), grpc.WithTransportCredentials(insecure.NewCredentials()))
	if err != nil {
		return nil, fmt.Errorf("dial: %w", err)
	}
	return conn, nil
}

func (b *bench) close() {
	_ = b.full.Close()
	_ = b.peer.Close()
	_ = b.redis.Close()
	for _, srv := range b.servers {
		srv.Stop()
	}
}

// run returns the microseconds a call takes, with several clients at work.
func (b *bench) run(ctx context.Context, conn *grpc.ClientConn, method string) (float64, error) {
	ctx, cancel := context.WithTimeout(metadata.AppendToOutgoingContext(ctx, "authorization", b.bearer), patience)
	defer cancel()
	start := time.Now()
	g, ctx := errgroup.WithContext(ctx)
	for range clients {
		g.Go(func() error {
			in, out := wrapperspb.String("hello"), &wrapperspb.StringValue{}
			for range calls / clients {
				if err := conn.Invoke(ctx, method, in, out); err != nil {
					return fmt.Errorf("call %s: %w", method, err)
				}
			}
			return nil
		})
	}
	err := g.Wait()
	return float64(time.Since(start).Microseconds()) / calls, err
}
