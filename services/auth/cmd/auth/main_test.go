package main

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials/insecure"
	"google.golang.org/grpc/metadata"

	"github.com/curfew-platform/curfew/pkg/interceptors/status"
	"github.com/curfew-platform/curfew/pkg/localenv/pgtest"
	"github.com/curfew-platform/curfew/pkg/server/keyset"
	authv1 "github.com/curfew-platform/curfew/proto/gen/curfew/auth/v1"
)

func TestMain(m *testing.M) { pgtest.Main(m) }

// program is the binary with a database of its own, an owner and a serving role.
type program struct {
	path, dir string
	env       []string
	serving   string
}

func newProgram(t *testing.T) *program {
	t.Helper()
	p := &program{dir: t.TempDir()}
	p.path = filepath.Join(p.dir, "auth")
	if out, err := exec.CommandContext(t.Context(), "go", "build", "-o", p.path, ".").CombinedOutput(); err != nil {
		t.Fatalf("build: %v\n%s", err, out)
	}
	content, err := keyset.Generate()
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(p.dir, "keyset.json"), content, 0o600); err != nil {
		t.Fatal(err)
	}
	owner := p.roles(t)
	p.env = append(os.Environ(),
		"CURFEW_AUTH_DATABASE_URL="+p.serving, "CURFEW_AUTH_MIGRATE_DATABASE_URL="+owner,
		"CURFEW_AUTH_KEYSET_FILE="+filepath.Join(p.dir, "keyset.json"))
	return p
}

// roles makes the two roles and returns the URL of the owner.
func (p *program) roles(t *testing.T) (owner string) {
	t.Helper()
	admin := pgtest.Database(t, nil)
	u, err := url.Parse(admin)
	if err != nil {
		t.Fatal(err)
	}
	database := strings.TrimPrefix(u.Path, "/")
	conn := connect(t, admin)
	for _, statement := range []string{
		"CREATE ROLE owner_" + database + " LOGIN PASSWORD 'test'",
		"CREATE ROLE serving_" + database + " LOGIN PASSWORD 'test'",
		"ALTER DATABASE " + database + " OWNER TO owner_" + database,
	} {
		if _, err := conn.Exec(t.Context(), statement); err != nil {
			t.Fatal(err)
		}
	}
	u.User = url.UserPassword("serving_"+database, "test")
	p.serving = u.String()
	u.User = url.UserPassword("owner_"+database, "test")
	t.Cleanup(func() {
		ctx := context.WithoutCancel(t.Context())
		for _, role := range []string{"serving_", "owner_"} {
			_, _ = conn.Exec(ctx, "DROP OWNED BY "+role+database+" CASCADE")
			_, _ = conn.Exec(ctx, "ALTER DATABASE "+database+" OWNER TO CURRENT_USER")
			if _, err := conn.Exec(ctx, "DROP ROLE "+role+database); err != nil {
				t.Errorf("drop role: %v", err)
			}
		}
		_ = conn.Close(ctx)
	})
	return u.String()
}

func connect(t *testing.T, to string) *pgx.Conn {
	t.Helper()
	conn, err := pgx.Connect(t.Context(), to)
	if err != nil {
		t.Fatal(err)
	}
	return conn
}

func (p *program) run(t *testing.T, args ...string) {
	t.Helper()
	cmd := exec.CommandContext(t.Context(), p.path, args...)
	cmd.Env = p.env
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("auth %v: %v\n%s", args, err, out)
	}
}

// serve starts the service; stop ends it with SIGTERM and returns what it wrote.
func (p *program) serve(t *testing.T) (conn *grpc.ClientConn, pid int, stop func() string) {
	t.Helper()
	addr := filepath.Join(p.dir, "addr.json")
	cmd := exec.CommandContext(t.Context(), p.path, "--listen=127.0.0.1:0", "--addr-file="+addr)
	cmd.Env = p.env
	var stderr bytes.Buffer
	cmd.Stderr = &stderr
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	stop = func() string {
		if err := cmd.Process.Signal(syscall.SIGTERM); err != nil {
			t.Fatal(err)
		}
		if err := cmd.Wait(); err != nil {
			t.Errorf("exit: %v\n%s", err, stderr.String())
		}
		return stderr.String()
	}
	var bound struct{ GRPC string }
	deadline := time.Now().Add(30 * time.Second)
	for {
		if content, err := os.ReadFile(addr); err == nil && json.Unmarshal(content, &bound) == nil {
			break
		}
		if time.Now().After(deadline) {
			_ = cmd.Process.Kill()
			_ = cmd.Wait()
			t.Fatalf("not started\n%s", stderr.String())
		}
		runtime.Gosched()
	}
	conn, err := grpc.NewClient(bound.GRPC, grpc.WithTransportCredentials(insecure.NewCredentials()),
		grpc.WithDefaultCallOptions(grpc.WaitForReady(true)))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = conn.Close() })
	return conn, cmd.Process.Pid, stop
}

func TestTheProgramMigratesSeedsServesAndStopsWithAReport(t *testing.T) {
	p := newProgram(t)
	users := filepath.Join(p.dir, "users.json")
	if err := os.WriteFile(users, []byte(`[{"email":"admin@example.com","password":"a long enough passphrase","roles":["admin"]}]`), 0o600); err != nil {
		t.Fatal(err)
	}
	p.run(t, "migrate")
	p.run(t, "migrate")
	p.run(t, "seed", "--file", users)
	p.run(t, "seed", "--file", users)
	if _, err := connect(t, p.serving).Exec(t.Context(), "CREATE TABLE intruder ()"); err == nil {
		t.Error("the serving role has DDL rights")
	}

	conn, _, stop := p.serve(t)
	in, err := authv1.NewAuthServiceClient(conn).Login(t.Context(), &authv1.LoginRequest{
		Email: "admin@example.com", Password: "a long enough passphrase",
	})
	if err != nil {
		t.Fatal(err)
	}
	keys, err := authv1.NewTokenServiceClient(conn).GetJwks(t.Context(), &authv1.GetJwksRequest{})
	if err != nil {
		t.Fatal(err)
	}
	out := stop()
	if !strings.Contains(out, `"msg":"stop report"`) {
		t.Errorf("no stop report in\n%s", out)
	}
	for what, secret := range map[string]string{
		"access token": in.GetAccessToken(), "refresh token": in.GetRefreshToken(), "password": "a long enough passphrase",
	} {
		if strings.Contains(out, secret) {
			t.Errorf("the log holds the %s", what)
		}
	}

	// The signing key is that of the database: tokens outlive the process.
	again, _, stop := p.serve(t)
	ctx := metadata.AppendToOutgoingContext(t.Context(), "authorization", "Bearer "+in.GetAccessToken())
	awaitMe(ctx, t, again)
	now, err := authv1.NewTokenServiceClient(again).GetJwks(t.Context(), &authv1.GetJwksRequest{})
	if err != nil || len(now.GetKeys()) == 0 || now.GetKeys()[0].GetKid() != keys.GetKeys()[0].GetKid() {
		t.Errorf("keys after the restart = %v, %v", now, err)
	}
	stop()
}

// awaitMe calls until the service knows the revocations.
func awaitMe(ctx context.Context, t *testing.T, conn *grpc.ClientConn) {
	t.Helper()
	ctx, cancel := context.WithTimeout(ctx, 30*time.Second)
	defer cancel()
	for {
		me, err := authv1.NewAccountServiceClient(conn).GetMe(ctx, &authv1.GetMeRequest{})
		if err == nil {
			if me.GetEmail() != "admin@example.com" {
				t.Errorf("GetMe = %v", me)
			}
			return
		}
		if ctx.Err() != nil || !strings.Contains(err.Error(), "Unavailable") {
			t.Fatal(err)
		}
	}
}

// freeze stops a process. The signal is one thread's to take, and until that
// one runs the others go on: only when all of them stand still has it stopped.
func freeze(t *testing.T, pid int) {
	t.Helper()
	if err := syscall.Kill(pid, syscall.SIGSTOP); err != nil {
		t.Fatal(err)
	}
	for deadline := time.Now().Add(30 * time.Second); ; runtime.Gosched() {
		stats, err := filepath.Glob(fmt.Sprintf("/proc/%d/task/*/stat", pid))
		if err != nil {
			t.Fatal(err)
		}
		runs := slices.ContainsFunc(stats, func(stat string) bool {
			line, err := os.ReadFile(stat)
			return err != nil || !bytes.Contains(line, []byte(") T "))
		})
		if len(stats) > 0 && !runs {
			return
		}
		if time.Now().After(deadline) {
			t.Fatalf("process %d does not stop", pid)
		}
	}
}

// R AB_ZOMBIE, in a real process: what waited in it while it was stopped is not
// judged, and the client tries again.
func TestARefreshThatWaitedInAStoppedProcessIsNotJudged(t *testing.T) {
	p := newProgram(t)
	p.env = append(p.env, "CURFEW_AUTH_REFRESH_WINDOW=6s")
	p.run(t, "migrate")
	conn, pid, stop := p.serve(t)
	client := authv1.NewAuthServiceClient(conn)
	credentials := &authv1.RegisterRequest{Email: "anna@example.com", Password: "a long enough passphrase"}
	if _, err := client.Register(t.Context(), credentials); err != nil {
		t.Fatal(err)
	}
	in, err := client.Login(t.Context(), &authv1.LoginRequest{Email: credentials.GetEmail(), Password: credentials.GetPassword()})
	if err != nil {
		t.Fatal(err)
	}
	freeze(t, pid)
	answer := make(chan error, 1)
	go func() {
		_, err := client.RefreshTokens(t.Context(), &authv1.RefreshTokensRequest{RefreshToken: in.GetRefreshToken()})
		answer <- err
	}()
	<-time.After(2 * time.Second) // twice what counts as a stall
	if err := syscall.Kill(pid, syscall.SIGCONT); err != nil {
		t.Fatal(err)
	}
	if err := <-answer; status.Reason(err) != "BUSY" {
		t.Errorf("what waited: %v", err)
	}
	for {
		_, err := client.RefreshTokens(t.Context(), &authv1.RefreshTokensRequest{RefreshToken: in.GetRefreshToken()})
		if err == nil {
			break
		}
		if status.Reason(err) != "BUSY" {
			t.Fatalf("again: %v", err)
		}
	}
	stop()
}
