package auth_test

import (
	"os"
	"slices"
	"sync"
	"testing"

	"github.com/curfew-platform/curfew/pkg/interceptors/status"
	authv1 "github.com/curfew-platform/curfew/proto/gen/curfew/auth/v1"
	"github.com/curfew-platform/curfew/services/auth"
)

// overlaps is how often a race is tried.
func overlaps() int {
	if os.Getenv("CURFEW_TEST_SIZE") == "soak" {
		return 200
	}
	return 8
}

// exchanges makes n at once, between the replicas, while do runs, and returns
// the sessions; refusals with these reasons are expected.
func exchanges(t *testing.T, n int, replicas []*replica, token string, do func(), expected ...string) []*authv1.ExchangeExternalTokenResponse {
	t.Helper()
	out := make([]*authv1.ExchangeExternalTokenResponse, n)
	var wg sync.WaitGroup
	wg.Go(do)
	for i := range n {
		wg.Go(func() {
			in, err := replicas[i%len(replicas)].tryExchange(t, token)
			if err != nil && !slices.Contains(expected, status.Reason(err)) {
				t.Error(err)
			}
			out[i] = in
		})
	}
	wg.Wait()
	return slices.DeleteFunc(out, func(in *authv1.ExchangeExternalTokenResponse) bool { return in == nil })
}

// raced is two replicas that believe one provider, and end no session because
// there are too many.
func raced(t *testing.T, provision bool) (*world, *provider, []*replica) {
	t.Helper()
	w := newWorld(t)
	id := newProvider(t, "https://id.example.com")
	roomy := func(cfg *auth.Config) { cfg.MaxSessions = 1000 }
	believed := w.believe(t, provision, id)
	return w, id, []*replica{w.start(t, believed, roomy), w.start(t, believed, roomy)}
}

// nothingLeft demands that no replica admits what was opened, and that no
// session of an external issuer lives.
func nothingLeft(t *testing.T, w *world, replicas []*replica, round int, opened []*authv1.ExchangeExternalTokenResponse) {
	t.Helper()
	for _, in := range opened {
		for _, r := range replicas {
			if err := r.me(t.Context(), in.GetAccessToken()); status.Reason(err) != "TOKEN_REVOKED" {
				t.Errorf("round %d: a token that was exchanged: %v", round, err)
			}
		}
	}
	if n := query[int](t, w, `SELECT count(*) FROM sessions WHERE external_issuer IS NOT NULL AND revoked_at IS NULL`); n != 0 {
		t.Errorf("round %d: %d live sessions", round, n)
	}
}

func TestFirstExchangesAtOnceMakeOneUser(t *testing.T) {
	t.Parallel()
	w, id, replicas := raced(t, true)
	for _, subject := range []string{"anna", "bert", "carl"} {
		users := map[string]int{}
		for _, in := range exchanges(t, 32, replicas, id.token(t, subject), func() {}) {
			users[in.GetUser().GetName()]++
		}
		if len(users) != 1 {
			t.Errorf("%s: %v", subject, users)
		}
	}
	if n := query[int](t, w, `SELECT count(*) FROM users`); n != 3 {
		t.Errorf("%d users of three subjects", n)
	}
}

// When DeactivateUser has returned nothing is left of exchanges that overlapped
// it, whichever of them the database took first.
func TestAnExchangeThatOverlapsDeactivateLeavesNothing(t *testing.T) {
	t.Parallel()
	w, id, replicas := raced(t, true)
	admin := as(t.Context(), w.administrator(t, replicas[0]).GetAccessToken())
	token := id.token(t, "anna")
	name := replicas[0].exchange(t, token).GetUser().GetName()
	for round := range overlaps() {
		opened := exchanges(t, 6, replicas, token, func() {
			if _, err := replicas[round%2].admin.DeactivateUser(admin, &authv1.DeactivateUserRequest{Name: name}); err != nil {
				t.Error(err)
			}
		}, "USER_DEACTIVATED")
		nothingLeft(t, w, replicas, round, opened)
		if _, err := replicas[0].tryExchange(t, token); status.Reason(err) != "USER_DEACTIVATED" {
			t.Errorf("round %d, afterwards: %v", round, err)
		}
		if _, err := replicas[0].admin.ReactivateUser(admin, &authv1.ReactivateUserRequest{Name: name}); err != nil {
			t.Fatal(err)
		}
	}
}

// Whoever has the new epoch has the new roles; whoever has the old roles is
// revoked.
func TestAnExchangeThatOverlapsSetUserRolesNeverMixesRolesAndEpochs(t *testing.T) {
	t.Parallel()
	w, id, replicas := raced(t, true)
	admin := as(t.Context(), w.administrator(t, replicas[0]).GetAccessToken())
	token := id.token(t, "anna")
	name := replicas[0].exchange(t, token).GetUser().GetName()
	epoch := int64(1)
	for round := range overlaps() {
		roles := [][]string{{"operator"}, {"customer"}}[round%2]
		opened := exchanges(t, 6, replicas, token, func() {
			if _, err := replicas[round%2].admin.SetUserRoles(admin, &authv1.SetUserRolesRequest{Name: name, Roles: roles}); err != nil {
				t.Error(err)
			}
		})
		epoch++
		for _, in := range opened {
			got := payloadOf(t, in.GetAccessToken())
			if fresh := got.Epoch == epoch; fresh != slices.Equal(got.Roles, roles) {
				t.Errorf("round %d: epoch %d with roles %v", round, got.Epoch, got.Roles)
			} else if err := replicas[0].me(t.Context(), in.GetAccessToken()); (err == nil) != fresh {
				t.Errorf("round %d: epoch %d: %v", round, got.Epoch, err)
			}
		}
	}
}
