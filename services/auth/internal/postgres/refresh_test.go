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

// window of these tests; time passes by d.age only.
const window = 30 * time.Second

func present(t testing.TB, session uuid.UUID, generation int32) account.Presented {
	t.Helper()
	return account.Presented{
		SessionID: session, Generation: generation, FreshID: newID(t), MACKey: 7, Window: window, Idle: 12 * time.Hour,
	}
}

func (d db) refresh(t *testing.T, p account.Presented) account.Refreshed {
	t.Helper()
	r, err := d.Refresh(t.Context(), p)
	if err != nil {
		t.Fatal(err)
	}
	return r
}

// want checks that generation g is handed out, and returns it.
func (d db) want(t *testing.T, p account.Presented, g int32) account.Generation {
	t.Helper()
	r := d.refresh(t, p)
	if r.Refused != nil || r.Generation.Number != g {
		t.Fatalf("presented %d: generation %d, refused %v; want generation %d", p.Generation, r.Generation.Number, r.Refused, g)
	}
	return r.Generation
}

// refused checks that the refresh is refused for the reason.
func (d db) refused(t *testing.T, p account.Presented, reason error) {
	t.Helper()
	if r := d.refresh(t, p); !errors.Is(r.Refused, reason) {
		t.Fatalf("presented %d: generation %d, refused %v; want %v", p.Generation, r.Generation.Number, r.Refused, reason)
	}
}

func same(a, b account.Generation) bool {
	return a.SessionID == b.SessionID && a.UserID == b.UserID && a.Number == b.Number && a.MACKey == b.MACKey &&
		a.TokenID == b.TokenID && a.IssuedAt.Equal(b.IssuedAt) && a.AuthTime.Equal(b.AuthTime) &&
		a.Epoch == b.Epoch && slices.Equal(a.Roles, b.Roles)
}

// R AB_NOMINAGE: closing the window when the successor is used logs honest
// users out.
func TestAGenerationYoungerThanTheWindowIsHandedOutAgainAndNotRotated(t *testing.T) {
	d := open(t)
	s := d.session(t, d.user(t).ID)
	two := d.want(t, present(t, s.SessionID, 1), 2)
	if again := d.want(t, present(t, s.SessionID, 2), 2); !same(two, again) {
		t.Errorf("first %+v, then %+v", two, again)
	}
	d.age(t, s.SessionID, window)
	d.want(t, present(t, s.SessionID, 2), 3)
}

// R AB_YOUNG_BY_ROTATION.
func TestTheAgeOfAGenerationCountsFromItsLastHandOutToAHolderOfItsParent(t *testing.T) {
	d := open(t)
	s := d.session(t, d.user(t).ID)
	d.want(t, present(t, s.SessionID, 1), 2)
	d.age(t, s.SessionID, 20*time.Second)
	d.want(t, present(t, s.SessionID, 1), 2) // a late racer gets it now
	d.age(t, s.SessionID, 20*time.Second)    // 40 s after the rotation, 20 s after the hand-out
	d.want(t, present(t, s.SessionID, 2), 2)
	d.age(t, s.SessionID, 10*time.Second)
	d.want(t, present(t, s.SessionID, 2), 3)
}

// R AB_NOWINDOW.
func TestTwoTabsThatRefreshOneAfterTheOtherBothGoOn(t *testing.T) {
	d := open(t)
	s := d.session(t, d.user(t).ID)
	first := d.want(t, present(t, s.SessionID, 1), 2)
	d.age(t, s.SessionID, window-time.Second)
	// R AB_LOSER_OLD, AB_FORK: the loser gets the winner's pair, not the old
	// token and no chain of its own.
	second := d.want(t, present(t, s.SessionID, 1), 2)
	first.IssuedAt = first.IssuedAt.Add(time.Second - window) // d.age moved it
	if !same(first, second) {
		t.Errorf("the winner has %+v, the loser %+v", first, second)
	}
}

// R AB_NOLIMIT: else a thief who never comes near the owner goes on for ever.
func TestTheParentAfterTheWindowEndsTheSessionThoughTheSuccessorWasNeverUsed(t *testing.T) {
	d := open(t)
	s := d.session(t, d.user(t).ID)
	d.want(t, present(t, s.SessionID, 1), 2)
	d.age(t, s.SessionID, window)
	d.refused(t, present(t, s.SessionID, 1), account.ErrRefreshReused)
}

// R AB_OLDER, AB_NOKILL.
func TestAGrandparentInsideTheWindowEndsTheSessionAndItsTokens(t *testing.T) {
	d := open(t)
	s := d.session(t, d.user(t).ID)
	d.want(t, present(t, s.SessionID, 1), 2)
	d.age(t, s.SessionID, window)
	d.want(t, present(t, s.SessionID, 2), 3)
	before := scan[int64](t, d, `SELECT seq FROM revocation_head`)
	d.refused(t, present(t, s.SessionID, 1), account.ErrRefreshReused)
	d.refused(t, present(t, s.SessionID, 3), account.ErrSessionRevoked)
	if after := scan[int64](t, d, `SELECT seq FROM revocation_head`); after != before+1 {
		t.Errorf("head went from %d to %d", before, after)
	}
	rules := scan[int](t, d, `SELECT count(*) FROM revocation_rules WHERE kind = 'session' AND subject = $1 AND issuer = $2`, s.SessionID.String(), issuer)
	if rules != 1 {
		t.Errorf("%d rules for the session", rules)
	}
}

func TestAGenerationThatWasNeverMadeIsUnknownAndEndsNothing(t *testing.T) {
	d := open(t)
	s := d.session(t, d.user(t).ID)
	r := d.refresh(t, present(t, s.SessionID, 2))
	if !errors.Is(r.Refused, account.ErrRefreshUnknown) || !r.Ahead {
		t.Fatalf("verdict = %+v", r)
	}
	d.want(t, present(t, s.SessionID, 1), 2)
	d.refused(t, present(t, newID(t), 1), account.ErrRefreshUnknown)
}

// R A_SLEEP: 30 s do not cure a phone in a tunnel.
func TestARetryKeyIsAnsweredHoweverLateUntilTheSuccessorIsUsed(t *testing.T) {
	d := open(t)
	s := d.session(t, d.user(t).ID)
	p := present(t, s.SessionID, 1)
	p.RetryHash = []byte("key of the first")
	lost := d.want(t, p, 2)
	d.age(t, s.SessionID, time.Hour)
	p.FreshID = newID(t)
	got := d.want(t, p, 2)
	if got.Number != lost.Number || got.MACKey != lost.MACKey {
		t.Errorf("the late answer is %+v, the lost one %+v", got, lost)
	}
	d.age(t, s.SessionID, window)
	next := present(t, s.SessionID, 2)
	next.RetryHash = []byte("key of the second")
	d.want(t, next, 3)
	d.refused(t, p, account.ErrRefreshReused)
}

func TestALateAnswerHasAnAccessTokenThatIsYoung(t *testing.T) {
	d := open(t)
	s := d.session(t, d.user(t).ID)
	p := present(t, s.SessionID, 1)
	p.RetryHash = []byte("key")
	lost := d.want(t, p, 2)
	d.age(t, s.SessionID, window-time.Second)
	if got := d.want(t, p, 2); got.TokenID != lost.TokenID {
		t.Error("inside the window the answer differs")
	}
	d.age(t, s.SessionID, time.Hour)
	before := scan[time.Time](t, d, `SELECT rotated_at FROM sessions WHERE id = $1`, s.SessionID)
	// Tries at once get one token.
	answers := make(chan account.Generation, 8)
	var wg sync.WaitGroup
	for range cap(answers) {
		q := p
		q.FreshID = newID(t)
		wg.Go(func() {
			r, err := d.Refresh(t.Context(), q)
			if err != nil || r.Refused != nil || !r.Again {
				t.Errorf("%+v, %v", r, err)
			}
			answers <- r.Generation
		})
	}
	wg.Wait()
	late := <-answers
	if late.Number != 2 || late.MACKey != lost.MACKey || late.TokenID == lost.TokenID {
		t.Errorf("late %+v, lost %+v", late, lost)
	}
	if age := scan[time.Duration](t, d, `SELECT now() - $1::timestamptz`, late.IssuedAt); age < 0 || age > window {
		t.Errorf("the token is %v old", age)
	}
	for range cap(answers) - 1 {
		if got := <-answers; !same(got, late) {
			t.Error("two answers")
		}
	}
	// The generation is as old as it was: its parent has no window again.
	if at := scan[time.Time](t, d, `SELECT rotated_at FROM sessions WHERE id = $1`, s.SessionID); !at.Equal(before) {
		t.Error("the generation became younger")
	}
	// What was handed out is the current one, and given again with its token.
	if got := d.want(t, present(t, s.SessionID, 2), 2); !same(got, late) {
		t.Error("the pair that was given is not given again")
	}
	// The next one counts from its own beginning.
	d.exec(t, `UPDATE sessions SET handed_at = handed_at - interval '1 minute' WHERE id = $1`, s.SessionID)
	next := d.want(t, present(t, s.SessionID, 2), 3)
	if again := d.want(t, present(t, s.SessionID, 2), 3); !same(next, again) {
		t.Error("the next pair is not given again")
	}
}

func TestALateAnswerOpensNoWindowForWhoHasNotTheKey(t *testing.T) {
	d := open(t)
	s := d.session(t, d.user(t).ID)
	p := present(t, s.SessionID, 1)
	p.RetryHash = []byte("key")
	d.want(t, p, 2)
	d.age(t, s.SessionID, time.Hour)
	d.want(t, p, 2)
	d.refused(t, present(t, s.SessionID, 1), account.ErrRefreshReused)
}

func TestANativeSessionHasNoWindowAndAnotherKeyIsTheftAtOnce(t *testing.T) {
	d := open(t)
	n := verified(t, d.user(t).ID)
	n.Native = true
	s, err := d.OpenSession(t.Context(), n)
	if err != nil {
		t.Fatal(err)
	}
	d.age(t, s.SessionID, window)
	p := present(t, s.SessionID, 1)
	p.RetryHash = []byte("owner")
	d.want(t, p, 2)
	p.RetryHash = []byte("thief")
	d.refused(t, p, account.ErrRefreshReused)
}

// Else a lost answer of a client that forgot the key is lost for good, and its
// next try looks like theft.
func TestANativeSessionIsNotRefreshedWithoutARetryKey(t *testing.T) {
	d := open(t)
	n := verified(t, d.user(t).ID)
	n.Native = true
	s, err := d.OpenSession(t.Context(), n)
	if err != nil {
		t.Fatal(err)
	}
	for range 2 { // young, and old enough to rotate
		d.refused(t, present(t, s.SessionID, 1), account.ErrRetryKeyRequired)
		d.age(t, s.SessionID, window)
	}
	p := present(t, s.SessionID, 1)
	p.RetryHash = []byte("owner")
	d.want(t, p, 2)
	// A copy of an older one is theft with any key and with none.
	d.refused(t, present(t, s.SessionID, 1), account.ErrRefreshReused)
	d.refused(t, present(t, s.SessionID, 2), account.ErrSessionRevoked)
}

func TestIdleAndAbsoluteLimitsEndASessionAsExpired(t *testing.T) {
	d := open(t)
	user := d.user(t).ID
	idle, old := d.session(t, user), d.session(t, user)
	d.age(t, idle.SessionID, 12*time.Hour)
	d.refused(t, present(t, idle.SessionID, 1), account.ErrRefreshExpired)
	d.exec(t, `UPDATE sessions SET expires_at = now() WHERE id = $1`, old.SessionID)
	d.refused(t, present(t, old.SessionID, 1), account.ErrRefreshExpired)
}

// K AB_OWN_PRIMARY: the row names the key of the current generation, so that
// racers at replicas with different primary keys make the same bytes.
func TestTheKeyOfAGenerationIsThatOfWhoeverMadeIt(t *testing.T) {
	d := open(t)
	s := d.session(t, d.user(t).ID)
	old, rotated := present(t, s.SessionID, 1), present(t, s.SessionID, 1)
	old.MACKey, rotated.MACKey = 7, 4_000_000_000
	if g := d.want(t, rotated, 2); g.MACKey != rotated.MACKey {
		t.Errorf("the winner's key is %d", g.MACKey)
	}
	if g := d.want(t, old, 2); g.MACKey != rotated.MACKey {
		t.Errorf("the loser's key is %d", g.MACKey)
	}
}

func TestADeactivatedUserCannotRefreshEvenIfTheSessionRowLives(t *testing.T) {
	d := open(t)
	user := d.user(t).ID
	s := d.session(t, user)
	d.exec(t, `UPDATE users SET active = false WHERE id = $1`, user)
	d.refused(t, present(t, s.SessionID, 1), account.ErrSessionRevoked)
}
