package creds_test

import (
	"context"
	"errors"
	"testing"
	"testing/synctest"
	"time"

	"google.golang.org/genproto/googleapis/rpc/errdetails"
	"google.golang.org/grpc/codes"
	grpcstatus "google.golang.org/grpc/status"
	"google.golang.org/protobuf/types/known/durationpb"

	"github.com/curfew-platform/curfew/pkg/interceptors/creds"
	"github.com/curfew-platform/curfew/pkg/interceptors/token"
)

// failing counts how often it is asked.
type failing struct {
	asked int
	err   error
}

func (f *failing) Token(context.Context) (creds.Token, error) {
	f.asked++
	return creds.Token{}, f.err
}

// asks calls for a second as fast as it can.
func asks(t *testing.T, f *failing) {
	t.Helper()
	r := creds.NewRefreshing(f)
	defer r.Close()
	for begin := time.Now(); time.Since(begin) < time.Second; {
		if _, err := r.Token(t.Context()); err == nil {
			t.Fatal("got a token")
		}
		advance(time.Millisecond)
	}
}

func TestHoweverManyCallsAskAFailingSourceIsAskedWithPauses(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := &failing{err: errors.New("connection refused")}
		if asks(t, f); f.asked < 3 || f.asked > 6 {
			t.Errorf("asked %d times in a second", f.asked)
		}
		// Whoever logs in again is not to wait.
		over := &failing{err: creds.ErrSignedOut}
		if asks(t, over); over.asked < 500 {
			t.Errorf("asked the store only %d times", over.asked)
		}
	})
}

// TestATokenWithLittleTime: an issuer that repeats its last answer, for example.
func TestATokenThatIsDueOnArrivalIsRenewedEachSecondAndNotForEveryCall(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		m := &mill{life: time.Minute}
		r := creds.NewRefreshing(m, creds.WithEarly(time.Hour))
		defer r.Close()
		for range 5_500 {
			_ = get(t, r)
			advance(time.Millisecond)
		}
		if n := m.made.Load(); n != 6 {
			t.Errorf("%d tokens in 5.5 s", n)
		}
	})
}

func TestASourceThatNamesATimeIsNotAskedBefore(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := &failing{err: tooMany(t, 15*time.Second)}
		r := creds.NewRefreshing(f)
		defer r.Close()
		begin := time.Now()
		for time.Since(begin) < 14*time.Second {
			before := time.Now()
			if _, err := r.Token(t.Context()); grpcstatus.Code(err) != codes.ResourceExhausted || time.Since(before) > 4*time.Second {
				t.Fatalf("%v after %s", err, time.Since(before))
			}
			if time.Since(begin) < 10*time.Second && f.asked != 1 {
				t.Fatalf("asked %d times", f.asked)
			}
			advance(time.Second)
		}
		for time.Since(begin) < 16*time.Second {
			_, _ = r.Token(t.Context())
			advance(time.Second)
		}
		if f.asked < 2 {
			t.Error("never asked again")
		}
	})
}

func tooMany(t *testing.T, wait time.Duration) error {
	t.Helper()
	st, err := grpcstatus.New(codes.ResourceExhausted, "too many").WithDetails(&errdetails.RetryInfo{RetryDelay: durationpb.New(wait)})
	if err != nil {
		t.Fatal(err)
	}
	return st.Err()
}

func TestARefreshWaitsAsLongAsTheIssuerAsks(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		attempts, begin := 0, time.Now()
		got, err := creds.Session(creds.NewMemoryStore(spent()), func(context.Context, token.Raw, token.Raw) (creds.Pair, error) {
			if attempts++; time.Since(begin) < 8*time.Second {
				return creds.Pair{}, tooMany(t, 8*time.Second)
			}
			return pair(2), nil
		}).Token(t.Context())
		if err != nil || got.Value != "a2" || attempts != 2 {
			t.Errorf("%v after %d attempts", err, attempts)
		}
		attempts, begin = 0, time.Now()
		if _, err := creds.Session(creds.NewMemoryStore(spent()), func(context.Context, token.Raw, token.Raw) (creds.Pair, error) {
			attempts++
			return creds.Pair{}, tooMany(t, time.Hour)
		}).Token(t.Context()); err == nil || attempts != 1 || time.Since(begin) != 0 {
			t.Errorf("%v after %d attempts and %s", err, attempts, time.Since(begin))
		}
	})
}

// TestAClockThatIsAhead: every token looks as if it were over.
func TestATokenThatIsOverOnArrivalIsUsedAndNotRenewedForEveryCall(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		m := &mill{life: -10 * time.Minute}
		r := creds.NewRefreshing(m)
		defer r.Close()
		for range 29 {
			if got := get(t, r); got != "t1" {
				t.Fatalf("got %q", got)
			}
			advance(time.Second)
		}
		advance(2 * time.Second)
		_ = get(t, r)
		synctest.Wait()
		if got := get(t, r); got != "t2" {
			t.Errorf("got %q: the source is not asked now and then", got)
		}
		r.Reject("t2")
		if got := get(t, r); got != "t3" {
			t.Errorf("got %q", got)
		}
	})
}

// TestARenewalThatBeganBefore a refusal may have read what was refused.
func TestATokenThatWasRefusedWhileItWasReadIsReadAgain(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		reads := 0
		r := creds.NewRefreshing(creds.SourceFunc(func(context.Context) (creds.Token, error) {
			reads++
			value := "old"
			if reads == 3 {
				value = "new"
			}
			advance(time.Second) // the file was read, the token is not yet given
			return creds.Token{Value: token.Raw(value), ExpiresAt: time.Now().Add(10 * time.Second)}, nil
		}))
		defer r.Close()
		_ = get(t, r)
		advance(8 * time.Second)
		_ = get(t, r) // begins an early renewal
		synctest.Wait()
		r.Reject("old")
		if got := get(t, r); got != "new" || reads != 3 {
			t.Errorf("got %q after %d reads", got, reads)
		}
	})
}

func TestACallThatGaveUpSaysSoWhateverTheCause(t *testing.T) {
	r := creds.NewRefreshing(creds.SourceFunc(func(ctx context.Context) (creds.Token, error) {
		<-ctx.Done()
		return creds.Token{}, ctx.Err()
	}))
	defer r.Close()
	ctx, cancel := context.WithCancelCause(t.Context())
	cancel(errors.New("the user closed the window"))
	if _, err := r.GetRequestMetadata(ctx); grpcstatus.Code(err) != codes.Canceled {
		t.Errorf("got %v", err)
	}
}
