package postgres_test

import (
	"context"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/curfew-platform/curfew/pkg/interceptors/revocation"
)

// TestAHeadIsNotHeld: what a paused process has not committed is taken back, so
// that the revocations of the others wait for it no longer than that.
func TestAHeadIsNotHeldByAProcessThatStandsStill(t *testing.T) {
	d := open(t)
	user := d.user(t).ID
	rule := revocation.Rule{Kind: revocation.KindSubjectEpoch, Issuer: issuer, ID: user.String(), Epoch: 2}
	paused, err := d.pool.BeginTx(t.Context(), pgx.TxOptions{})
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = paused.Rollback(context.WithoutCancel(t.Context())) }()
	if _, err := d.Append(t.Context(), paused, rule); err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(t.Context(), 8*time.Second) // sessions wait 10 s elsewhere
	defer cancel()
	if _, seq, err := d.Deactivate(ctx, user); err != nil || seq != 1 {
		t.Fatalf("another revocation: position %d, %v", seq, err)
	}
	if err := paused.Commit(t.Context()); err == nil {
		t.Error("what was taken back was committed")
	}
}
