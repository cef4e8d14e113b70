package auth_test

import (
	"bytes"
	"encoding/json"
	"errors"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/curfew-platform/curfew/pkg/interceptors/creds"
	"github.com/curfew-platform/curfew/pkg/interceptors/token"
	"github.com/curfew-platform/curfew/pkg/localenv/freeport"
	authv1 "github.com/curfew-platform/curfew/proto/gen/curfew/auth/v1"
	"github.com/curfew-platform/curfew/services/auth"
)

const (
	sessionWindow  = 2 * time.Second
	sessionLife    = 10 * time.Second
	sessionRenewal = 2500 * time.Millisecond // after a token was got
)

// process is a client in a process of its own.
type process struct {
	cmd *exec.Cmd
	out bytes.Buffer
	err chan error
}

func startSession(t *testing.T, address, file string) *process {
	t.Helper()
	p := &process{cmd: exec.CommandContext(t.Context(), os.Args[0]), err: make(chan error, 1)}
	p.cmd.Env = append(os.Environ(), sessionAddress+"="+address, sessionFile+"="+file)
	p.cmd.Stdout, p.cmd.Stderr = &p.out, t.Output()
	if err := p.cmd.Start(); err != nil {
		t.Fatal(err)
	}
	go func() { p.err <- p.cmd.Wait() }()
	return p
}

// report waits for the end of the client.
func (p *process) report(t *testing.T) (r sessionReport) {
	t.Helper()
	select {
	case err := <-p.err:
		if err := errors.Join(err, json.Unmarshal(p.out.Bytes(), &r)); err != nil {
			t.Fatalf("the client ended with %v: %s", err, p.out.String())
		}
	case <-time.After(30 * time.Second):
		t.Fatal("the client does not notice that its session is over")
	}
	return r
}

// TestTwoProcessesShareASession: 32 goroutines, one file. One process is
// killed and started again, the service stops for longer than the window, the
// user's roles change. Nobody is logged out before the session is revoked.
func TestTwoProcessesThatShareASessionLoseItOnlyWhenItIsRevoked(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	// It comes back at its port, which must not be one that any listener or connection may be given meanwhile.
	ports, err := freeport.Find(t.Context(), 1)
	if err != nil {
		t.Fatal(err)
	}
	address := net.JoinHostPort("127.0.0.1", strconv.Itoa(ports[0]))
	short := func(cfg *auth.Config) {
		cfg.Listen, cfg.RefreshWindow, cfg.AccessLife = address, sessionWindow, sessionLife
	}
	one := w.start(t, short)
	w.administrator(t, one)
	name := one.register(t, "tabs@example.com")
	login := one.login(t, "tabs@example.com")
	file := filepath.Join(t.TempDir(), "session.json")
	store := creds.NewFileStore(file)
	if err := store.Save(t.Context(), creds.Pair{
		Access:  creds.Token{Value: token.Raw(login.GetAccessToken()), ExpiresAt: login.GetAccessExpiresAt().AsTime()},
		Refresh: token.Raw(login.GetRefreshToken()),
	}); err != nil {
		t.Fatal(err)
	}
	session := login.GetSession()[strings.LastIndexByte(login.GetSession(), '/')+1:]
	first, second := startSession(t, address, file), startSession(t, address, file)

	// rotated waits for so many more generations.
	generation := func() int { return query[int](t, w, `SELECT gen FROM sessions WHERE id = $1`, session) }
	rotated := func(more int) {
		t.Helper()
		tick, limit := time.NewTicker(50*time.Millisecond), time.After(30*time.Second)
		defer tick.Stop()
		for want := generation() + more; generation() < want; {
			select {
			case <-tick.C:
			case <-limit:
				t.Fatalf("generation %d of %d after 30 s", generation(), want)
			}
		}
	}
	rotated(1)
	if err := second.cmd.Process.Kill(); err != nil {
		t.Fatal(err)
	}
	<-second.err
	second = startSession(t, address, file)
	rotated(1)
	if err := one.stop(); err != nil {
		t.Fatal(err)
	}
	<-time.After(sessionWindow + time.Second)
	again := w.start(t, short)
	rotated(1)
	admin := again.login(t, "root@example.com")
	if _, err := again.admin.SetUserRoles(as(t.Context(), admin.GetAccessToken()), &authv1.SetUserRolesRequest{
		Name: name, Roles: []string{"operator", "customer"},
	}); err != nil {
		t.Fatal(err)
	}
	rotated(1)
	held, err := store.Load(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if _, err := again.account.RevokeSession(as(t.Context(), string(held.Access.Value)), &authv1.RevokeSessionRequest{Name: login.GetSession()}); err != nil {
		t.Fatal(err)
	}
	for _, p := range []*process{first, second} {
		r := p.report(t)
		if len(r.Wrong) > 0 || r.OK < 100 || r.Renewals > 50 {
			t.Errorf("%+v", r)
		}
		t.Logf("%d calls, %d during the outage, %d refreshes", r.OK, r.Away, r.Renewals)
	}
	if _, err := store.Load(t.Context()); !errors.Is(err, creds.ErrSignedOut) {
		t.Errorf("the file still holds a session: %v", err)
	}
}
