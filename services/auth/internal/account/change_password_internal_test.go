package account

import (
	"context"
	"crypto/ed25519"
	"errors"
	"log/slog"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/uuid"

	"github.com/curfew-platform/curfew/services/auth/internal/issuer"
	"github.com/curfew-platform/curfew/services/auth/internal/password"
	"github.com/curfew-platform/curfew/services/auth/internal/refresh"
	"github.com/curfew-platform/curfew/services/auth/internal/signingkey"
)

// stuckKeys waits for a database that does not answer.
type stuckKeys struct{}

func (stuckKeys) Primary(ctx context.Context) (string, ed25519.PrivateKey, error) {
	<-ctx.Done()
	return "", nil, signingkey.ErrUnavailable
}

type oneUser struct{ Store }

func (oneUser) Credential(context.Context, uuid.UUID) (Credential, error) {
	return Credential{User: User{Email: "anna@example.com"}}, nil
}

func (oneUser) ChangePassword(context.Context, Caller, NewSession, string) (Generation, int64, error) {
	at := time.Now()
	return Generation{Number: 1, Epoch: 2, IssuedAt: at, AuthTime: at}, 1, nil
}

type yes struct{}

func (yes) Hash(context.Context, string) (string, error)    { return "", nil }
func (yes) HashNew(context.Context, string) (string, error) { return "", nil }
func (yes) Verify(context.Context, string, string) (password.Match, error) {
	return password.Match{OK: true}, nil
}
func (yes) Wait(string, string) time.Duration             { return 0 }
func (yes) Failed(string, string)                         {}
func (yes) Succeeded(string, string)                      {}
func (yes) Await(context.Context, int64) (Receipt, error) { return Receipt{}, nil }
func (yes) PrimaryMACKey() uint32                         { return 1 }
func (yes) MAC(uint32, []byte) ([]byte, error)            { return make([]byte, 32), nil }

// The call goes on without its context, which its own revocation cancels; it must
// not go on without any end.
func TestNewTokensAfterAChangeOfThePasswordAreNotWaitedForWithoutEnd(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		tokens, err := issuer.New(issuer.Config{Issuer: "https://auth.curfew.dev", Audience: "curfew", Life: time.Minute}, stuckKeys{})
		if err != nil {
			t.Fatal(err)
		}
		codec := refresh.NewCodec(yes{})
		s := &Service{
			store: oneUser{}, hasher: yes{}, limiter: yes{}, barrier: yes{}, refresh: codec, minter: NewMinter(tokens, codec), log: slog.New(slog.DiscardHandler),
		}
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		done := make(chan error, 1)
		go func() {
			_, err := s.ChangePassword(ctx, Caller{}, PasswordChange{Current: "the current one", New: "correct horse battery staple"})
			done <- err
		}()
		select {
		case err := <-done:
			if !errors.Is(err, signingkey.ErrUnavailable) {
				t.Errorf("err = %v", err)
			}
		case <-time.After(time.Minute):
			t.Fatal("still waiting")
		}
	})
}
