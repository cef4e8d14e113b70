package quickstart

import (
	_ "embed"
	"log/slog"

	"google.golang.org/grpc"

	"github.com/curfew-platform/curfew/pkg/interceptors"
	"github.com/curfew-platform/curfew/pkg/interceptors/authz"
	"github.com/curfew-platform/curfew/pkg/interceptors/creds"
	"github.com/curfew-platform/curfew/pkg/interceptors/revocation"
	ordersv1 "github.com/curfew-platform/curfew/proto/gen/curfew/orders/v1"
)

//go:embed permissions.json
var permissions []byte

// NewServer returns a server that refuses what its rules do not allow. It fails
// if a method has no rule, or a link of the chain is missing.
func NewServer(tokens interceptors.Verifier, revoked revocation.Source, catalog ordersv1.CatalogServiceServer, log *slog.Logger) (*grpc.Server, error) {
	roles, err := authz.ParsePermissions(permissions)
	if err != nil {
		return nil, err
	}
	policy, err := authz.NewPolicy(authz.FileServices(ordersv1.File_curfew_orders_v1_catalog_service_proto), roles)
	if err != nil {
		return nil, err
	}
	chain, err := interceptors.New(interceptors.Config{
		Verifier: tokens, Revocation: revoked, Policy: policy,
		Logger: log, Audit: interceptors.AuditLog(log),
	})
	if err != nil {
		return nil, err
	}
	options := append(chain.ServerOptions(), grpc.KeepaliveEnforcementPolicy(creds.Enforcement()))
	server := grpc.NewServer(options...)
	ordersv1.RegisterCatalogServiceServer(server, catalog)
	return server, chain.Check(server)
}
