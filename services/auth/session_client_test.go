package auth_test

import (
	"context"
	"encoding/json"
	"fmt"
	"os"
	"sync"
	"time"

	"google.golang.org/grpc/codes"
	grpcstatus "google.golang.org/grpc/status"

	"github.com/curfew-platform/curfew/pkg/interceptors/creds"
	"github.com/curfew-platform/curfew/pkg/interceptors/status"
	"github.com/curfew-platform/curfew/pkg/interceptors/token"
	authv1 "github.com/curfew-platform/curfew/proto/gen/curfew/auth/v1"
)

// Variables that make this program a client instead of the tests.
const (
	sessionFile    = "CURFEW_TEST_SESSION_FILE"
	sessionAddress = "CURFEW_TEST_SESSION_ADDRESS"
)

// sessionReport is what a client prints when its session is over.
type sessionReport struct {
	OK       int            // calls that were answered
	Away     int            // calls that were told to try again
	Wrong    map[string]int // calls with another answer
	Renewals int            // refresh calls that were made
}

// seen is a report that many goroutines write.
type seen struct {
	mu sync.Mutex
	sessionReport
}

// note counts an answer and tells whether the session is over.
func (s *seen) note(err error) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	switch {
	case err == nil:
		s.OK++
	case creds.SignedOut(err):
		return true
	case grpcstatus.Code(err) == codes.Unavailable:
		s.Away++
	default:
		s.Wrong[grpcstatus.Code(err).String()+" "+status.Reason(err)]++
	}
	return false
}

// sessionClient calls from 16 goroutines, with tokens from a file that it
// shares with other processes, until the session is over.
func sessionClient() int {
	report := &seen{sessionReport: sessionReport{Wrong: map[string]int{}}}
	if err := report.run(os.Getenv(sessionAddress), creds.NewFileStore(os.Getenv(sessionFile))); err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	if err := json.NewEncoder(os.Stdout).Encode(report.sessionReport); err != nil {
		return 1
	}
	return 0
}

func (s *seen) run(address string, store creds.Store) error {
	target := creds.Target{Address: address}
	bare, err := creds.Dial(target, nil)
	if err != nil {
		return err
	}
	defer bare.Close()
	auth := authv1.NewAuthServiceClient(bare)
	refreshing := creds.NewRefreshing(creds.Session(store, func(ctx context.Context, refresh, key token.Raw) (creds.Pair, error) {
		s.mu.Lock()
		s.Renewals++
		s.mu.Unlock()
		r, err := auth.RefreshTokens(ctx, &authv1.RefreshTokensRequest{RefreshToken: string(refresh), RetryKey: []byte(key)})
		if err != nil {
			return creds.Pair{}, err
		}
		return creds.Pair{
			Access:  creds.Token{Value: token.Raw(r.GetAccessToken()), ExpiresAt: r.GetAccessExpiresAt().AsTime()},
			Refresh: token.Raw(r.GetRefreshToken()),
		}, nil
	}), creds.WithPlaintext(), creds.WithEarly(sessionLife-sessionRenewal))
	defer refreshing.Close()
	conn, err := creds.Dial(target, refreshing)
	if err != nil {
		return err
	}
	defer conn.Close()
	account := authv1.NewAccountServiceClient(conn)
	var wg sync.WaitGroup
	for range 16 {
		wg.Go(func() {
			pace := time.NewTicker(10 * time.Millisecond)
			defer pace.Stop()
			for over := false; !over; <-pace.C {
				ctx, cancel := context.WithTimeout(context.Background(), 30*time.Second)
				_, err := account.GetMe(ctx, &authv1.GetMeRequest{})
				cancel()
				over = s.note(err)
			}
		})
	}
	wg.Wait()
	return nil
}
