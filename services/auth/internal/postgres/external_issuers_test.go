package postgres_test

import (
	"errors"
	"slices"
	"testing"
	"time"

	"github.com/google/uuid"

	"github.com/curfew-platform/curfew/services/auth/internal/account"
)

// arrive opens a session for a subject that is linked.
func (d db) arrive(t *testing.T, n account.NewExternalSession) account.Generation {
	t.Helper()
	g, _, err := d.OpenExternalSession(t.Context(), n)
	if err != nil {
		t.Fatal(err)
	}
	return g
}

func TestTheSessionsOfARevokedIssuerEndInBatchesAndNoOthers(t *testing.T) {
	d := open(t)
	anna, bert := d.came(t, "anna").ID, d.came(t, "bert").ID // a session each
	d.arrive(t, arrival(t, anna, "anna"))
	own := d.session(t, anna)
	elsewhere := arrival(t, newID(t), "anna")
	elsewhere.Origin.Issuer, elsewhere.Provision = "https://other.example.com", true
	other := d.arrive(t, elsewhere)
	silent := d.arrive(t, arrival(t, bert, "bert"))
	d.age(t, silent.SessionID, time.Hour) // its access token is over, and so is every clock's error

	ended, last, before := 0, uuid.Nil, int64(0)
	for batches := 1; ; batches++ {
		n, next, seq, err := d.EndExternalSessions(t.Context(), provider, last, 2)
		if err != nil || seq < before || n != 2 && next != uuid.Nil {
			t.Fatalf("batch %d: %d ended at %d, %v", batches, n, seq, err)
		}
		ended, last, before = ended+n, next, seq
		if next == uuid.Nil {
			break
		}
	}
	if ended != 4 {
		t.Errorf("%d sessions ended", ended)
	}
	if n := scan[int](t, d, `SELECT count(*) FROM sessions WHERE external_issuer = $1 AND revoked_at IS NULL`, provider); n != 0 {
		t.Errorf("%d live", n)
	}
	d.age(t, other.SessionID, time.Minute)
	for _, s := range []uuid.UUID{own.SessionID, other.SessionID} {
		d.want(t, present(t, s, 1), 2)
	}
	// A rule for each session that an access token can speak of.
	unruled := scan[string](t, d, `SELECT coalesce(string_agg(id::text, ' '), '') FROM sessions s WHERE revoked_at IS NOT NULL AND NOT EXISTS (
		SELECT 1 FROM revocation_rules r WHERE r.kind = 'session' AND r.subject = s.id::text)`)
	if unruled != silent.SessionID.String() {
		t.Errorf("without a rule: %q, want %s", unruled, silent.SessionID)
	}
	// Again there is nothing to end, and what was revoked before is waited for.
	if n, next, seq, err := d.EndExternalSessions(t.Context(), provider, uuid.Nil, 2); err != nil || n != 0 || next != uuid.Nil || seq != before {
		t.Errorf("again: %d ended, at %d, %v", n, seq, err)
	}
}

func TestARevokedIssuerIsRefusedUntilItIsAcceptedAgainAndHasOneRule(t *testing.T) {
	d := open(t)
	user := d.came(t, "anna").ID
	first, err := d.RefuseExternalIssuer(t.Context(), provider)
	if err != nil {
		t.Fatal(err)
	}
	if again, err := d.RefuseExternalIssuer(t.Context(), provider); err != nil || again != first {
		t.Errorf("again: position %d, %v, want %d", again, err, first)
	}
	if !scan[bool](t, d, `SELECT bool_and(kind = 'issuer' AND issuer = $1 AND keep_until > now() + interval '6 days') FROM revocation_rules`, provider) {
		t.Error("the rule about the issuer's own tokens")
	}
	for _, provision := range []bool{false, true} {
		n := arrival(t, user, "anna")
		if n.Provision = provision; provision {
			n.UserID, n.Subject = newID(t), "new"
		}
		if _, _, err := d.OpenExternalSession(t.Context(), n); !errors.Is(err, account.ErrExternalRevoked) {
			t.Errorf("an exchange, new user %t: %v", provision, err)
		}
	}
	if err := d.AcceptExternalIssuer(t.Context(), provider); err != nil {
		t.Fatal(err)
	}
	d.arrive(t, arrival(t, user, "anna"))
	// Another revocation is another rule: the first one ends before its week is over.
	if later, err := d.RefuseExternalIssuer(t.Context(), provider); err != nil || later <= first {
		t.Errorf("after it was accepted: position %d, %v", later, err)
	}
}

const lockIssuer = `SELECT pg_advisory_xact_lock(hashtextextended('external issuer ' || $1, 0))`

func TestAnExchangeThatOverlapsTheRevocationOfItsIssuerOpensNothing(t *testing.T) {
	d := open(t)
	user := d.came(t, "anna").ID
	err := d.overlapped(t, arrival(t, user, "anna"),
		`WITH l AS (`+lockIssuer+`) INSERT INTO external_issuers SELECT $1, now() FROM l`, provider)
	if !errors.Is(err, account.ErrExternalRevoked) {
		t.Errorf("err = %v", err)
	}
}

// Else its session would be opened after the sessions were looked for.
func TestTheRevocationOfAnIssuerWaitsForExchangesThatAreUnderWay(t *testing.T) {
	d := open(t)
	user := d.came(t, "anna").ID
	release := d.hold(t, `SELECT 1 FROM users WHERE id = $1 FOR NO KEY UPDATE`, user)
	opened, refused := make(chan error, 1), make(chan error, 1)
	n := arrival(t, user, "anna")
	go func() {
		_, _, err := d.OpenExternalSession(t.Context(), n)
		opened <- err
	}()
	d.awaitBlocked(t, 1)
	go func() {
		_, err := d.RefuseExternalIssuer(t.Context(), provider)
		refused <- err
	}()
	d.awaitBlocked(t, 2)
	release()
	if err := errors.Join(<-opened, <-refused); err != nil {
		t.Fatal(err)
	}
	if ended, _, _, err := d.EndExternalSessions(t.Context(), provider, uuid.Nil, 10); err != nil || ended != 2 {
		t.Errorf("%d sessions, %v", ended, err)
	}
}

func TestIssuersAreListedWithWhatIsKnownOfThem(t *testing.T) {
	d := open(t)
	d.came(t, "anna")
	const idle = time.Hour
	named := []string{"https://new.example.com", provider}
	list := func(alone bool, named ...string) []account.ExternalIssuer {
		t.Helper()
		issuers, err := d.ExternalIssuers(t.Context(), named, alone, idle)
		if err != nil {
			t.Fatal(err)
		}
		return issuers
	}
	if got := list(false, named...); len(got) != 2 || !got[0].Known || got[0].Sessions != 1 || !got[0].RevokedAt.IsZero() || got[1].Known {
		t.Errorf("%+v", got)
	}
	if _, err := d.RefuseExternalIssuer(t.Context(), "https://gone.example.com"); err != nil {
		t.Fatal(err)
	}
	got := list(false)
	if names := []string{got[0].Issuer, got[len(got)-1].Issuer}; !slices.Equal(names, []string{"https://gone.example.com", provider}) || got[0].RevokedAt.IsZero() || got[0].RefuseUntil.IsZero() {
		t.Errorf("%+v", got)
	}
	if got := list(true, "https://nobody.example.com"); len(got) != 1 || got[0].Known {
		t.Errorf("%+v", got)
	}
}
