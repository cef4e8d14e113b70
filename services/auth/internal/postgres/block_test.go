package postgres_test

import (
	"testing"
	"time"

	"github.com/curfew-platform/curfew/pkg/interceptors/revocation"
)

// TestTheRuleOfABlock: it is about the tokens of tomorrow too, and what is cleaned
// up is missed by every process that starts later.
func TestTheRuleOfABlockIsKeptToTheEndOfTheBlock(t *testing.T) {
	d := open(t)
	now := time.Now()
	tx, err := d.pool.Begin(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	block := func(id string, until time.Duration) revocation.Rule {
		return revocation.Rule{Kind: revocation.KindSubjectBlock, Issuer: issuer, ID: id, Until: now.Add(until), KeepUntil: now.Add(-time.Hour)}
	}
	if _, err := d.Append(t.Context(), tx, block("lasts", time.Hour), block("over", -time.Minute)); err != nil {
		t.Fatal(err)
	}
	if err := tx.Commit(t.Context()); err != nil {
		t.Fatal(err)
	}
	if _, err := d.CleanUp(t.Context()); err != nil {
		t.Fatal(err)
	}
	if left := scan[string](t, d, `SELECT string_agg(subject, ',') FROM revocation_rules`); left != "lasts" {
		t.Errorf("what is kept: %q, want the block that lasts", left)
	}
}
