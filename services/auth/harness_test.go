package auth_test

import (
	"context"
	"encoding/json"
	"io"
	"log/slog"
	"net/http"
	"net/netip"
	"os"
	"path/filepath"
	"runtime"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials/insecure"
	"google.golang.org/grpc/metadata"

	"github.com/curfew-platform/curfew/pkg/lifecycle"
	"github.com/curfew-platform/curfew/pkg/localenv/leak"
	"github.com/curfew-platform/curfew/pkg/localenv/pgtest"
	"github.com/curfew-platform/curfew/pkg/server"
	"github.com/curfew-platform/curfew/pkg/server/database"
	"github.com/curfew-platform/curfew/pkg/server/keyset"
	authv1 "github.com/curfew-platform/curfew/proto/gen/curfew/auth/v1"
	revocationv1 "github.com/curfew-platform/curfew/proto/gen/curfew/revocation/v1"
	"github.com/curfew-platform/curfew/services/auth"
	"github.com/curfew-platform/curfew/services/auth/internal/postgres"
)

func TestMain(m *testing.M) {
	if os.Getenv(sessionFile) != "" {
		os.Exit(sessionClient())
	}
	pgtest.Main(m)
}

// password of every user of these tests.
const password = "a long enough passphrase"

func migrated(ctx context.Context, url string) error {
	return database.Migrate(ctx, url, "", postgres.Migrations(), slog.New(slog.DiscardHandler))
}

// world is what the replicas of one service share.
type world struct {
	url  string
	dir  string
	logs io.Writer
}

func newWorld(t *testing.T) *world {
	t.Helper()
	return newWorldAt(t, pgtest.Database(t, migrated))
}

func newWorldAt(t *testing.T, url string) *world {
	t.Helper()
	w := &world{url: url, dir: t.TempDir(), logs: leak.Writer("auth", nil)}
	if testing.Verbose() {
		w.logs = leak.Writer("auth", t.Output())
	}
	content, err := keyset.Generate()
	if err != nil {
		t.Fatal(err)
	}
	w.write(t, "keyset.json", content)
	w.write(t, "services.json", []byte("[]"))
	return w
}

func (w *world) write(t *testing.T, name string, content []byte) {
	t.Helper()
	if err := os.WriteFile(filepath.Join(w.dir, name), content, 0o600); err != nil {
		t.Fatal(err)
	}
}

func (w *world) config(cfg *auth.Config) {
	cfg.Listen = "127.0.0.1:0"
	cfg.HTTPListen = "127.0.0.1:0"
	cfg.Grace = 30 * time.Second
	cfg.Database.URL = w.url
	cfg.KeysetFile = filepath.Join(w.dir, "keyset.json")
	cfg.ServiceKeysFile = filepath.Join(w.dir, "services.json")
	cfg.Issuer = "https://auth.curfew.dev"
	cfg.AccessLife = 5 * time.Minute
	cfg.RefreshWindow = 30 * time.Second
	cfg.SessionIdle = 24 * time.Hour
	cfg.SessionAbsolute = 48 * time.Hour
	cfg.MaxSessions = 5
	cfg.SigningKeyAnnounce = time.Minute
	cfg.TrustedProxies = []netip.Prefix{netip.MustParsePrefix("127.0.0.0/8")}
}

// replica is a running service, addressed over real connections.
type replica struct {
	auth       authv1.AuthServiceClient
	account    authv1.AccountServiceClient
	admin      authv1.UserAdminServiceClient
	token      authv1.TokenServiceClient
	revocation revocationv1.RevocationServiceClient
	conn       *grpc.ClientConn
	http       string
	stop       func() error
}

// start runs a replica until the test ends or stop is called.
func (w *world) start(t *testing.T, change ...func(*auth.Config)) *replica {
	t.Helper()
	cmd := auth.Command()
	cfg, ok := cmd.Config.(*auth.Config)
	if !ok {
		t.Fatal("the configuration is of another type")
	}
	w.config(cfg)
	cfg.AddrFile = filepath.Join(t.TempDir(), "addr.json")
	for _, c := range change {
		c(cfg)
	}
	if err := cfg.Validate(); err != nil {
		t.Fatal(err)
	}
	log := slog.New(slog.NewJSONHandler(w.logs, &slog.HandlerOptions{Level: slog.LevelDebug}))
	group, err := lifecycle.New(lifecycle.WithoutSignals(), lifecycle.WithGrace(cfg.Grace),
		lifecycle.WithLogger(log), lifecycle.WithReportWriter(w.logs))
	if err != nil {
		t.Fatal(err)
	}
	rt := &server.Runtime{Name: "auth", Log: log, LocalLog: log, Group: group, Stdout: io.Discard}
	if err := cmd.Serve(t.Context(), rt); err != nil {
		t.Fatal(err)
	}
	done := make(chan error, 1)
	go func() { done <- group.Run(context.Background()) }()
	select {
	case <-group.Started():
	case err := <-done:
		t.Fatalf("the service did not start: %v", err)
	case <-time.After(30 * time.Second):
		t.Fatal("the service did not start in 30 s")
	}
	r := dial(t, cfg.AddrFile)
	stopped := false
	r.stop = func() error {
		if stopped {
			return nil
		}
		stopped = true
		group.Shutdown(nil)
		return <-done
	}
	t.Cleanup(func() {
		if err := r.stop(); err != nil {
			t.Errorf("stop: %v", err)
		}
	})
	r.awaitReady(t)
	return r
}

func dial(t *testing.T, addrFile string) *replica {
	t.Helper()
	content, err := os.ReadFile(addrFile)
	if err != nil {
		t.Fatal(err)
	}
	var addr struct{ GRPC, HTTP string }
	if err := json.Unmarshal(content, &addr); err != nil {
		t.Fatal(err)
	}
	conn, err := grpc.NewClient(addr.GRPC, grpc.WithTransportCredentials(insecure.NewCredentials()))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = conn.Close() })
	return &replica{
		conn: conn, http: "http://" + addr.HTTP,
		auth:       authv1.NewAuthServiceClient(conn),
		account:    authv1.NewAccountServiceClient(conn),
		admin:      authv1.NewUserAdminServiceClient(conn),
		token:      authv1.NewTokenServiceClient(conn),
		revocation: revocationv1.NewRevocationServiceClient(conn),
	}
}

// as puts a token into the metadata of a call.
func as(ctx context.Context, token string) context.Context {
	return metadata.AppendToOutgoingContext(ctx, "authorization", "Bearer "+token)
}

// register makes a user and returns its name.
func (r *replica) register(t *testing.T, email string) string {
	t.Helper()
	resp, err := r.auth.Register(t.Context(), &authv1.RegisterRequest{Email: email, Password: password})
	if err != nil {
		t.Fatal(err)
	}
	return resp.GetUser().GetName()
}

// login begins a session.
func (r *replica) login(t *testing.T, email string) *authv1.LoginResponse {
	t.Helper()
	resp, err := r.auth.Login(t.Context(), &authv1.LoginRequest{Email: email, Password: password})
	if err != nil {
		t.Fatal(err)
	}
	return resp
}

func (r *replica) me(ctx context.Context, token string) error {
	_, err := r.account.GetMe(as(ctx, token), &authv1.GetMeRequest{})
	return err
}

// awaitReady waits until the replica holds the lease of its own feed.
func (r *replica) awaitReady(t *testing.T) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 30*time.Second)
	defer cancel()
	for {
		req, err := http.NewRequestWithContext(ctx, http.MethodGet, r.http+"/readyz", nil)
		if err != nil {
			t.Fatal(err)
		}
		resp, err := http.DefaultClient.Do(req)
		if err != nil {
			t.Fatalf("not ready: %v", err)
		}
		_ = resp.Body.Close()
		if resp.StatusCode == http.StatusOK {
			return
		}
		runtime.Gosched()
	}
}

// exec changes the database behind the service's back.
func (w *world) exec(t *testing.T, sql string, args ...any) {
	t.Helper()
	conn, err := pgx.Connect(t.Context(), w.url)
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close(t.Context())
	if _, err := conn.Exec(t.Context(), sql, args...); err != nil {
		t.Fatal(err)
	}
}

// query reads one value behind the service's back.
func query[T any](t *testing.T, w *world, sql string, args ...any) T {
	t.Helper()
	conn, err := pgx.Connect(t.Context(), w.url)
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close(t.Context())
	var v T
	if err := conn.QueryRow(t.Context(), sql, args...).Scan(&v); err != nil {
		t.Fatal(err)
	}
	return v
}
