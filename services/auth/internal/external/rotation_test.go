package external_test

import (
	"errors"
	"fmt"
	"os"
	"testing"
	"testing/synctest"
	"time"

	"github.com/curfew-platform/curfew/pkg/interceptors/token/tokentest"
	"github.com/curfew-platform/curfew/services/auth/internal/external"
)

// rotating has its keys in a file: files work in a bubble, and sockets do not.
func rotating(t *testing.T) (p *provider, path string, issuers *external.Issuers) {
	t.Helper()
	p = newSigner(t)
	path = file(t, p.set())
	return p, path, open(t, fmt.Sprintf(`{"issuer":%q,"audiences":[%q],"jwks_file":%q}`, p.name, audience, path))
}

func (p *provider) show(t *testing.T, path string) {
	t.Helper()
	if err := os.WriteFile(path, []byte(p.set()), 0o600); err != nil {
		t.Fatal(err)
	}
}

func TestATokenUnderANewKeyIsTakenAndOneUnderAWithdrawnKeyNoMore(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p, path, issuers := rotating(t)
		old := p.token(t, nil)
		if _, err := issuers.Verify(t.Context(), old); err != nil {
			t.Fatal(err)
		}
		p.rotate(t, "two")
		p.show(t, path)
		time.Sleep(6 * time.Second) // the least time between two looks
		for _, raw := range []string{p.token(t, nil), old} {
			if _, err := issuers.Verify(t.Context(), raw); err != nil {
				t.Errorf("while both are shown: %v", err)
			}
		}
		p.withdraw("one")
		p.show(t, path)
		time.Sleep(61 * time.Second)
		// What was believed once is judged again with the keys of the moment.
		refused(t, issuers, "under the key that is gone", old)
	})
}

// Whoever stole a key waits until his exchange is the first one for a long time.
func TestTheFirstTokenAfterALongTimeIsJudgedWithTheKeysOfTheMoment(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p, path, issuers := rotating(t)
		stolen := p.token(t, tokentest.Claims{"exp": time.Now().Add(time.Hour).Unix()})
		if _, err := issuers.Verify(t.Context(), stolen); err != nil {
			t.Fatal(err)
		}
		p.rotate(t, "two")
		p.withdraw("one")
		p.show(t, path)
		time.Sleep(30 * time.Minute)
		refused(t, issuers, "under the key that is gone", stolen)
	})
}

func TestKeysAreUsedThroughAnOutageOfADayAndNoLonger(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p, path, issuers := rotating(t)
		if _, err := issuers.Verify(t.Context(), p.token(t, nil)); err != nil {
			t.Fatal(err)
		}
		if err := os.Remove(path); err != nil {
			t.Fatal(err)
		}
		for range 23 {
			time.Sleep(time.Hour)
			if _, err := issuers.Verify(t.Context(), p.token(t, nil)); err != nil {
				t.Fatalf("in the outage: %v", err)
			}
			synctest.Wait()
		}
		time.Sleep(time.Hour)
		if _, err := issuers.Verify(t.Context(), p.token(t, nil)); !errors.Is(err, external.ErrUnavailable) {
			t.Errorf("after a day: %v", err)
		}
		p.show(t, path)
		time.Sleep(6 * time.Second)
		if _, err := issuers.Verify(t.Context(), p.token(t, nil)); err != nil {
			t.Errorf("after the outage: %v", err)
		}
	})
}
