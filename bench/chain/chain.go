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
	"syscall"
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
	calls    = 4000 // of one run
	finer    = 5    // times as many pairs where the difference is small
	patience = time.Minute
)

// Run measures each comparison in pairs of short runs. redisAddr is a real
// server. Processor time is that of this process, client and server together,
// so that whatever else the machine does meets it less than the time of the
// wall.
func Run(ctx context.Context, pairs int, redisAddr string) ([]ratio.Result, error) {
	b, err := newBench(redisAddr)
	if err != nil {
		return nil, err
	}
	defer b.close()
	run := func(conn *grpc.ClientConn, method string, read func(spent) float64) func() (float64, error) {
		return func() (float64, error) {
			s, err := b.run(ctx, conn, method)
			return read(s), err
		}
	}
	links := "authentication, revocation and authorization"
	comparisons := []struct {
		result       ratio.Result
		ours, theirs func() (float64, error)
		pairs        int
	}{
		{
			ratio.Result{Name: "full chain / the identical chain without " + links + ", same metadata, processor time", Unit: "us/call", Goal: 1.03, Below: true},
			run(b.full, guardedMethod, processor), run(b.full, publicMethod, processor), pairs * finer,
		},
		{
			ratio.Result{Name: "full chain / the identical chain without " + links + ", same metadata, time", Unit: "us/call", Goal: 1.03, Below: true},
			run(b.full, guardedMethod, wall), run(b.full, publicMethod, wall), pairs * finer,
		},
		{
			ratio.Result{Name: "calls per second over loopback: full chain / the same chain with golang-jwt and Redis EXISTS on every call instead", Unit: "calls/s", Goal: 3},
			run(b.full, guardedMethod, perSecond), run(b.peer, publicMethod, perSecond), pairs,
		},
	}
	var out []ratio.Result
	for _, c := range comparisons {
		for _, warm := range []func() (float64, error){c.ours, c.theirs} {
			if _, err := warm(); err != nil {
				return nil, err
			}
		}
		if c.result.Pairs, err = ratio.Measure(c.pairs, c.ours, c.theirs); err != nil {
			return nil, err
		}
		out = append(out, c.result)
	}
	return out, nil
}

// spent is what one run took.
type spent struct{ wall, processor time.Duration }

func wall(s spent) float64      { return float64(s.wall.Microseconds()) / calls }
func processor(s spent) float64 { return float64(s.processor.Microseconds()) / calls }
func perSecond(s spent) float64 { return calls / s.wall.Seconds() }

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

// run makes the calls of one run, with several clients at work.
func (b *bench) run(ctx context.Context, conn *grpc.ClientConn, method string) (spent, error) {
	ctx, cancel := context.WithTimeout(metadata.AppendToOutgoingContext(ctx, "authorization", b.bearer), patience)
	defer cancel()
	start, used := time.Now(), processorTime()
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
	return spent{wall: time.Since(start), processor: processorTime() - used}, err
}

// processorTime is what this process has used of all processors.
func processorTime() time.Duration {
	var u syscall.Rusage
	if syscall.Getrusage(syscall.RUSAGE_SELF, &u) != nil {
		return 0
	}
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}
