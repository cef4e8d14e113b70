package chain

import (
	"context"
	"crypto/ed25519"
	"strings"

	"github.com/golang-jwt/jwt/v5"
	"github.com/redis/go-redis/v9"
	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/metadata"

	"github.com/curfew-platform/curfew/pkg/interceptors/status"
)

// lookup is what a user would write instead: parse the token with golang-jwt
// and ask Redis whether it was revoked, on every call.
func lookup(public ed25519.PublicKey, client *redis.Client) grpc.UnaryServerInterceptor {
	parser := jwt.NewParser(jwt.WithValidMethods([]string{"EdDSA"}), jwt.WithAudience(audience), jwt.WithIssuer(issuer), jwt.WithExpirationRequired())
	key := func(*jwt.Token) (any, error) { return public, nil }
	return func(ctx context.Context, req any, _ *grpc.UnaryServerInfo, next grpc.UnaryHandler) (any, error) {
		md, _ := metadata.FromIncomingContext(ctx)
		values := md.Get("authorization")
		if len(values) != 1 {
			return nil, status.Plain(codes.Unauthenticated, "no token")
		}
		claims := jwt.MapClaims{}
		if _, err := parser.ParseWithClaims(strings.TrimPrefix(values[0], "Bearer "), claims, key); err != nil {
			return nil, status.Plain(codes.Unauthenticated, "bad token")
		}
		jti, _ := claims["jti"].(string)
		n, err := client.Exists(ctx, "revoked:"+jti).Result()
		if err != nil {
			return nil, status.Plain(codes.Unavailable, "redis is away")
		}
		if n > 0 {
			return nil, status.Plain(codes.Unauthenticated, "token revoked")
		}
		return next(ctx, req)
	}
}
