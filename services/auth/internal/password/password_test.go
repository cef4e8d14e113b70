package password_test

import (
	"context"
	"errors"
	"strings"
	"sync"
	"testing"

	"github.com/curfew-platform/curfew/services/auth/internal/password"
)

// cheap makes tests fast; what is tested does not depend on the cost.
func cheap() password.Params { return password.Params{MemoryKiB: 64, Passes: 1, Lanes: 1} }

func hasher(t testing.TB, p password.Params, concurrent int) *password.Hasher {
	t.Helper()
	h, err := password.New(p, concurrent)
	if err != nil {
		t.Fatal(err)
	}
	return h
}

func TestAHashVerifiesItsPasswordAndNoOther(t *testing.T) {
	h := hasher(t, cheap(), 1)
	stored, err := h.Hash(t.Context(), "correct horse")
	if err != nil || !strings.HasPrefix(stored, "$argon2id$v=19$m=64,t=1,p=1$") {
		t.Fatalf("%q, %v", stored, err)
	}
	if again, _ := h.Hash(t.Context(), "correct horse"); again == stored {
		t.Error("two hashes have one salt")
	}
	for pw, want := range map[string]bool{"correct horse": true, "correct horse ": false, "": false} {
		if m, err := h.Verify(t.Context(), stored, pw); err != nil || m.OK != want {
			t.Errorf("%q: %+v, %v", pw, m, err)
		}
	}
}

func TestDifferentKeyboardsTypeTheSamePassword(t *testing.T) {
	h := hasher(t, cheap(), 1)
	stored, err := h.Hash(t.Context(), "Ångström ﬁve")
	if err != nil {
		t.Fatal(err)
	}
	if m, err := h.Verify(t.Context(), stored, "A\u030angstro\u0308m five"); err != nil || !m.OK {
		t.Errorf("%+v, %v", m, err)
	}
}

func TestAnUnknownAccountNeverMatches(t *testing.T) {
	if m, err := hasher(t, cheap(), 1).Verify(t.Context(), "", ""); err != nil || m.OK {
		t.Errorf("%+v, %v", m, err)
	}
}

func TestAHashOfOtherParametersIsOutdated(t *testing.T) {
	stored, err := hasher(t, cheap(), 1).Hash(t.Context(), "correct horse")
	if err != nil {
		t.Fatal(err)
	}
	today := hasher(t, password.Params{MemoryKiB: 128, Passes: 1, Lanes: 1}, 1)
	if m, err := today.Verify(t.Context(), stored, "correct horse"); err != nil || !m.OK || !m.Outdated {
		t.Errorf("right: %+v, %v", m, err)
	}
	if m, err := today.Verify(t.Context(), stored, "wrong"); err != nil || m.Outdated {
		t.Errorf("wrong: %+v, %v", m, err)
	}
}

func TestMoreThanTheQueueHoldsAreRefusedAndNoneWorksBeyondItsSlot(t *testing.T) {
	// A pass of 64 MiB is long enough for the queue to fill behind it.
	h := hasher(t, password.Params{MemoryKiB: 64 << 10, Passes: 2, Lanes: 1}, 1)
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	var wg sync.WaitGroup
	errs := make(chan error, 200)
	for range cap(errs) {
		wg.Go(func() {
			_, err := h.Hash(ctx, "x")
			if errors.Is(err, password.ErrBusy) {
				cancel() // the queue is full: let it go
			}
			errs <- err
		})
	}
	wg.Wait()
	close(errs)
	busy, waited := 0, 0
	for err := range errs {
		switch {
		case errors.Is(err, password.ErrBusy):
			busy++
		case errors.Is(err, context.Canceled):
			waited++
		case err != nil:
			t.Error(err)
		}
	}
	if busy == 0 || waited == 0 {
		t.Errorf("%d refused, %d waited", busy, waited)
	}
}

// Else one connection that registers accounts makes everybody's login busy.
func TestNewAccountsLeaveHalfOfTheHasherToTheOthers(t *testing.T) {
	h := hasher(t, password.Params{MemoryKiB: 64 << 10, Passes: 2, Lanes: 1}, 2)
	ctx, cancel := context.WithCancel(t.Context())
	var wg sync.WaitGroup
	defer wg.Wait()
	defer cancel()
	full := make(chan struct{}, 200)
	for range cap(full) {
		wg.Go(func() {
			if _, err := h.HashNew(ctx, "x"); errors.Is(err, password.ErrBusy) {
				full <- struct{}{}
			}
		})
	}
	<-full
	for range 3 {
		if _, err := h.Hash(t.Context(), "y"); err != nil {
			t.Errorf("an existing account: %v", err)
		}
	}
}

func TestStoredHashesThatAskForTooMuchAreRefused(t *testing.T) {
	h := hasher(t, cheap(), 1)
	good, err := h.Hash(t.Context(), "x")
	if err != nil {
		t.Fatal(err)
	}
	for _, stored := range []string{
		"plain", strings.Replace(good, "argon2id", "argon2i", 1), strings.Replace(good, "m=64", "m=99999999", 1),
		strings.Replace(good, "t=1", "t=0", 1), strings.Replace(good, "v=19", "v=16", 1),
		strings.Replace(good, "m=64", "m=064", 1), good + "$", good[:len(good)-1],
	} {
		if _, err := h.Verify(t.Context(), stored, "x"); !errors.Is(err, password.ErrHashInvalid) {
			t.Errorf("%q: %v", stored, err)
		}
	}
}

func TestParametersOutOfRangeAreRefused(t *testing.T) {
	for _, p := range []password.Params{
		{},
		{MemoryKiB: 4, Passes: 1, Lanes: 1},
		{MemoryKiB: 64, Passes: 0, Lanes: 1},
		{MemoryKiB: 64, Passes: 1, Lanes: 0},
		{MemoryKiB: 2 << 20, Passes: 1, Lanes: 1},
	} {
		if _, err := password.New(p, 1); err == nil {
			t.Errorf("%+v was accepted", p)
		}
	}
	if _, err := password.New(password.Recommended(), 0); err == nil {
		t.Error("no slot was accepted")
	}
}

func TestTheRulesForNewPasswords(t *testing.T) {
	const email = "anna.lee@example.com"
	for pw, want := range map[string]error{
		"1234567":                 password.ErrTooShort,
		"äöüäöüä":                 password.ErrTooShort,
		"äöüäöüäx":                nil,
		strings.Repeat("äb", 64):  nil,
		strings.Repeat("äb", 65):  password.ErrTooLong,
		"PassWord1":               password.ErrBreached,
		"qwertyuiop":              password.ErrBreached,
		"Anna.Lee":                password.ErrBreached,
		"ANNA.LEE@example.com":    password.ErrBreached,
		"aaaaaaaaaaaaaaaaaaaaaaa": password.ErrBreached,
		"no rules of composition": nil,
	} {
		if err := password.Judge(pw, email); !errors.Is(err, want) {
			t.Errorf("%q: %v, want %v", pw, err, want)
		}
	}
}

func FuzzVerifyNeverPanics(f *testing.F) {
	h := hasher(f, cheap(), 1)
	good, err := h.Hash(context.Background(), "x")
	if err != nil {
		f.Fatal(err)
	}
	f.Add(good)
	f.Add("$argon2id$v=19$m=64,t=1,p=1$$")
	f.Add("$$$$$")
	f.Fuzz(func(t *testing.T, stored string) {
		if len(stored) < 4 || strings.Contains(stored, "m=") && !strings.Contains(stored, "m=64,t=1,p=1") {
			return // valid and expensive is not what is looked for
		}
		if m, err := h.Verify(t.Context(), stored, "not x"); m.OK || err != nil && !errors.Is(err, password.ErrHashInvalid) {
			t.Fatalf("%+v, %v", m, err)
		}
	})
}
