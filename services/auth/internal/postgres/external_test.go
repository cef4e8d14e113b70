package postgres_test

import (
	"errors"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/google/uuid"

	"github.com/curfew-platform/curfew/services/auth/internal/account"
)

const provider = "https://id.example.com"

// arrival is a session to open for a subject of the provider.
func arrival(t testing.TB, user uuid.UUID, subject string) account.NewExternalSession {
	t.Helper()
	n := verified(t, user)
	n.CredVersion, n.Epoch = 0, 0
	n.Origin = &account.Origin{Issuer: provider, SessionID: "sid of " + subject, AuthTime: time.Now().Add(-time.Hour)}
	return account.NewExternalSession{NewSession: n, Subject: subject}
}

// came makes a user by the first arrival of a subject.
func (d db) came(t *testing.T, subject string) account.User {
	t.Helper()
	n := arrival(t, newID(t), subject)
	n.Provision = true
	_, u, err := d.OpenExternalSession(t.Context(), n)
	if err != nil {
		t.Fatal(err)
	}
	return u
}

func TestTheFirstArrivalMakesAUserWithoutAnAddressAndLaterOnesAreTheSame(t *testing.T) {
	d := open(t)
	if _, err := d.ExternalUser(t.Context(), provider, "anna"); !errors.Is(err, account.ErrExternalUnknown) {
		t.Errorf("before: %v", err)
	}
	anna, bert := d.came(t, "anna"), d.came(t, "bert")
	if anna.Email != "" || !anna.Active || !slices.Equal(anna.Roles, []string{account.RoleCustomer}) || anna.ID == bert.ID {
		t.Errorf("anna %+v, bert %+v", anna, bert)
	}
	id, err := d.ExternalUser(t.Context(), provider, "anna")
	if err != nil || id != anna.ID {
		t.Errorf("after: %v, %v", id, err)
	}
	if _, err := d.ExternalUser(t.Context(), "https://other.example.com", "anna"); !errors.Is(err, account.ErrExternalUnknown) {
		t.Errorf("the same subject of another issuer: %v", err)
	}
	g, again, err := d.OpenExternalSession(t.Context(), arrival(t, id, "anna"))
	if err != nil || again.ID != anna.ID || g.Epoch != 1 {
		t.Errorf("%+v of %+v, %v", g, again, err)
	}
	got := scan[string](t, d, `SELECT external_issuer || ' ' || external_sid FROM sessions WHERE id = $1`, g.SessionID)
	if got != provider+" sid of anna" {
		t.Errorf("the session is from %q", got)
	}
	// Nobody has a password or an address, so that nobody logs in without one.
	for _, email := range []string{"", " "} {
		if _, err := d.CredentialByEmail(t.Context(), email); !errors.Is(err, account.ErrUserNotFound) {
			t.Errorf("%q: %v", email, err)
		}
	}
	if c, err := d.Credential(t.Context(), anna.ID); err != nil || c.Hash != "" {
		t.Errorf("%+v, %v", c, err)
	}
}

func TestASessionSaysWhenItsUserAuthenticatedElsewhereAndNeverTheFuture(t *testing.T) {
	d := open(t)
	user := d.came(t, "anna").ID
	hour := time.Now().Add(-time.Hour)
	for name, c := range map[string]struct{ says, least, most time.Time }{
		"an hour ago": {hour, hour.Add(-time.Second), hour.Add(time.Second)},
		"unknown":     {time.Time{}, time.Unix(0, 0), time.Unix(0, 0)},
		"the future":  {time.Now().Add(time.Hour), time.Now().Add(-time.Minute), time.Now().Add(time.Minute)},
	} {
		n := arrival(t, user, "anna")
		n.Origin.AuthTime = c.says
		g, _, err := d.OpenExternalSession(t.Context(), n)
		if err != nil {
			t.Fatal(err)
		}
		d.age(t, g.SessionID, time.Minute)
		again := d.want(t, present(t, g.SessionID, 1), 2)
		for when, at := range map[string]time.Time{"at first": g.AuthTime, "after a refresh": again.AuthTime} {
			if at.Before(c.least) || at.After(c.most) {
				t.Errorf("%s, %s: %v", name, when, at)
			}
		}
	}
}

// W AB_EXCHANGE_SNAPSHOT: else who was deactivated comes back with a session.
func TestAnExchangeThatOverlapsDeactivateOpensNothing(t *testing.T) {
	d := open(t)
	user := d.came(t, "anna").ID
	before := scan[int](t, d, `SELECT count(*) FROM sessions`)
	if err := d.overlapped(t, arrival(t, user, "anna"), `UPDATE users SET active = false, epoch = 2 WHERE id = $1`, user); !errors.Is(err, account.ErrUserDeactivated) {
		t.Errorf("err = %v", err)
	}
	if n := scan[int](t, d, `SELECT count(*) FROM sessions`); n != before {
		t.Errorf("%d sessions, before %d", n, before)
	}
}

// overlapped begins an exchange, commits change while it waits, and returns
// what became of it.
func (d db) overlapped(t *testing.T, n account.NewExternalSession, change string, args ...any) error {
	t.Helper()
	release := d.hold(t, change, args...)
	done := make(chan error, 1)
	go func() {
		_, _, err := d.OpenExternalSession(t.Context(), n)
		done <- err
	}()
	d.awaitBlocked(t, 1)
	release()
	return <-done
}

func TestAnExchangeWhoseLinkGoesMeanwhileOpensNothing(t *testing.T) {
	d := open(t)
	other := d.came(t, "another").ID
	const lockedSQL = `WITH u AS (SELECT FROM users WHERE id = $1 FOR NO KEY UPDATE), l AS (`
	for subject, change := range map[string]string{
		"unlinked": lockedSQL + `DELETE FROM external_identities WHERE subject = 'unlinked' AND $2::uuid IS NOT NULL) SELECT FROM u`,
		"relinked": lockedSQL + `UPDATE external_identities SET user_id = $2 WHERE subject = 'relinked') SELECT FROM u`,
	} {
		user := d.came(t, subject).ID
		if err := d.overlapped(t, arrival(t, user, subject), change, user, other); !errors.Is(err, account.ErrAccountChanged) {
			t.Errorf("%s: %v", subject, err)
		}
	}
}

// A token has the roles and the epoch of one version of the row.
func TestAnExchangeThatOverlapsSetUserRolesHasTheNewRolesAndTheNewEpoch(t *testing.T) {
	d := open(t)
	user := d.came(t, "anna").ID
	release := d.hold(t, `UPDATE users SET roles = '{operator}', epoch = 2 WHERE id = $1`, user)
	done := make(chan account.Generation, 1)
	n := arrival(t, user, "anna")
	go func() {
		g, _, err := d.OpenExternalSession(t.Context(), n)
		if err != nil {
			t.Error(err)
		}
		done <- g
	}()
	d.awaitBlocked(t, 1)
	release()
	if g := <-done; g.Epoch != 2 || !slices.Equal(g.Roles, []string{account.RoleOperator}) {
		t.Errorf("epoch %d, roles %v", g.Epoch, g.Roles)
	}
}

// Of 32 first arrivals at once one makes the user; the others have to look again.
func TestFirstArrivalsAtOnceMakeOneUser(t *testing.T) {
	const arrivals = 32
	d := open(t, arrivals+2)
	release := d.hold(t, `LOCK TABLE external_identities IN SHARE ROW EXCLUSIVE MODE`)
	errs := make([]error, arrivals)
	var wg sync.WaitGroup
	for i := range arrivals {
		n := arrival(t, newID(t), "anna")
		n.Provision = true
		wg.Go(func() { _, _, errs[i] = d.OpenExternalSession(t.Context(), n) })
	}
	d.awaitBlocked(t, arrivals)
	release()
	wg.Wait()
	made := 0
	for _, err := range errs {
		if err == nil {
			made++
		} else if !errors.Is(err, account.ErrAccountChanged) {
			t.Error(err)
		}
	}
	if users := scan[int](t, d, `SELECT count(*) FROM users`); made != 1 || users != 1 {
		t.Errorf("%d made a user, there are %d", made, users)
	}
}

func TestExchangesAtOnceNeverExceedTheCap(t *testing.T) {
	const arrivals, limit = 24, 2
	d := open(t, arrivals+2)
	user := d.came(t, "anna").ID
	release := d.hold(t, `SELECT 1 FROM users WHERE id = $1 FOR NO KEY UPDATE`, user)
	var wg sync.WaitGroup
	for range arrivals {
		n := arrival(t, user, "anna")
		n.Cap = limit
		wg.Go(func() {
			if _, _, err := d.OpenExternalSession(t.Context(), n); err != nil {
				t.Error(err)
			}
		})
	}
	d.awaitBlocked(t, arrivals)
	release()
	wg.Wait()
	if n := scan[int](t, d, `SELECT count(*) FROM sessions WHERE revoked_at IS NULL`); n != limit {
		t.Errorf("%d live sessions, the cap is %d", n, limit)
	}
	unruled := scan[int](t, d, `SELECT count(*) FROM sessions s WHERE revoked_at IS NOT NULL AND NOT EXISTS (
		SELECT 1 FROM revocation_rules r WHERE r.kind = 'session' AND r.subject = s.id::text)`)
	if unruled != 0 {
		t.Errorf("%d evicted sessions have no rule", unruled)
	}
}

// Many users may have no address; those who have one have it alone.
func TestAddressesAreUniqueAndNoAddressIsNot(t *testing.T) {
	d := open(t)
	d.came(t, "anna")
	d.came(t, "bert")
	first := d.user(t)
	_, err := d.CreateUser(t.Context(), account.NewUser{ID: newID(t), Email: first.Email, Roles: []string{}, PasswordHash: "x"})
	if !errors.Is(err, account.ErrEmailTaken) {
		t.Errorf("err = %v", err)
	}
	if scan[bool](t, d, `SELECT count(*) <> 2 FROM users WHERE email = ''`) {
		t.Error("not two users without an address")
	}
}
