package auth_test

import (
	"context"
	"fmt"
	"math/rand/v2"
	"os"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/curfew-platform/curfew/pkg/interceptors/status"
	authv1 "github.com/curfew-platform/curfew/proto/gen/curfew/auth/v1"
	"github.com/curfew-platform/curfew/services/auth"
)

// stressSize is how long the stress goes on and with whom.
type stressSize struct {
	users, rotations int
	window, longest  time.Duration
}

func sizeOfStress() stressSize {
	if os.Getenv("CURFEW_TEST_SIZE") == "soak" {
		return stressSize{users: 200, rotations: 20_000, window: time.Second, longest: 10 * time.Minute}
	}
	return stressSize{users: 20, rotations: 300, window: 3 * time.Second, longest: 40 * time.Second}
}

const (
	sessionsPerUser = 4
	tabs            = 3
	sessionCap      = 5
)

// stress is honest users with racing tabs, lost and late answers, thieves,
// ended sessions, killed connections and logins at once, and what was seen.
type stress struct {
	t        *testing.T
	w        *world
	r        *replica
	admin    string
	size     stressSize
	sessions []*stressed
	stop     chan struct{}
	pairs    sync.Map // session and generation -> the one pair

	rotations, repeated, failures, lost, kills, thefts, thieves, ended, logins, excused atomic.Int64
}

// Two things are looked for: an honest user who is logged out, and a generation
// that was given out as two different pairs.
func TestUnderStressNoHonestUserIsLoggedOutAndEveryGenerationIsOnePair(t *testing.T) {
	seed := rand.Uint64()
	t.Logf("seed %d", seed)
	w := newWorld(t)
	s := &stress{t: t, w: w, size: sizeOfStress(), stop: make(chan struct{})}
	s.r = w.start(t, func(c *auth.Config) {
		c.RefreshWindow, c.MaxSessions = s.size.window, sessionCap
	})
	s.admin = w.administrator(t, s.r).GetAccessToken()
	s.open()
	var wg sync.WaitGroup
	for i, session := range s.sessions {
		for tab := range tabs {
			wg.Go(func() { s.tab(session, rand.New(rand.NewPCG(seed, uint64(i*10+tab)))) })
		}
		if session.thief {
			wg.Go(func() { s.steal(session, rand.New(rand.NewPCG(seed, uint64(i*10+9)))) })
		}
	}
	wg.Go(func() { s.killConnections(rand.New(rand.NewPCG(seed, 1<<40))) })
	wg.Go(func() { s.endSessions(rand.New(rand.NewPCG(seed, 1<<41))) })
	for range 2 {
		wg.Go(s.storm)
	}
	s.watch()
	close(s.stop)
	wg.Wait()
	s.judge()
}

// open logs everybody in.
func (s *stress) open() {
	for u := range s.size.users {
		email := fmt.Sprintf("user%d@example.com", u)
		s.r.register(s.t, email)
		for i := range sessionsPerUser {
			login := s.r.login(s.t, email)
			s.sessions = append(s.sessions, &stressed{
				name: login.GetSession(), jar: login.GetRefreshToken(), thief: (u*sessionsPerUser+i)%4 == 3,
			})
		}
	}
	s.r.register(s.t, "storm@example.com")
}

// watch returns when there were enough rotations, and looks at the cap.
func (s *stress) watch() {
	conn, err := pgx.Connect(s.t.Context(), s.w.url+"&application_name=observer")
	if err != nil {
		s.t.Fatal(err)
	}
	defer conn.Close(s.t.Context())
	deadline := time.Now().Add(s.size.longest)
	for s.rotations.Load() < int64(s.size.rotations) && time.Now().Before(deadline) {
		var alive int
		err := conn.QueryRow(s.t.Context(), `SELECT count(*) FROM sessions s JOIN users u ON u.id = s.user_id
			WHERE u.email = 'storm@example.com' AND revoked_at IS NULL`).Scan(&alive)
		if err != nil {
			s.t.Error(err)
		}
		if alive > sessionCap {
			s.t.Errorf("%d live sessions, the cap is %d", alive, sessionCap)
		}
		s.pause(50 * time.Millisecond)
	}
}

// pause waits, and is false when the stress is over.
func (s *stress) pause(d time.Duration) bool {
	select {
	case <-s.stop:
		return false
	case <-time.After(d):
		return true
	}
}

func (s *stress) killConnections(r *rand.Rand) {
	ctx := s.t.Context()
	conn, err := pgx.Connect(ctx, s.w.url+"&application_name=observer")
	if err != nil {
		s.t.Error(err)
		return
	}
	defer conn.Close(ctx)
	for s.pause(time.Duration(r.Int64N(int64(40 * time.Millisecond)))) {
		tag, err := conn.Exec(ctx, `SELECT pg_terminate_backend(pid) FROM pg_stat_activity
			WHERE datname = current_database() AND application_name = 'auth' ORDER BY (state = 'active') DESC, random() LIMIT 1`)
		if err != nil {
			s.t.Error(err)
		}
		s.kills.Add(tag.RowsAffected())
	}
}

// endSessions revokes one now and then. A failed call has an unknown outcome:
// nothing is claimed about when, but the session may be over.
func (s *stress) endSessions(r *rand.Rand) {
	for s.pause(200 * time.Millisecond) {
		session := s.sessions[r.IntN(len(s.sessions))]
		if session.over.Load() != lives {
			continue
		}
		session.over.Store(maybeOver)
		ctx, cancel := context.WithTimeout(as(s.t.Context(), s.admin), 20*time.Second)
		_, err := s.r.account.RevokeSession(ctx, &authv1.RevokeSessionRequest{Name: session.name})
		cancel()
		if err == nil || status.Reason(err) == "REVOCATION_PENDING" {
			session.over.Store(surelyOver)
			s.ended.Add(1)
		}
	}
}

func (s *stress) storm() {
	for s.pause(200 * time.Millisecond) {
		_, err := s.r.auth.Login(s.t.Context(), &authv1.LoginRequest{Email: "storm@example.com", Password: password})
		if err == nil {
			s.logins.Add(1)
		}
	}
}

// judge looks at what the database holds in the end.
func (s *stress) judge() {
	conn, err := pgx.Connect(s.t.Context(), s.w.url)
	if err != nil {
		s.t.Fatal(err)
	}
	defer conn.Close(s.t.Context())
	var head, positions, last, unruled int64
	err = conn.QueryRow(s.t.Context(), `SELECT (SELECT seq FROM revocation_head), count(DISTINCT seq), coalesce(max(seq), 0),
		(SELECT count(*) FROM sessions s WHERE revoked_at IS NOT NULL AND NOT EXISTS (
			SELECT 1 FROM revocation_rules r WHERE r.kind = 'session' AND r.subject = s.id::text))
		FROM revocation_rules`).Scan(&head, &positions, &last, &unruled)
	if err != nil || head != positions || head != last || unruled != 0 {
		s.t.Errorf("head %d, positions %d, last %d, ended sessions without a rule %d, %v", head, positions, last, unruled, err)
	}
	s.pairs.Range(func(key, _ any) bool {
		k := key.(generation) //nolint:forcetypeassert // Only generations are stored.
		var gen uint32
		if err := conn.QueryRow(s.t.Context(), `SELECT gen FROM sessions WHERE id = $1`, k.session).Scan(&gen); err != nil || gen < k.number {
			s.t.Errorf("generation %d was handed out, the database has %d: %v", k.number, gen, err)
		}
		return true
	})
	s.t.Logf("rotations %d, same pair again %d, failed calls %d, answers lost %d, connections killed %d, thefts found %d, answers to thieves %d, sessions ended %d, logins %d, clients too slow to count %d",
		s.rotations.Load(), s.repeated.Load(), s.failures.Load(), s.lost.Load(), s.kills.Load(), s.thefts.Load(),
		s.thieves.Load(), s.ended.Load(), s.logins.Load(), s.excused.Load())
}
