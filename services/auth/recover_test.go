package auth_test

import (
	"bytes"
	"context"
	"fmt"
	"log/slog"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	"github.com/curfew-platform/curfew/pkg/localenv/postgres"
	"github.com/curfew-platform/curfew/pkg/localenv/scratch"
	"github.com/curfew-platform/curfew/pkg/server"
	authv1 "github.com/curfew-platform/curfew/proto/gen/curfew/auth/v1"
	"github.com/curfew-platform/curfew/services/auth"
)

const serverPatience = time.Minute

func folder(t *testing.T) *scratch.Folder {
	t.Helper()
	f, err := scratch.Make("curfew-recover")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := f.Remove(); err != nil {
			t.Error(err)
		}
	})
	return f
}

// run starts a cluster until the test ends or stop is called.
func run(t *testing.T, dir string) (c *postgres.Cluster, stop func()) {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), serverPatience)
	defer cancel()
	c, err := postgres.Prepare(ctx, postgres.Config{Dir: dir})
	if err != nil {
		t.Fatal(err)
	}
	if err := c.Start(ctx); err != nil {
		t.Fatal(err)
	}
	stopped := false
	stop = func() {
		if stopped {
			return
		}
		stopped = true
		ctx, cancel := context.WithTimeout(context.Background(), serverPatience)
		defer cancel()
		if err := c.Stop(ctx); err != nil {
			t.Error(err)
		}
	}
	t.Cleanup(stop)
	return c, stop
}

func shell(t *testing.T, script string, args ...string) {
	t.Helper()
	out, err := exec.CommandContext(t.Context(), "sh", append([]string{"-euc", script, "sh"}, args...)...).CombinedOutput()
	if err != nil {
		t.Fatalf("%s: %v\n%s", script, err, out)
	}
}

// do runs statements on one connection.
func do(t *testing.T, url string, statements ...string) {
	t.Helper()
	conn, err := pgx.Connect(t.Context(), url)
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close(t.Context())
	for _, s := range statements {
		if _, err := conn.Exec(t.Context(), s); err != nil {
			t.Fatalf("%s: %v", s, err)
		}
	}
}

// restoredTo makes a world, lets happen what before does, then what after does, and returns the world with the database as
// it was between the two, restored from a base backup and the archived log.
func restoredTo(t *testing.T, before, after func(*testing.T, *world)) *world {
	t.Helper()
	source, archive, copied := folder(t).Path(), folder(t).Path(), folder(t).Path()
	c, stop := run(t, source)
	admin := c.URL("postgres")
	data := query[string](t, &world{url: admin}, "SHOW data_directory")
	shell(t, `chown --reference="$1" "$2"`, data, archive) // PostgreSQL runs as another user
	do(t, admin, "ALTER SYSTEM SET archive_mode = on", fmt.Sprintf(`ALTER SYSTEM SET archive_command = 'cp "%%p" "%s/%%f"'`, archive), "CREATE DATABASE auth")
	stop()
	c, stop = run(t, source)
	url := c.URL("auth")
	if err := migrated(t.Context(), url); err != nil {
		t.Fatal(err)
	}
	conn, err := pgx.Connect(t.Context(), c.URL("postgres"))
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close(t.Context())
	if _, err := conn.Exec(t.Context(), "SELECT pg_backup_start('base', true)"); err != nil {
		t.Fatal(err)
	}
	shell(t, `cp -a "$1/." "$2/"`, source, copied)
	var label string
	if err := conn.QueryRow(t.Context(), "SELECT labelfile FROM pg_backup_stop(false)").Scan(&label); err != nil {
		t.Fatal(err)
	}
	w := newWorldAt(t, url)
	before(t, w)
	do(t, url, "SELECT pg_create_restore_point('the moment')")
	after(t, w)
	do(t, url, "SELECT pg_switch_wal()", "SELECT pg_switch_wal()")
	stop() // the last segments are archived by the stop
	base := filepath.Join(copied, strings.TrimPrefix(data, source))
	for name, content := range map[string]string{
		"backup_label": label, "recovery.signal": "",
	} {
		if err := os.WriteFile(filepath.Join(base, name), []byte(content), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	shell(t, `
		rm -f "$1/postmaster.pid" "$1"/pg_wal/0*
		printf "archive_mode = off\nrestore_command = 'cp \"%s/%%f\" \"%%p\"'\nrecovery_target_name = 'the moment'\nrecovery_target_action = promote\n" "$2" >>"$1/postgresql.auto.conf"
		chown -R --reference="$1/PG_VERSION" "$1"`, base, archive)
	c, _ = run(t, copied)
	w.url = c.URL("auth")
	deadline, cancel := context.WithTimeout(t.Context(), serverPatience)
	defer cancel()
	for query[bool](t, w, "SELECT pg_is_in_recovery()") {
		if deadline.Err() != nil {
			t.Fatal("the restore does not end")
		}
	}
	return w
}

// recovered runs `auth recover`.
func (w *world) recovered(t *testing.T) (string, error) {
	t.Helper()
	cmd := auth.Command()
	cfg, ok := cmd.Config.(*auth.Config)
	if !ok {
		t.Fatal("the configuration is of another type")
	}
	w.config(cfg)
	for _, sub := range cmd.Subcommands {
		if sub.Name == "recover" {
			var out bytes.Buffer
			quiet := slog.New(slog.DiscardHandler)
			err := sub.Run(t.Context(), &server.Runtime{Name: "auth", Log: quiet, LocalLog: quiet, Stdout: &out})
			return out.String(), err
		}
	}
	t.Fatal("there is no command recover")
	return "", nil
}

func TestAfterARestoreNothingThatWasRevokedInTheLostTimeIsAdmitted(t *testing.T) {
	var thief, other *authv1.LoginResponse
	w := restoredTo(t, func(t *testing.T, w *world) {
		r := w.start(t)
		r.register(t, "a@example.com")
		thief, other = r.login(t, "a@example.com"), r.login(t, "a@example.com")
		if err := r.stop(); err != nil {
			t.Fatal(err)
		}
	}, func(t *testing.T, w *world) {
		r := w.start(t)
		if _, err := r.account.RevokeSession(as(t.Context(), other.GetAccessToken()), &authv1.RevokeSessionRequest{Name: thief.GetSession()}); err != nil {
			t.Fatal(err)
		}
		if err := r.me(t.Context(), thief.GetAccessToken()); status.Code(err) != codes.Unauthenticated {
			t.Fatalf("a revoked token: %v", err)
		}
		if err := r.stop(); err != nil {
			t.Fatal(err)
		}
	})
	generation := query[string](t, w, "SELECT generation::text FROM revocation_head")

	// What a restore alone does: the revocation had returned, and is forgotten.
	r := w.start(t)
	if err := r.me(t.Context(), thief.GetAccessToken()); err != nil {
		t.Fatalf("the restore did not go back: %v", err)
	}
	if _, err := w.recovered(t); err == nil {
		t.Error("recovered although a replica runs")
	}
	if err := r.stop(); err != nil {
		t.Fatal(err)
	}

	out, err := w.recovered(t)
	if err != nil || !strings.Contains(out, "2 sessions ended") {
		t.Fatalf("got %q, %v", out, err)
	}
	if query[string](t, w, "SELECT generation::text FROM revocation_head") == generation {
		t.Error("the feed has the old generation")
	}
	r = w.start(t)
	for _, l := range []*authv1.LoginResponse{thief, other} {
		if err := r.me(t.Context(), l.GetAccessToken()); status.Code(err) != codes.Unauthenticated {
			t.Errorf("a token of before the restore: %v", err)
		}
		if _, err := r.auth.RefreshTokens(t.Context(), &authv1.RefreshTokensRequest{RefreshToken: l.GetRefreshToken()}); status.Code(err) != codes.Unauthenticated {
			t.Errorf("a refresh token of before the restore: %v", err)
		}
	}
	fresh := r.login(t, "a@example.com")
	if err := r.me(t.Context(), fresh.GetAccessToken()); err != nil {
		t.Errorf("a new token: %v", err)
	}
	if epoch := query[int64](t, w, "SELECT epoch FROM users"); epoch < 1_000_000 {
		t.Errorf("the epoch of the user is %d: a replica that kept running may have a rule about it", epoch)
	}
}
