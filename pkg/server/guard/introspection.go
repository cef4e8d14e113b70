package guard

import (
	"context"
	"fmt"
	"log/slog"

	"google.golang.org/grpc"

	"github.com/curfew-platform/curfew/pkg/interceptors/revocation/introspection"
	"github.com/curfew-platform/curfew/pkg/interceptors/token"
	authv1 "github.com/curfew-platform/curfew/proto/gen/curfew/auth/v1"
)

// ask asks services/auth, which answers from what is committed, about one token.
func ask(conn grpc.ClientConnInterface) introspection.Ask {
	client := authv1.NewTokenServiceClient(conn)
	return func(ctx context.Context, raw token.Raw) (active bool, err error) {
		r, err := client.IntrospectToken(ctx, &authv1.IntrospectTokenRequest{Token: string(raw)})
		if err != nil {
			return false, fmt.Errorf("introspect: %w", err)
		}
		return r.GetActive(), nil
	}
}

// newIntrospection is the source that asks about every call.
func newIntrospection(settings *Settings, log *slog.Logger, conn grpc.ClientConnInterface) (*introspection.Source, error) {
	source, err := introspection.New(ask(conn), log, introspection.Options{MaxAge: settings.IntrospectionMaxAge})
	if err != nil {
		return nil, fmt.Errorf("guard: %w", err)
	}
	return source, nil
}
