package account

import (
	"context"
	"errors"
	"testing"

	"github.com/google/uuid"

	"github.com/curfew-platform/curfew/services/auth/internal/password"
)

type nobodys struct{ yes }

func (nobodys) Verify(context.Context, string, string) (password.Match, error) {
	return password.Match{}, nil
}

type failures struct {
	yes

	counted int
}

func (f *failures) Failed(string, string) { f.counted++ }

// Each try costs a hash, which logins of others wait for.
func TestAUserWithoutAPasswordIsSlowedDownLikeOneWhoGuesses(t *testing.T) {
	var limiter failures
	s := &Service{store: oneUser{}, hasher: nobodys{}, limiter: &limiter}
	caller := Caller{UserID: uuid.Max, SessionID: uuid.Max}
	for range 3 {
		if _, err := s.ChangePassword(t.Context(), caller, PasswordChange{Current: "old", New: "a new password"}); !errors.Is(err, ErrPasswordNotSet) {
			t.Errorf("err = %v", err)
		}
	}
	if limiter.counted != 3 {
		t.Errorf("%d of 3 tries are counted", limiter.counted)
	}
}
