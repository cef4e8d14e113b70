package postgres_test

import (
	"errors"
	"fmt"
	"testing"

	"github.com/google/uuid"

	"github.com/curfew-platform/curfew/services/auth/internal/account"
)

func TestASubjectIsOneUserAndAUserHasSoMany(t *testing.T) {
	const limit = 3
	d := open(t)
	anna, bert := d.user(t).ID, d.user(t).ID
	link := func(user uuid.UUID, subject string, want error) {
		t.Helper()
		if err := d.LinkExternalIdentity(t.Context(), user, provider, subject, limit); !errors.Is(err, want) {
			t.Errorf("%s: %v, want %v", subject, err, want)
		}
	}
	for i := range limit {
		link(anna, fmt.Sprint("anna ", i), nil)
	}
	link(anna, "anna 0", nil) // again
	link(anna, "one too many", account.ErrExternalIdentitiesTooMany)
	link(bert, "anna 1", account.ErrExternalIdentityTaken)
	link(uuid.Max, "nobody", account.ErrUserNotFound)
	got, err := d.ExternalIdentities(t.Context(), anna)
	if err != nil || len(got) != limit || got[0].Issuer != provider || got[0].Subject != "anna 0" || got[0].CreatedAt.IsZero() {
		t.Errorf("%+v, %v", got, err)
	}
	if got, err := d.ExternalIdentities(t.Context(), bert); err != nil || len(got) != 0 {
		t.Errorf("%+v, %v", got, err)
	}
	if _, err := d.ExternalIdentities(t.Context(), uuid.Max); !errors.Is(err, account.ErrUserNotFound) {
		t.Errorf("of nobody: %v", err)
	}
}

func TestUnlinkingEndsTheSessionsThatCameFromTheIssuerAndNoOthers(t *testing.T) {
	d := open(t)
	anna := d.user(t).ID
	if err := d.LinkExternalIdentity(t.Context(), anna, provider, "anna", 16); err != nil {
		t.Fatal(err)
	}
	bert := d.came(t, "bert").ID
	own, came := d.session(t, anna), d.arrive(t, arrival(t, anna, "anna"))
	if u, seq, err := d.UnlinkExternalIdentity(t.Context(), anna, provider, "bert"); err != nil || u.Found || u.Ended != 0 || seq != 0 {
		t.Errorf("of another: %+v at %d, %v", u, seq, err)
	}
	for i, want := range []account.Unlinked{{Found: true, Ended: 1}, {}} {
		if u, seq, err := d.UnlinkExternalIdentity(t.Context(), anna, provider, "anna"); err != nil || u != want || seq != 1 {
			t.Errorf("time %d: %+v at %d, %v", i+1, u, seq, err)
		}
	}
	d.refused(t, present(t, came.SessionID, 1), account.ErrSessionRevoked)
	d.want(t, present(t, own.SessionID, 1), 2)
	if n := scan[int](t, d, `SELECT count(*) FROM revocation_rules WHERE kind = 'session' AND subject = $1`, came.SessionID.String()); n != 1 {
		t.Errorf("%d rules", n)
	}
	if live := scan[int](t, d, `SELECT count(*) FROM sessions WHERE user_id = $1 AND revoked_at IS NULL`, bert); live != 1 {
		t.Errorf("%d sessions of another user", live)
	}
	if _, _, err := d.OpenExternalSession(t.Context(), arrival(t, anna, "anna")); !errors.Is(err, account.ErrAccountChanged) {
		t.Errorf("an exchange: %v", err)
	}
	if _, _, err := d.UnlinkExternalIdentity(t.Context(), uuid.Max, provider, "anna"); !errors.Is(err, account.ErrUserNotFound) {
		t.Errorf("of nobody: %v", err)
	}
}

// Else the session of an exchange that has looked at the link is opened after
// the sessions were looked for.
func TestUnlinkingWaitsForAnExchangeThatUsesTheLink(t *testing.T) {
	d := open(t)
	anna := d.came(t, "anna").ID
	release := d.hold(t, `WITH u AS (SELECT id FROM users WHERE id = $1 FOR NO KEY UPDATE)
		INSERT INTO sessions (id, user_id, token_kid, jti, expires_at, external_issuer) SELECT $2, u.id, 7, $2, now() + interval '1 day', $3 FROM u`,
		anna, newID(t), provider)
	done := make(chan account.Unlinked, 1)
	go func() {
		u, _, err := d.UnlinkExternalIdentity(t.Context(), anna, provider, "anna")
		if err != nil {
			t.Error(err)
		}
		done <- u
	}()
	d.awaitBlocked(t, 1)
	release()
	if u := <-done; !u.Found || u.Ended != 2 {
		t.Errorf("%+v", u)
	}
}
