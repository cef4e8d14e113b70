// Package ordertest is what the tests of the orders service share: a database
// of their own, fixtures, a counter of statements, and the invariants.
package ordertest

import (
	"context"
	_ "embed"
	"fmt"
	"strings"
	"testing"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"
)

//go:embed invariants.sql
var invariantsSQL string

// Invariant is a statement that returns a row for everything that breaks it.
type Invariant struct{ Name, SQL string }

// Invariants returns all of them.
func Invariants() []Invariant {
	var all []Invariant
	for _, block := range strings.Split(invariantsSQL, "-- name: ")[1:] {
		name, sql, _ := strings.Cut(block, "\n")
		all = append(all, Invariant{Name: name, SQL: strings.TrimSuffix(strings.TrimSpace(sql), ";")})
	}
	return all
}

// Check fails the test for every invariant that the database breaks.
func Check(t testing.TB, db *pgxpool.Pool) {
	t.Helper()
	for name, rows := range Broken(t, db) {
		t.Errorf("broken: %s: %v", name, rows)
	}
}

// Broken returns the invariants that the database breaks, with the first rows.
func Broken(t testing.TB, db *pgxpool.Pool) map[string][]string {
	t.Helper()
	broken := map[string][]string{}
	for _, i := range Invariants() {
		rows, err := db.Query(context.Background(), "SELECT * FROM ("+i.SQL+") broken LIMIT 3")
		if err != nil {
			t.Fatalf("invariant %q: %v", i.Name, err)
		}
		found, err := pgx.CollectRows(rows, pgx.RowToMap)
		if err != nil {
			t.Fatalf("invariant %q: %v", i.Name, err)
		}
		for _, f := range found {
			broken[i.Name] = append(broken[i.Name], fmt.Sprint(f))
		}
	}
	return broken
}
