package quickstart_test

import (
	"context"
	"errors"
	"testing"
	"time"

	"github.com/curfew-platform/curfew/e2e/quickstart"
	"github.com/curfew-platform/curfew/pkg/interceptors/identity"
	"github.com/curfew-platform/curfew/pkg/interceptors/revocation"
	"github.com/curfew-platform/curfew/pkg/interceptors/revocation/memory"
	ordersv1 "github.com/curfew-platform/curfew/proto/gen/curfew/orders/v1"
)

func TestAHandlerSavesForItsCallerAndNothingOnceTheTokenIsRevoked(t *testing.T) {
	source, caller := memory.New(), &identity.Identity{Issuer: "https://idp.example.com", Subject: "alice", SessionID: "s1"}
	ctx := identity.NewContext(t.Context(), caller)
	ctx = revocation.NewContext(ctx, &revocation.Admission{Source: source, Identity: caller})
	var saved []string
	catalog := quickstart.Catalog{Save: func(_ context.Context, caller string, p *ordersv1.Product) error {
		saved = append(saved, caller+" "+p.GetName())
		return nil
	}}
	request := &ordersv1.UpsertProductRequest{Product: &ordersv1.Product{Name: "products/tea"}}
	if _, err := catalog.UpsertProduct(ctx, request); err != nil {
		t.Fatal(err)
	}
	if _, err := source.Revoke(revocation.Rule{
		Kind: revocation.KindSession, Issuer: caller.Issuer, ID: "s1", KeepUntil: time.Now().Add(time.Hour),
	}); err != nil {
		t.Fatal(err)
	}
	if _, err := catalog.UpsertProduct(ctx, request); !errors.Is(err, revocation.ErrRevoked) {
		t.Errorf("after the revocation: %v", err)
	}
	if len(saved) != 1 || saved[0] != "users/alice products/tea" {
		t.Errorf("saved %q", saved)
	}
}
