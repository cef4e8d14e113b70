package chain

import (
	"bufio"
	"context"
	"crypto/ed25519"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"os"
	"sync"
	"syscall"
	"time"

	"github.com/golang-jwt/jwt/v5"
	"github.com/google/uuid"
	"github.com/redis/go-redis/v9"
	sdkmetric "go.opentelemetry.io/otel/sdk/metric"
	"google.golang.org/grpc"
	"google.golang.org/protobuf/reflect/protoreflect"

	"github.com/curfew-platform/curfew/bench/internal/echo"
	"github.com/curfew-platform/curfew/pkg/interceptors"
	"github.com/curfew-platform/curfew/pkg/interceptors/authz"
	"github.com/curfew-platform/curfew/pkg/interceptors/rate"
	"github.com/curfew-platform/curfew/pkg/interceptors/revocation"
	"github.com/curfew-platform/curfew/pkg/interceptors/telemetry"
	"github.com/curfew-platform/curfew/pkg/interceptors/token"
)

// Child is the first argument of a process that Main is for.
const Child = "chain-server"

// endpoints are where a server process serves, and the token that it takes.
type endpoints struct {
	Full   string `json:"full"`
	Peer   string `json:"peer"`
	Bearer string `json:"bearer"`
}

// Main is the life of a server process; args are those after Child: the address
// of Redis. It says where it serves, then for each line of stdin how many
// nanoseconds of processor time it has used, and ends with stdin.
func Main(args []string, stdin io.Reader, stdout io.Writer) int {
	if err := serve(args, stdin, stdout); err != nil {
		fmt.Fprintln(os.Stderr, "bench chain:", err)
		return 1
	}
	return 0
}

func serve(args []string, stdin io.Reader, stdout io.Writer) error {
	if len(args) != 1 {
		return errors.New("want the address of Redis")
	}
	ctx, cancel := context.WithCancel(context.Background())
	var running sync.WaitGroup
	defer running.Wait()
	defer cancel()
	public, private, err := ed25519.GenerateKey(nil)
	if err != nil {
		return fmt.Errorf("key: %w", err)
	}
	source, err := follow(ctx, &running)
	if err != nil {
		return err
	}
	ch, err := newChain(public, source)
	if err != nil {
		return err
	}
	client := redis.NewClient(&redis.Options{Addr: args[0], PoolSize: clients})
	defer func() { _ = client.Close() }()
	var at endpoints
	if at.Bearer, err = accessToken(private); err != nil {
		return err
	}
	full, err := listen(&at.Full, &running, ch.ServerOptions()...)
	if err != nil {
		return err
	}
	defer full.Stop()
	peer, err := listen(&at.Peer, &running, append(ch.ServerOptions(), grpc.ChainUnaryInterceptor(lookup(public, client)))...)
	if err != nil {
		return err
	}
	defer peer.Stop()
	if err := json.NewEncoder(stdout).Encode(at); err != nil {
		return fmt.Errorf("say where: %w", err)
	}
	for lines := bufio.NewScanner(stdin); lines.Scan(); {
		if _, err := fmt.Fprintln(stdout, processorTime().Nanoseconds()); err != nil {
			return fmt.Errorf("say how much: %w", err)
		}
	}
	return nil
}

// newChain has every link at work but the rate of callers: without the three
// links that are measured there is no caller.
func newChain(public ed25519.PublicKey, source revocation.Source) (*interceptors.Chain, error) {
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
	meter, err := telemetry.New(sdkmetric.NewMeterProvider(sdkmetric.WithReader(sdkmetric.NewManualReader())))
	if err != nil {
		return nil, err
	}
	return interceptors.New(interceptors.Config{
		Verifier: verifier, Revocation: source, Policy: policy, Metrics: meter,
		Rates:  interceptors.Rates{Address: rate.Limit{PerSecond: 1e6}},
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

func listen(addr *string, running *sync.WaitGroup, options ...grpc.ServerOption) (*grpc.Server, error) {
	l, err := new(net.ListenConfig).Listen(context.Background(), "tcp", "127.0.0.1:0")
	if err != nil {
		return nil, fmt.Errorf("listen: %w", err)
	}
	*addr = l.Addr().String()
	srv := grpc.NewServer(options...)
	echo.Register(srv, serviceName, "Guarded", "Public")
	running.Go(func() { _ = srv.Serve(l) }) // ends with Stop
	return srv, nil
}

// processorTime is what this process has used of all processors.
func processorTime() time.Duration {
	var u syscall.Rusage
	if syscall.Getrusage(syscall.RUSAGE_SELF, &u) != nil {
		return 0
	}
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}
