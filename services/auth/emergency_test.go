package auth_test

import (
	"context"
	"encoding/json"
	"log/slog"
	"testing"
	"time"

	"github.com/curfew-platform/curfew/pkg/interceptors/status"
	"github.com/curfew-platform/curfew/pkg/interceptors/token"
	authv1 "github.com/curfew-platform/curfew/proto/gen/curfew/auth/v1"
	"github.com/curfew-platform/curfew/services/auth"
)

// slow never lets a key be announced for long enough.
func slow(c *auth.Config) { c.SigningKeyAnnounce = time.Hour }

// remote are the keys that a service fetches from a replica.
func (r *replica) remote(t *testing.T) *token.Remote {
	t.Helper()
	keys, err := token.NewRemote(func(ctx context.Context) ([]byte, error) {
		set, err := r.token.GetJwks(ctx, &authv1.GetJwksRequest{})
		if err != nil {
			return nil, err
		}
		return json.Marshal(set)
	}, slog.New(slog.DiscardHandler), token.RemoteOptions{Pause: time.Nanosecond})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(keys.Close)
	return keys
}

// TestInAnEmergency: the key was stolen twice in a row, and nothing is waited
// for: neither until the next key was announced, nor until there is one.
func TestInAnEmergencyTheNextKeySignsAtOnceAndEverybodyKnowsIt(t *testing.T) {
	w := newWorld(t)
	orders := w.service(t, "orders")
	one, two := w.start(t, slow), w.start(t, slow)
	w.administrator(t, one)
	one.register(t, "anna@example.com")
	source := w.watch(t, orders, two, one)
	verifier, err := token.NewVerifier(token.Curfew("https://auth.curfew.dev", two.remote(t)))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(verifier.Close)
	for round := range 3 {
		root, victim := one.login(t, "root@example.com"), two.login(t, "anna@example.com")
		id, err := verifier.Verify(t.Context(), victim.GetAccessToken())
		if err != nil {
			t.Fatalf("round %d: %v", round, err)
		}
		stolen := kidOf(t, victim.GetAccessToken())
		ask := &authv1.RevokeSigningKeyRequest{Name: "signingKeys/" + stolen}
		ctx := as(t.Context(), root.GetAccessToken())
		if _, err := one.admin.RevokeSigningKey(ctx, ask); status.Reason(err) != "SIGNING_KEY_NOT_READY" {
			t.Fatalf("round %d, no emergency: %v", round, err)
		}
		ask.Emergency = true
		revoked, err := one.admin.RevokeSigningKey(ctx, ask)
		if err != nil {
			t.Fatalf("round %d: %v", round, err)
		}
		if v := source.Check(id); !v.Revoked && v.Fresh {
			t.Errorf("round %d: a service admits the stolen key's token: %+v, receipt %v", round, v, revoked.GetRevocation())
		}
		// Nobody is logged out, and no replica calls the new key's token malformed.
		next, err := two.refresh(t, victim.GetRefreshToken())
		if err != nil {
			t.Fatalf("round %d, refresh: %v", round, err)
		}
		if kid := kidOf(t, next.GetAccessToken()); "signingKeys/"+kid != revoked.GetPrimary().GetName() {
			t.Errorf("round %d: signed with %s", round, kid)
		}
		for i, r := range []*replica{one, two} {
			if err := r.me(t.Context(), victim.GetAccessToken()); status.Reason(err) != "TOKEN_REVOKED" {
				t.Errorf("round %d, replica %d, the stolen key's token: %v", round, i+1, err)
			}
			if err := r.me(t.Context(), next.GetAccessToken()); err != nil {
				t.Errorf("round %d, replica %d, the new token: %v", round, i+1, err)
			}
		}
		if _, err := verifier.Verify(t.Context(), next.GetAccessToken()); err != nil {
			t.Errorf("round %d, the new token at a service: %v", round, err)
		}
	}
}
