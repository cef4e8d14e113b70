package stolentoken

import (
	"context"
	"io"
	"time"

	"github.com/curfew-platform/curfew/e2e/stand"
	"github.com/curfew-platform/curfew/e2e/story"
)

// leaseBound is what a dead or paused replica may cost a revoking call: one
// row lease (6 s) with its margin for clock drift, and one poll.
const leaseBound = 7 * time.Second

// Tell runs the story; rounds is how many tokens are stolen.
func Tell(ctx context.Context, out io.Writer, s *stand.Stand, rounds int) error {
	t := story.Begin(out, "Story 1: the stolen token")
	t.Sayf("a thief holds a valid access token; then its owner changes the password, an administrator deactivates")
	t.Sayf("the account, the owner ends the session, or logs out. May the thief go on?")
	naive, err := s.StartService(ctx, "orders", nil, "--revocation", "none")
	if err != nil {
		return err
	}
	defer naive.Kill()
	old, err := Rounds(ctx, s, []string{naive.GRPC}, 8)
	if err != nil {
		return err
	}
	t.Oldf(old.Admitted > 0, "stateless JWT (revocation source none): %d of %d calls admitted after the revoking call returned", old.Admitted, old.Calls)
	if _, _, err := naive.Stop(10 * time.Second); err != nil {
		return err
	}
	ours, err := Rounds(ctx, s, s.Orders, rounds)
	if err != nil {
		return err
	}
	t.Oursf(ours.Admitted == 0, "leased feed, %d replicas of orders: %d rounds, %d of %d calls admitted after the revoking call returned",
		len(s.Orders), ours.Rounds, ours.Admitted, ours.Calls)
	paused, err := PausedReplica(ctx, s)
	if err != nil {
		return err
	}
	t.Oursf(!paused.Admitted && paused.Waited < leaseBound,
		"a replica under SIGSTOP delayed Logout by %.1f s (bound %v) and after SIGCONT admitted the token: %v", paused.Waited.Seconds(), leaseBound, paused.Admitted)

	oldRace, err := NaiveRefreshRace(ctx, s)
	if err != nil {
		return err
	}
	t.Oldf(oldRace.LoggedOut || oldRace.Pairs > 1, "%d tabs refresh at once, rotation as in tutorials: %d answered with %d different pairs, user logged out: %v",
		oldRace.Refreshes, oldRace.Answered, oldRace.Pairs, oldRace.LoggedOut)
	race, err := RefreshRace(ctx, s)
	if err != nil {
		return err
	}
	t.Oursf(race.Answered == race.Refreshes && race.Pairs == 1 && !race.LoggedOut,
		"%d tabs refresh at once: %d answered with %d pair, user logged out: %v", race.Refreshes, race.Answered, race.Pairs, race.LoggedOut)
	return t.End()
}
