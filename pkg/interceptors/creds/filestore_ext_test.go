//go:build unix

package creds_test

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/curfew-platform/curfew/pkg/interceptors/creds"
)

func TestASessionInAFileSurvivesTheProcess(t *testing.T) {
	path := filepath.Join(t.TempDir(), "session.json")
	store := creds.NewFileStore(path)
	if _, err := store.Load(t.Context()); !errors.Is(err, creds.ErrSignedOut) {
		t.Errorf("no file: %v", err)
	}
	first := pair(1)
	first.RetryKey = "key"
	if err := store.Save(t.Context(), first); err != nil {
		t.Fatal(err)
	}
	got, err := creds.NewFileStore(path).Load(t.Context())
	if err != nil || got.Refresh != "r1" || got.RetryKey != "key" || got.Access.Value != "a1" || !got.Access.ExpiresAt.Equal(first.Access.ExpiresAt) {
		t.Errorf("%+v, %v", got, err)
	}
	if info, err := os.Stat(path); err != nil || info.Mode().Perm() != 0o600 {
		t.Errorf("%v, %v", info.Mode(), err)
	}
	if ok, err := store.Replace(t.Context(), pair(1), pair(2)); ok || err != nil {
		t.Errorf("replaced although the retry key is another one: %v", err)
	}
	if ok, err := store.Replace(t.Context(), first, pair(2)); !ok || err != nil {
		t.Errorf("not replaced: %v", err)
	}
	if ok, err := store.Replace(t.Context(), pair(2), creds.Pair{}); !ok || err != nil {
		t.Errorf("not removed: %v", err)
	}
	left, err := os.ReadDir(filepath.Dir(path))
	if err != nil || len(left) != 1 || left[0].Name() != "session.json.lock" {
		t.Errorf("left behind: %v, %v", left, err)
	}
}

func TestASessionFileThatIsWrongIsNoEndOfTheSession(t *testing.T) {
	for name, tc := range map[string]struct {
		text string
		mode os.FileMode
	}{
		"others may read it": {`{"refresh_token":"r1"}`, 0o640},
		"no JSON":            {"s3cr3t", 0o600},
		"cut off":            {`{"access_token":"s3cr3t`, 0o600},
		"another JSON":       {`{"token":"s3cr3t"}`, 0o600},
		"too long":           {`{"refresh_token":"` + strings.Repeat("r", 70<<10) + `"}`, 0o600},
	} {
		path := filepath.Join(t.TempDir(), "session.json")
		if err := os.WriteFile(path, []byte(tc.text), tc.mode); err != nil {
			t.Fatal(err)
		}
		store := creds.NewFileStore(path)
		_, err := store.Load(t.Context())
		if err == nil || errors.Is(err, creds.ErrSignedOut) || strings.Contains(err.Error(), "s3cr3t") {
			t.Errorf("%s: %v", name, err)
		}
		if ok, err := store.Replace(t.Context(), creds.Pair{}, pair(2)); ok || err == nil {
			t.Errorf("%s: overwritten", name)
		}
	}
}

func TestOnlyOneOfManyReplacesThePairInAFile(t *testing.T) {
	path := filepath.Join(t.TempDir(), "session.json")
	if err := creds.NewFileStore(path).Save(t.Context(), pair(1)); err != nil {
		t.Fatal(err)
	}
	var wg sync.WaitGroup
	won := make(chan bool, 16)
	for range cap(won) {
		wg.Go(func() {
			ok, err := creds.NewFileStore(path).Replace(t.Context(), pair(1), pair(2))
			if err != nil {
				t.Error(err)
			}
			won <- ok
		})
	}
	wg.Wait()
	close(won)
	winners := 0
	for ok := range won {
		if ok {
			winners++
		}
	}
	if winners != 1 {
		t.Errorf("%d won", winners)
	}
}

func TestWaitingForTheLockOfASessionFileEnds(t *testing.T) {
	path := filepath.Join(t.TempDir(), "session.json")
	ctx, cancel := context.WithTimeout(t.Context(), 20*time.Millisecond)
	defer cancel()
	hold(t, path+".lock")
	if err := creds.NewFileStore(path).Save(ctx, pair(1)); !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("got %v", err)
	}
}

// hold locks a file until the test ends.
func hold(t *testing.T, path string) {
	t.Helper()
	f, err := os.Create(path)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = f.Close() })
	if err := syscall.Flock(int(f.Fd()), syscall.LOCK_EX); err != nil {
		t.Fatal(err)
	}
}
