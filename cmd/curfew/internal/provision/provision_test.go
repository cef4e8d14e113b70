package provision

import (
	"bytes"
	"context"
	"encoding/json"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/jackc/pgx/v5"

	"github.com/curfew-platform/curfew/pkg/localenv/postgres"
	"github.com/curfew-platform/curfew/pkg/localenv/scratch"
	"github.com/curfew-platform/curfew/pkg/server/keyset"
)

// server starts one of its own: the names of databases and roles are fixed.
func server(t *testing.T) *postgres.Cluster {
	t.Helper()
	folder, err := scratch.Make("curfew-provision-test")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = folder.Remove() })
	cluster, err := postgres.Prepare(t.Context(), postgres.Config{Dir: folder.Path()})
	if err != nil {
		t.Fatal(err)
	}
	if err := cluster.Start(t.Context()); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = cluster.Stop(context.Background()) })
	return cluster
}

func provisioned(t *testing.T, flags *Flags) list {
	t.Helper()
	var out, errs bytes.Buffer
	if status := Main(flags, &out, &errs); status != 0 {
		t.Fatalf("status %d: %s", status, errs.String())
	}
	var l list
	if err := json.Unmarshal(out.Bytes(), &l); err != nil {
		t.Fatal(err)
	}
	return l
}

func TestServicesGetADatabaseARoleThatServesAndOneThatMigratesAndARepetitionGivesTheSame(t *testing.T) {
	cluster := server(t)
	dir := t.TempDir()
	file := filepath.Join(dir, "admin")
	if err := os.WriteFile(file, []byte(cluster.URL("postgres")+"\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	flags := &Flags{DatabaseURLFile: file, DatabaseHost: "postgres:5432", StateDir: filepath.Join(dir, "state"), Namespace: "curfew"}
	first := provisioned(t, flags)
	if diff := cmp.Diff(first, provisioned(t, flags)); diff != "" {
		t.Errorf("the second run made other secrets:\n%s", diff)
	}
	var names []string
	for _, s := range first.Items {
		names = append(names, s.Metadata.Name)
		u, err := url.Parse(s.StringData["database-url"])
		if err != nil || u.Host != "postgres:5432" {
			t.Fatalf("%s: host %q, %v", s.Metadata.Name, u.Host, err)
		}
		u.Host = cluster.Address()
		conn, err := pgx.Connect(t.Context(), u.String())
		if err != nil {
			t.Fatal(err)
		}
		_, err = conn.Exec(t.Context(), "CREATE TABLE IF NOT EXISTS made (id int)")
		owns := strings.HasSuffix(s.Metadata.Name, "-migrate")
		if made := err == nil; made != owns {
			t.Errorf("%s may change the schema: %v (%v)", s.Metadata.Name, made, err)
		}
		if err := conn.Close(t.Context()); err != nil {
			t.Error(err)
		}
		if _, has := s.StringData["keyset.json"]; has == owns {
			t.Errorf("%s has a keyset: %v", s.Metadata.Name, has)
		}
	}
	const want = "auth-secrets auth-migrate orders-secrets orders-migrate logproc-secrets logproc-migrate"
	if got := strings.Join(names, " "); got != want {
		t.Errorf("secrets %s", got)
	}
	for _, name := range services {
		if _, err := keyset.Load(filepath.Join(dir, "state", name+".keyset.json")); err != nil {
			t.Error(err)
		}
	}
}

func TestAURLThatMakesNoSenseIsNotQuoted(t *testing.T) {
	file := filepath.Join(t.TempDir(), "admin")
	if err := os.WriteFile(file, []byte("postgres//secret"), 0o600); err != nil {
		t.Fatal(err)
	}
	var out, errs bytes.Buffer
	status := Main(&Flags{DatabaseURLFile: file, StateDir: filepath.Join(t.TempDir(), "state")}, &out, &errs)
	if status == 0 || strings.Contains(errs.String(), "secret") || out.Len() > 0 {
		t.Errorf("status %d: %s", status, errs.String())
	}
}
