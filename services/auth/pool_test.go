package auth_test

import (
	"context"
	"runtime"
	"sync"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/curfew-platform/curfew/pkg/interceptors/status"
	authv1 "github.com/curfew-platform/curfew/proto/gen/curfew/auth/v1"
	"github.com/curfew-platform/curfew/services/auth"
)

// Else the row lease runs out, and every replica of every service refuses
// every call.
func TestRevocationsThatWaitForTheHeadTakeNoConnectionFromTheFeedOrFromOthers(t *testing.T) {
	const revocations, places = 20, 8
	w := newWorld(t)
	r := w.start(t, func(c *auth.Config) { c.MaxSessions = revocations + 1 })
	r.register(t, "anna@example.com")
	me := r.login(t, "anna@example.com").GetAccessToken()
	var sessions []string
	for range revocations {
		sessions = append(sessions, r.login(t, "anna@example.com").GetSession())
	}

	release := w.holdHead(t)
	reasons := make([]string, revocations)
	var wg sync.WaitGroup
	for i, name := range sessions {
		wg.Go(func() {
			_, err := r.account.RevokeSession(as(t.Context(), me), &authv1.RevokeSessionRequest{Name: name})
			reasons[i] = status.Reason(err)
		})
	}
	waiting := func() bool {
		return query[int](t, w, `SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND wait_event_type = 'Lock'`) >= places
	}
	eventually(t, "the revocations wait", waiting)
	const renewals = `SELECT max(renewals) FROM revocation_engines`
	before := query[int64](t, w, renewals)
	eventually(t, "the engine renews its row", func() bool { return query[int64](t, w, renewals) > before+3 })
	if !waiting() {
		t.Fatal("the revocations did not wait for so long")
	}
	if err := r.me(t.Context(), me); err != nil {
		t.Errorf("a call of somebody else: %v", err)
	}
	release()
	wg.Wait()
	count := map[string]int{}
	for _, reason := range reasons {
		count[reason]++
	}
	if count[""] != places || count["BUSY"] != revocations-places {
		t.Errorf("answers: %v", count)
	}
}

// holdHead locks the head of the feed until release.
func (w *world) holdHead(t *testing.T) (release func()) {
	t.Helper()
	conn, err := pgx.Connect(t.Context(), w.url)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = conn.Close(context.WithoutCancel(t.Context())) })
	if _, err := conn.Exec(t.Context(), `BEGIN; UPDATE revocation_head SET seq = seq`); err != nil {
		t.Fatal(err)
	}
	return func() {
		t.Helper()
		if _, err := conn.Exec(t.Context(), `ROLLBACK`); err != nil {
			t.Fatal(err)
		}
	}
}

// eventually waits until what becomes true.
func eventually(t *testing.T, what string, is func() bool) {
	t.Helper()
	for deadline := time.Now().Add(8 * time.Second); !is(); runtime.Gosched() {
		if time.Now().After(deadline) {
			t.Fatalf("not in 8 s: %s", what)
		}
	}
}
