package stolentoken

import (
	"context"
	"fmt"
	"sync"

	"github.com/jackc/pgx/v5/pgxpool"

	"github.com/curfew-platform/curfew/e2e/naive/rotation"
	"github.com/curfew-platform/curfew/e2e/stand"
	authv1 "github.com/curfew-platform/curfew/proto/gen/curfew/auth/v1"
)

// Race is what happened to refreshes of one token at the same moment.
type Race struct {
	Refreshes int
	Answered  int // refreshes that returned tokens
	Pairs     int // different pairs among the answers
	LoggedOut bool
}

// racers is how many tabs refresh together.
const racers = 16

// RefreshRace lets 16 tabs present one refresh token at the same moment.
func RefreshRace(ctx context.Context, s *stand.Stand) (Race, error) {
	auth, err := s.DialAuth()
	if err != nil {
		return Race{}, err
	}
	defer auth.Close()
	user, err := auth.Register(ctx)
	if err != nil {
		return Race{}, err
	}
	login, err := auth.Login(ctx, user)
	if err != nil {
		return Race{}, err
	}
	race := together(func() (string, error) {
		r, err := auth.Auth.RefreshTokens(ctx, &authv1.RefreshTokensRequest{RefreshToken: login.GetRefreshToken()})
		return r.GetAccessToken() + " " + r.GetRefreshToken(), err
	})
	// Inside the window the token still answers with the same pair: nobody is
	// logged out.
	_, err = auth.Auth.RefreshTokens(ctx, &authv1.RefreshTokensRequest{RefreshToken: login.GetRefreshToken()})
	race.LoggedOut = err != nil
	return race, nil
}

// NaiveRefreshRace does the same with the rotation of the tutorials, on the
// same PostgreSQL.
func NaiveRefreshRace(ctx context.Context, s *stand.Stand) (Race, error) {
	pool, err := pgxpool.New(ctx, s.OrdersOwner)
	if err != nil {
		return Race{}, fmt.Errorf("open pool: %w", err)
	}
	defer pool.Close()
	store, err := rotation.New(ctx, pool)
	if err != nil {
		return Race{}, err
	}
	token, err := store.Open(ctx, "tab")
	if err != nil {
		return Race{}, err
	}
	race := together(func() (string, error) { return store.Refresh(ctx, "tab", token) })
	alive, err := store.Alive(ctx, "tab")
	race.LoggedOut = !alive
	return race, err
}

// together calls refresh from all racers at once.
func together(refresh func() (string, error)) Race {
	var (
		mu    sync.Mutex
		pairs = map[string]bool{}
		race  = Race{Refreshes: racers}
		start = make(chan struct{})
		tabs  sync.WaitGroup
	)
	for range racers {
		tabs.Go(func() {
			<-start
			pair, err := refresh()
			mu.Lock()
			defer mu.Unlock()
			if err == nil {
				race.Answered++
				pairs[pair] = true
			}
		})
	}
	close(start)
	tabs.Wait()
	race.Pairs = len(pairs)
	return race
}
