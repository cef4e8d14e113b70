package feedgrpc_test

import (
	"context"
	"testing"
	"time"

	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/metadata"

	"github.com/curfew-platform/curfew/pkg/interceptors"
	"github.com/curfew-platform/curfew/pkg/interceptors/authz"
	"github.com/curfew-platform/curfew/pkg/interceptors/identity"
	"github.com/curfew-platform/curfew/pkg/interceptors/revocation/feed/feedgrpc"
	"github.com/curfew-platform/curfew/pkg/interceptors/revocation/feed/feedtest"
	"github.com/curfew-platform/curfew/pkg/interceptors/revocation/none"
	"github.com/curfew-platform/curfew/pkg/interceptors/status"
	"github.com/curfew-platform/curfew/pkg/interceptors/token"
	"github.com/curfew-platform/curfew/pkg/interceptors/token/tokentest"
	revocationv1 "github.com/curfew-platform/curfew/proto/gen/curfew/revocation/v1"
)

const permissions = `{"roles": {"service": ["revocation.feed.watch", "revocation.receipts.await", "revocation.replicas.list"]}}`

type trusting struct{}

func (trusting) Introspect(context.Context, *identity.Identity, token.Raw) error { return nil }

// An error that the chain does not know becomes INTERNAL, and one at the end of
// a deadline loses what it says: that the revocation is committed.
func TestBehindAChainTheErrorsOfTheFeedReachTheCaller(t *testing.T) {
	tokens := tokentest.New(t)
	granted, err := authz.ParsePermissions([]byte(permissions))
	if err != nil {
		t.Fatal(err)
	}
	policy, err := authz.NewPolicy(authz.FileServices(revocationv1.File_curfew_revocation_v1_revocation_service_proto), granted)
	if err != nil {
		t.Fatal(err)
	}
	chain, err := interceptors.New(interceptors.Config{
		Verifier: tokens.Verifier(t), Revocation: none.Source{}, Policy: policy, Logger: quiet, Introspector: trusting{},
		Limits: interceptors.Limits{DefaultDeadline: 100 * time.Millisecond},
	})
	if err != nil {
		t.Fatal(err)
	}
	store := feedtest.NewMemory()
	s := serve(t, store, chain.ServerOptions()...)
	ctx := metadata.AppendToOutgoingContext(t.Context(), "authorization", "Bearer "+tokens.Service(t, "orders"))
	stream := zombie(ctx, t, s)

	_, err = s.client.AwaitRevocation(ctx, &revocationv1.AwaitRevocationRequest{Seq: store.Revoke(session("s"))})
	if info := status.Info(err); status.Code(err) != codes.DeadlineExceeded || info.GetReason() != feedgrpc.ReasonPending || info.GetMetadata()["seq"] != "1" {
		t.Errorf("a revocation that is committed: %v", err)
	}
	_, err = s.client.ListRevocationReplicas(ctx, &revocationv1.ListRevocationReplicasRequest{PageToken: "!"})
	if status.Code(err) != codes.InvalidArgument || status.Reason(err) != "REQUEST_INVALID" {
		t.Errorf("a page token of something else: %v", err)
	}
	if err := stream.Send(&revocationv1.WatchRevocationsRequest{}); err != nil {
		t.Fatal(err)
	}
	for err = nil; err == nil; {
		_, err = stream.Recv()
	}
	if status.Code(err) != codes.InvalidArgument || status.Reason(err) != "REQUEST_INVALID" {
		t.Errorf("an empty message: %v", err)
	}
}
