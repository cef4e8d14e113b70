package platform

import (
	"os"
	"path/filepath"
	"regexp"
	"testing"

	"github.com/curfew-platform/curfew/e2e/stand"
)

// query is a block of a page for operators; its first line names the database.
var query = regexp.MustCompile("(?s)```sql (auth|orders|logproc)\n(.*?)```")

// Who reads a runbook at night must not have to repair its queries first.
func TestTheServingRolesMayRunTheQueriesOfTheRunbooks(t *testing.T) {
	databases := map[string]string{"auth": platform.AuthDatabase, "orders": platform.OrdersDatabase, "logproc": platform.LogprocDatabase}
	docs := filepath.Join("..", "..", "docs")
	pages, err := filepath.Glob(filepath.Join(docs, "runbooks", "*.md"))
	if err != nil {
		t.Fatal(err)
	}
	asked := map[string]bool{}
	for _, page := range append(pages, filepath.Join(docs, "recovery.md")) {
		content, err := os.ReadFile(page)
		if err != nil {
			t.Fatal(err)
		}
		for _, q := range query.FindAllStringSubmatch(string(content), -1) {
			asked[q[1]] = true
			conn, err := stand.Connect(t.Context(), databases[q[1]])
			if err != nil {
				t.Fatal(err)
			}
			if _, err := conn.Exec(t.Context(), "SET default_transaction_read_only = on; "+q[2]); err != nil {
				t.Errorf("%s, %s: %v\n%s", page, q[1], err, q[2])
			}
			if err := conn.Close(t.Context()); err != nil {
				t.Error(err)
			}
		}
	}
	if len(asked) != len(databases) {
		t.Errorf("the pages have queries for %v only", asked)
	}
}
