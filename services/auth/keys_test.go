package auth_test

import (
	"context"
	"crypto"
	"encoding/base64"
	"encoding/json"
	"math/rand/v2"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	grpcstatus "google.golang.org/grpc/status"

	"github.com/curfew-platform/curfew/pkg/interceptors/creds"
	"github.com/curfew-platform/curfew/pkg/interceptors/revocation/watcher"
	"github.com/curfew-platform/curfew/pkg/interceptors/revocation/watcher/watchergrpc"
	"github.com/curfew-platform/curfew/pkg/interceptors/status"
	"github.com/curfew-platform/curfew/pkg/interceptors/token"
	authv1 "github.com/curfew-platform/curfew/proto/gen/curfew/auth/v1"
	"github.com/curfew-platform/curfew/services/auth"
)

// quick lets a key sign soon after everybody knows it.
func quick(c *auth.Config) { c.SigningKeyAnnounce = time.Second }

// kidOf is the key that signed a token.
func kidOf(t *testing.T, raw string) string {
	t.Helper()
	text, err := base64.RawURLEncoding.DecodeString(strings.Split(raw, ".")[0])
	var header struct{ Kid string }
	if err != nil || json.Unmarshal(text, &header) != nil || header.Kid == "" {
		t.Fatalf("not a token: %v", err)
	}
	return header.Kid
}

// rotate rotates as soon as the next key is ready.
func (r *replica) rotate(t *testing.T, access, primary string) *authv1.SigningKey {
	t.Helper()
	for {
		resp, err := r.admin.RotateSigningKey(as(t.Context(), access), &authv1.RotateSigningKeyRequest{Primary: primary})
		if err == nil {
			return resp.GetPrimary()
		}
		if status.Reason(err) != "SIGNING_KEY_NOT_READY" {
			t.Fatal(err)
		}
		<-time.After(50 * time.Millisecond)
	}
}

func TestTokensOfTheOldKeyAreGoodAfterARotation(t *testing.T) {
	w := newWorld(t)
	one, two := w.start(t, quick), w.start(t, quick)
	root := w.administrator(t, one)
	old := kidOf(t, root.GetAccessToken())
	primary := one.rotate(t, root.GetAccessToken(), "signingKeys/"+old)
	if primary.GetState() != authv1.SigningKeyState_SIGNING_KEY_STATE_PRIMARY || primary.GetName() == "signingKeys/"+old {
		t.Errorf("primary = %v", primary)
	}
	// Repeated, it does nothing.
	if again := two.rotate(t, root.GetAccessToken(), "signingKeys/"+old); again.GetName() != primary.GetName() {
		t.Errorf("again: %v", again)
	}
	fresh := one.login(t, "root@example.com")
	if kid := kidOf(t, fresh.GetAccessToken()); "signingKeys/"+kid != primary.GetName() {
		t.Errorf("signed with %s", kid)
	}
	for i, r := range []*replica{one, two} {
		for _, raw := range []string{root.GetAccessToken(), fresh.GetAccessToken()} {
			if err := r.me(t.Context(), raw); err != nil {
				t.Errorf("replica %d: %v", i+1, err)
			}
		}
		set, err := r.token.GetJwks(t.Context(), &authv1.GetJwksRequest{})
		if err != nil || len(set.GetKeys()) < 2 {
			t.Errorf("replica %d shows %v, %v", i+1, set, err)
		}
	}
	list, err := two.admin.ListSigningKeys(as(t.Context(), fresh.GetAccessToken()), &authv1.ListSigningKeysRequest{})
	if err != nil {
		t.Fatal(err)
	}
	states := map[authv1.SigningKeyState]int{}
	for _, k := range list.GetSigningKeys() {
		states[k.GetState()]++
	}
	if states[authv1.SigningKeyState_SIGNING_KEY_STATE_PRIMARY] != 1 || states[authv1.SigningKeyState_SIGNING_KEY_STATE_RETIRED] != 1 {
		t.Errorf("states %v", states)
	}
}

// watch follows the feed as a service does, with tokens of its own.
func (w *world) watch(t *testing.T, service creds.Assertion, at ...*replica) *watcher.Watcher {
	t.Helper()
	issue := func(ctx context.Context, assertion token.Raw) (creds.Token, error) {
		r, err := at[0].auth.IssueServiceToken(ctx, &authv1.IssueServiceTokenRequest{Assertion: string(assertion)})
		if err != nil {
			return creds.Token{}, err
		}
		return creds.Token{Value: token.Raw(r.GetAccessToken()), ExpiresAt: r.GetAccessExpiresAt().AsTime()}, nil
	}
	refreshing := creds.NewRefreshing(creds.ServiceAssertion(service, issue), creds.WithPlaintext())
	t.Cleanup(refreshing.Close)
	var conns []*grpc.ClientConn
	for _, r := range at {
		conn, err := creds.Dial(creds.Target{Address: r.conn.Target(), Plaintext: true}, refreshing)
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { _ = conn.Close() })
		conns = append(conns, conn)
	}
	dial, err := watchergrpc.Dial(conns...)
	if err != nil {
		t.Fatal(err)
	}
	f, err := watcher.New(watcher.Config{Dial: dial, Replica: service.Service})
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	var wg sync.WaitGroup
	wg.Go(func() { _ = f.Run(ctx) })
	t.Cleanup(func() { cancel(); wg.Wait() })
	select {
	case <-f.Ready():
	case <-time.After(30 * time.Second):
		t.Fatal("the watcher is not ready")
	}
	return f
}

func TestARevokedKeysTokensAreRefusedBeforeRevokeSigningKeyReturns(t *testing.T) {
	w := newWorld(t)
	orders := w.service(t, "orders")
	one, two := w.start(t, quick), w.start(t, quick)
	root := w.administrator(t, one)
	one.register(t, "anna@example.com")
	victim := two.login(t, "anna@example.com")
	// A watcher whose own token is of the key too: its stream ends with it.
	source := w.watch(t, orders, two, one)
	verifier, err := token.NewVerifier(token.Curfew("https://auth.curfew.dev", jwks{t, one}))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(verifier.Close)
	id, err := verifier.Verify(t.Context(), victim.GetAccessToken())
	if err != nil {
		t.Fatal(err)
	}
	if source.Check(id).Revoked {
		t.Fatal("revoked by nothing")
	}
	ctx := as(t.Context(), root.GetAccessToken())
	stolen := kidOf(t, victim.GetAccessToken())
	var revoked *authv1.RevokeSigningKeyResponse
	for revoked == nil {
		revoked, err = one.admin.RevokeSigningKey(ctx, &authv1.RevokeSigningKeyRequest{Name: "signingKeys/" + stolen})
		if err != nil && status.Reason(err) != "SIGNING_KEY_NOT_READY" {
			t.Fatal(err)
		}
		<-time.After(50 * time.Millisecond)
	}
	t.Logf("receipt %v", revoked.GetRevocation())
	if v := source.Check(id); !v.Revoked && v.Fresh {
		t.Errorf("a service admits it: %+v, receipt %v", v, revoked.GetRevocation())
	}
	for i, r := range []*replica{one, two} {
		for whose, raw := range map[string]string{"a user's": victim.GetAccessToken(), "the caller's": root.GetAccessToken()} {
			if err := r.me(t.Context(), raw); status.Reason(err) != "TOKEN_REVOKED" {
				t.Errorf("replica %d, %s token: %v", i+1, whose, err)
			}
		}
	}
	if revoked.GetRevocation().GetSeq() == 0 || revoked.GetRevocation().GetAcked() < 2 {
		t.Errorf("receipt %v", revoked.GetRevocation())
	}
	// The session lives: the next refresh gives a token that is good, at the
	// replica that was not asked too.
	next, err := two.refresh(t, victim.GetRefreshToken())
	if err != nil {
		t.Fatal(err)
	}
	if kid := kidOf(t, next.GetAccessToken()); kid == stolen || "signingKeys/"+kid != revoked.GetPrimary().GetName() {
		t.Errorf("signed with %s", kid)
	}
	for i, r := range []*replica{one, two} {
		if err := r.me(t.Context(), next.GetAccessToken()); err != nil {
			t.Errorf("replica %d, the new token: %v", i+1, err)
		}
	}
}

// jwks are the keys that a replica shows.
type jwks struct {
	t *testing.T
	r *replica
}

// Key implements token.Keys.
func (j jwks) Key(ctx context.Context, kid string) (string, crypto.PublicKey, error) {
	set, err := j.r.token.GetJwks(ctx, &authv1.GetJwksRequest{})
	if err != nil {
		return "", nil, err
	}
	data, err := json.Marshal(set)
	if err != nil {
		return "", nil, err
	}
	list, err := token.ParseSet(data)
	if err != nil {
		return "", nil, err
	}
	for _, k := range list {
		if k.ID == kid {
			return k.Algorithm, k.Public, nil
		}
	}
	return "", nil, token.ErrUnknownKey
}

func TestARotationUnderLoadLogsNobodyOut(t *testing.T) {
	w := newWorld(t)
	orders := w.service(t, "orders")
	change := func(c *auth.Config) { quick(c); c.RefreshWindow = 3 * time.Second }
	one, two := w.start(t, change), w.start(t, change)
	w.watch(t, orders, one, two)
	root := w.administrator(t, one)
	one.register(t, "anna@example.com")
	seed := rand.Uint64()
	t.Logf("seed %d", seed)
	var last atomic.Pointer[string] // the key that signs in the end
	var calls atomic.Int64
	var wg sync.WaitGroup
	for i := range 4 {
		wg.Go(func() {
			r := rand.New(rand.NewPCG(seed, uint64(i)))
			calls.Add(shop(t, r, last.Load, one, two))
		})
	}
	var kid string
	for range 2 {
		kid = strings.TrimPrefix(one.rotate(t, root.GetAccessToken(), "").GetName(), "signingKeys/")
	}
	last.Store(&kid)
	wg.Wait()
	t.Logf("%d calls", calls.Load())
}

// shop calls and refreshes at any of the replicas until it has a token of the
// last key.
func shop(t *testing.T, r *rand.Rand, last func() *string, replicas ...*replica) (calls int64) {
	some := func() *replica { return replicas[r.IntN(len(replicas))] }
	session := some().login(t, "anna@example.com")
	access, refresh := session.GetAccessToken(), session.GetRefreshToken()
	for {
		if kid := last(); kid != nil && kidOf(t, access) == *kid {
			return calls
		}
		select {
		case <-time.After(5 * time.Millisecond):
		case <-t.Context().Done():
			return calls
		}
		// A busy machine is UNAVAILABLE: again, as clients do.
		if err := some().me(t.Context(), access); err != nil && grpcstatus.Code(err) != codes.Unavailable {
			t.Errorf("a call: %v", err)
			return calls
		}
		calls++
		pair, err := some().refresh(t, refresh)
		switch {
		case err == nil:
			access, refresh = pair.GetAccessToken(), pair.GetRefreshToken()
		case grpcstatus.Code(err) != codes.Unavailable:
			t.Errorf("a refresh: %v", err)
			return calls
		}
	}
}

func TestARotationNeedsALoginOfTheLastQuarterOfAnHour(t *testing.T) {
	w := newWorld(t)
	r := w.start(t, quick)
	root := w.administrator(t, r)
	w.exec(t, `UPDATE sessions SET auth_time = now() - interval '1 hour', rotated_at = rotated_at - interval '1 minute', handed_at = handed_at - interval '1 minute'`)
	old, err := r.refresh(t, root.GetRefreshToken())
	if err != nil {
		t.Fatal(err)
	}
	ctx := as(t.Context(), old.GetAccessToken())
	if _, err := r.admin.RotateSigningKey(ctx, &authv1.RotateSigningKeyRequest{}); status.Reason(err) != "STEP_UP_REQUIRED" {
		t.Errorf("rotate: %v", err)
	}
	if _, err := r.admin.ListSigningKeys(ctx, &authv1.ListSigningKeysRequest{}); err != nil {
		t.Errorf("list: %v", err)
	}
}
