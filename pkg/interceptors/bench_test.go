package interceptors_test

import (
	"context"
	"testing"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/metadata"

	"github.com/curfew-platform/curfew/pkg/interceptors"
	"github.com/curfew-platform/curfew/pkg/interceptors/identity"
	"github.com/curfew-platform/curfew/pkg/interceptors/internal/shop"
	"github.com/curfew-platform/curfew/pkg/interceptors/revocation/memory"
	"github.com/curfew-platform/curfew/pkg/interceptors/token/tokentest"
)

// installed returns the unary interceptor of a chain, without a transport.
func installed(b *testing.B, issuer *tokentest.Issuer) grpc.UnaryServerInterceptor {
	b.Helper()
	chain, err := interceptors.New(interceptors.Config{
		Verifier: issuer.Verifier(b), Revocation: memory.New(), Policy: policy(b),
		Logger: discard,
		Audit:  &auditRecorder{}, Introspector: introspector(func() error { return nil }),
	})
	if err != nil {
		b.Fatal(err)
	}
	return chain.Unary()
}

// transport takes the headers that a call sets.
type transport struct{}

func (transport) Method() string               { return "" }
func (transport) SetHeader(metadata.MD) error  { return nil }
func (transport) SendHeader(metadata.MD) error { return nil }
func (transport) SetTrailer(metadata.MD) error { return nil }

// BenchmarkChain is the whole chain on a cached token, without a transport,
// beside the same chain on a public method: the difference is authentication,
// revocation and authorization.
func BenchmarkChain(b *testing.B) {
	issuer := tokentest.New(b)
	intercept := installed(b, issuer)
	request := shop.Message{Name: "users/u1/things/1"}.Proto()
	handler := func(context.Context, any) (any, error) { return request, nil }
	ctx := metadata.NewIncomingContext(context.Background(), metadata.MD{
		"authorization": {"Bearer " + issuer.User(b, "u1", []string{"customer"})}, ":authority": {"shop"},
		"content-type": {"application/grpc"}, "user-agent": {"grpc-go/1.85.0"}, "x-request-id": {"bench-1"},
	})
	ctx = grpc.NewContextWithServerTransportStream(ctx, transport{})
	for _, method := range []string{"Get", "Login"} {
		name := map[string]string{"Get": "authenticated", "Login": "public"}[method]
		b.Run(name, func(b *testing.B) {
			info := &grpc.UnaryServerInfo{FullMethod: "/" + shop.ServiceName + "/" + method}
			b.ReportAllocs()
			b.RunParallel(func(pb *testing.PB) {
				for pb.Next() {
					if _, err := intercept(ctx, request, info, handler); err != nil {
						b.Error(err)
						return
					}
				}
			})
		})
	}
}

// BenchmarkVerify is one verification, from the cache and not.
func BenchmarkVerify(b *testing.B) {
	issuer := tokentest.New(b)
	v := issuer.Verifier(b)
	raw := issuer.User(b, "u1", []string{"customer"})
	b.Run("cached", func(b *testing.B) {
		b.ReportAllocs()
		for b.Loop() {
			if _, err := v.Verify(b.Context(), raw); err != nil {
				b.Fatal(err)
			}
		}
	})
	b.Run("first", func(b *testing.B) {
		b.ReportAllocs()
		for i := range b.N {
			b.StopTimer()
			fresh := issuer.User(b, "u1", []string{"customer"}, tokentest.Claims{"epoch": i})
			b.StartTimer()
			if _, err := v.Verify(b.Context(), fresh); err != nil {
				b.Fatal(err)
			}
		}
	})
}

// BenchmarkAuthorize is one rule on one request.
func BenchmarkAuthorize(b *testing.B) {
	rule, ok := policy(b).Rule("/" + shop.ServiceName + "/Get")
	if !ok {
		b.Fatal("no rule")
	}
	id := &identity.Identity{Subject: "u1", Roles: []string{"customer"}}
	request, now := shop.Message{Name: "users/u1/things/1"}.Proto(), time.Now()
	b.ReportAllocs()
	for b.Loop() {
		if err := rule.Request(id, request, now); err != nil {
			b.Fatal(err)
		}
	}
}
