package postgres_test

import (
	"errors"
	"sync"
	"testing"

	"github.com/google/uuid"

	"github.com/curfew-platform/curfew/services/auth/internal/account"
)

// L AB_KEEP_SESSIONS: else an old session refreshes to the new epoch.
func TestChangePasswordEndsEverySessionAndOpensOneOfTheNewEpoch(t *testing.T) {
	d := open(t)
	user := d.user(t).ID
	n := verified(t, user)
	n.Device = "laptop"
	mine, err := d.OpenSession(t.Context(), n)
	if err != nil {
		t.Fatal(err)
	}
	other := d.session(t, user)
	caller := account.Caller{UserID: user, SessionID: mine.SessionID}
	g, seq, err := d.ChangePassword(t.Context(), caller, verified(t, user), "hash 2")
	if err != nil || seq != 1 || g.Epoch != 2 {
		t.Fatalf("generation %+v at %d: %v", g, seq, err)
	}
	d.refused(t, present(t, other.SessionID, 1), account.ErrSessionRevoked)
	d.refused(t, present(t, mine.SessionID, 1), account.ErrSessionRevoked)
	if again := d.want(t, present(t, g.SessionID, 1), 1); again.Epoch != 2 {
		t.Errorf("epoch %d", again.Epoch)
	}
	rule := scan[int64](t, d, `SELECT epoch FROM revocation_rules WHERE seq = 1 AND kind = 'subject_epoch' AND subject = $1`, user.String())
	if rule != 2 {
		t.Errorf("the rule admits epoch %d", rule)
	}
	if device := scan[string](t, d, `SELECT device FROM sessions WHERE id = $1`, g.SessionID); device != "laptop" {
		t.Errorf("device %q", device)
	}
	// The version that was verified is used up.
	if _, _, err := d.ChangePassword(t.Context(), caller, verified(t, user), "hash 3"); !errors.Is(err, account.ErrAccountChanged) {
		t.Errorf("a second change with the old version: %v", err)
	}
}

func TestChangePasswordFromASessionThatHasEndedChangesNothing(t *testing.T) {
	d := open(t)
	user := d.user(t).ID
	mine, other := d.session(t, user), d.session(t, user)
	if _, err := d.EndSession(t.Context(), mine.SessionID); err != nil {
		t.Fatal(err)
	}
	caller := account.Caller{UserID: user, SessionID: mine.SessionID}
	if _, _, err := d.ChangePassword(t.Context(), caller, verified(t, user), "hash 2"); !errors.Is(err, account.ErrSessionRevoked) {
		t.Fatalf("err = %v", err)
	}
	c, err := d.Credential(t.Context(), user)
	if err != nil || c.Hash != "hash 1" || c.CredVersion != 1 || c.Epoch != 1 {
		t.Errorf("credential = %+v, %v", c, err)
	}
	d.want(t, present(t, other.SessionID, 1), 2)
}

// L AB_DEACT_USER_ONLY: else the sessions come back at ReactivateUser.
func TestReactivateRevivesNoSession(t *testing.T) {
	d := open(t)
	user := d.user(t).ID
	s := d.session(t, user)
	if u, seq, err := d.Deactivate(t.Context(), user); err != nil || u.Active || seq != 1 {
		t.Fatalf("Deactivate = %+v at %d, %v", u, seq, err)
	}
	if u, err := d.Reactivate(t.Context(), user); err != nil || !u.Active {
		t.Fatalf("Reactivate = %+v, %v", u, err)
	}
	d.refused(t, present(t, s.SessionID, 1), account.ErrSessionRevoked)
	c, err := d.Credential(t.Context(), user)
	if err != nil || c.Epoch != 2 {
		t.Errorf("epoch %d, %v: tokens from before would be good again", c.Epoch, err)
	}
}

func TestSetRolesLeavesTheSessionAliveWithTheNewEpochAndRoles(t *testing.T) {
	d := open(t)
	user := d.user(t).ID
	s := d.session(t, user)
	if _, _, err := d.SetRoles(t.Context(), user, []string{account.RoleOperator}); err != nil {
		t.Fatal(err)
	}
	g := d.want(t, present(t, s.SessionID, 1), 2)
	if g.Epoch != 2 || len(g.Roles) != 1 || g.Roles[0] != account.RoleOperator {
		t.Errorf("generation = %+v", g)
	}
}

func TestRevokeSessionNeedsTheOwnerOfTheSessionAndMayBeRepeated(t *testing.T) {
	d := open(t)
	user, stranger := d.user(t).ID, d.user(t).ID
	s := d.session(t, user)
	if _, _, err := d.RevokeSession(t.Context(), stranger, s.SessionID); !errors.Is(err, account.ErrSessionNotFound) {
		t.Errorf("a stranger's name for it: %v", err)
	}
	for range 2 {
		ended, seq, err := d.RevokeSession(t.Context(), user, s.SessionID)
		if err != nil || ended.ID != s.SessionID || seq != 1 {
			t.Errorf("RevokeSession = %+v at %d, %v", ended, seq, err)
		}
	}
	d.refused(t, present(t, s.SessionID, 1), account.ErrSessionRevoked)
}

// Else one customer fills the feed of all services.
func TestASessionIsRevokedByOneRuleHoweverOftenItIsAskedFor(t *testing.T) {
	d := open(t)
	user := d.user(t).ID
	s := d.session(t, user)
	var wg sync.WaitGroup
	for i := range 16 {
		wg.Go(func() {
			seq, err := d.EndSession(t.Context(), s.SessionID)
			if i%2 == 0 {
				_, seq, err = d.RevokeSession(t.Context(), user, s.SessionID)
			}
			if err != nil || seq != 1 {
				t.Errorf("position %d, %v", seq, err)
			}
		})
	}
	wg.Wait()
	if n := scan[int](t, d, `SELECT count(*) FROM revocation_rules`); n != 1 {
		t.Errorf("%d rules", n)
	}
	// A rule that is forgotten before the last token is over is not enough.
	d.exec(t, `UPDATE revocation_rules SET keep_until = keep_until - interval '1 s'`)
	for range 2 {
		if _, seq, err := d.RevokeSession(t.Context(), user, s.SessionID); err != nil || seq != 2 {
			t.Errorf("after a rule that ends too early: position %d, %v", seq, err)
		}
	}
}

// The end of a session by a new password has a rule of another kind.
func TestRevokingASessionThatEndedOtherwiseRevokesItsTokens(t *testing.T) {
	d := open(t)
	user := d.user(t).ID
	s := d.session(t, user)
	if _, _, err := d.Deactivate(t.Context(), user); err != nil {
		t.Fatal(err)
	}
	for range 2 {
		if _, seq, err := d.RevokeSession(t.Context(), user, s.SessionID); err != nil || seq != 2 {
			t.Errorf("position %d, %v", seq, err)
		}
	}
}

// R AB_PURGE: detection outlives the clean-up.
func TestCleanUpRemovesSessionsOnlyAnHourAfterTheirEnd(t *testing.T) {
	d := open(t)
	user := d.user(t).ID
	live, dead, gone := d.session(t, user), d.session(t, user), d.session(t, user)
	d.want(t, present(t, live.SessionID, 1), 2)
	d.age(t, live.SessionID, window)
	d.want(t, present(t, live.SessionID, 2), 3)
	d.exec(t, `UPDATE sessions SET expires_at = now() - interval '59 minutes' WHERE id = $1`, dead.SessionID)
	d.exec(t, `UPDATE sessions SET expires_at = now() - interval '61 minutes' WHERE id = $1`, gone.SessionID)
	d.exec(t, `INSERT INTO revocation_rules (seq, part, kind, issuer, subject, keep_until) VALUES (1, 1, 'key', $1, 'k', now() - interval '1 s'), (2, 1, 'key', $1, 'k', now() + interval '1 min')`, issuer)
	removed, err := d.CleanUp(t.Context())
	if err != nil || removed != 2 {
		t.Fatalf("removed %d, %v", removed, err)
	}
	d.refused(t, present(t, dead.SessionID, 1), account.ErrRefreshExpired)
	d.refused(t, present(t, gone.SessionID, 1), account.ErrRefreshUnknown)
	d.refused(t, present(t, live.SessionID, 1), account.ErrRefreshReused)
}

func TestAnAddressBelongsToOneUser(t *testing.T) {
	d := open(t)
	first := d.user(t)
	_, err := d.CreateUser(t.Context(), account.NewUser{ID: newID(t), Email: first.Email, Roles: []string{}, PasswordHash: "x"})
	if !errors.Is(err, account.ErrEmailTaken) {
		t.Errorf("err = %v", err)
	}
	if _, err := d.User(t.Context(), uuid.Max); !errors.Is(err, account.ErrUserNotFound) {
		t.Errorf("err = %v", err)
	}
}
