package platform

import (
	"context"
	"encoding/json"
	"os"
	"path/filepath"
	"testing"
	"time"

	"golang.org/x/oauth2"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	"github.com/curfew-platform/curfew/e2e/external"
	"github.com/curfew-platform/curfew/e2e/stand"
	"github.com/curfew-platform/curfew/pkg/interceptors/creds"
	"github.com/curfew-platform/curfew/pkg/interceptors/token"
	"github.com/curfew-platform/curfew/pkg/localenv/leak"
	authv1 "github.com/curfew-platform/curfew/proto/gen/curfew/auth/v1"
	ordersv1 "github.com/curfew-platform/curfew/proto/gen/curfew/orders/v1"
)

// newProvider starts an identity provider that is not ours.
func newProvider(t *testing.T, users ...string) *external.Provider {
	t.Helper()
	p, err := external.Start(users...)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(p.Stop)
	return p
}

// login is one at the provider. Its tokens must not be written anywhere.
func login(t *testing.T, p *external.Provider, user string) *oauth2.Token {
	t.Helper()
	tok, err := p.Login(t.Context(), user)
	if err != nil {
		t.Fatal(err)
	}
	leak.Secret("token of the provider", tok.AccessToken)
	return tok
}

// believing starts one more replica of auth, which exchanges tokens of the
// provider, and makes users for those that it does not know.
func believing(t *testing.T, p *external.Provider) (replica *stand.Auth, address string) {
	t.Helper()
	dir := t.TempDir()
	ca := filepath.Join(dir, "provider.pem")
	if err := p.WriteCA(ca); err != nil {
		t.Fatal(err)
	}
	issuers, err := json.Marshal(map[string]any{"issuers": []any{map[string]any{
		"issuer": p.Issuer, "audiences": []string{external.Application, external.Program}, "ca_file": ca, "provision": true,
	}}})
	if err != nil {
		t.Fatal(err)
	}
	path := filepath.Join(dir, "issuers.json")
	if err := os.WriteFile(path, issuers, 0o600); err != nil {
		t.Fatal(err)
	}
	process, err := platform.StartService(t.Context(), "auth", nil, "--external-issuers-file", path)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if _, killed, err := process.Stop(30 * time.Second); err != nil || killed {
			t.Errorf("stop auth: killed %t, %v\n%s", killed, err, process.Stderr())
		}
	})
	replica, err = (&stand.Stand{Auth: process.GRPC}).DialAuth()
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(replica.Close)
	return replica, process.GRPC
}

func exchange(ctx context.Context, auth *stand.Auth, raw string) (*authv1.ExchangeExternalTokenResponse, error) {
	return auth.Auth.ExchangeExternalToken(ctx, &authv1.ExchangeExternalTokenRequest{SubjectToken: raw})
}

// admitted asks every service for something of the user.
func admitted(t *testing.T, user, raw string) (errs []error) {
	t.Helper()
	ctx := stand.Bearer(t.Context(), raw)
	auth, err := platform.DialAuth()
	if err != nil {
		t.Fatal(err)
	}
	defer auth.Close()
	_, err = auth.Account.GetMe(ctx, &authv1.GetMeRequest{})
	errs = append(errs, err)
	for _, addr := range platform.Orders {
		_, err := ordersv1.NewOrderQueryServiceClient(orders(t, addr)).ListOrders(ctx, &ordersv1.ListOrdersRequest{Parent: user})
		errs = append(errs, err)
	}
	return errs
}

func wantAll(t *testing.T, what string, errs []error, reason string) {
	t.Helper()
	for n, err := range errs {
		if stand.Reason(err) != reason || (err == nil) != (reason == "") {
			t.Errorf("%s, answer %d: %v, want %q", what, n, err, reason)
		}
	}
}

func TestATokenOfARealProviderOpensASessionThatOutlivesTheProvider(t *testing.T) {
	p := newProvider(t, "ann", "bob")
	auth, _ := believing(t, p)
	ann := login(t, p, "ann")
	first, err := exchange(t.Context(), auth, ann.AccessToken)
	if err != nil {
		t.Fatal(err)
	}
	wantAll(t, "our token", admitted(t, first.GetUser().GetName(), first.GetAccessToken()), "")
	wantAll(t, "the provider's token", admitted(t, first.GetUser().GetName(), ann.AccessToken), "TOKEN_MALFORMED")

	// What else the provider signs and gives is no proof of who somebody is.
	id, _ := ann.Extra("id_token").(string)
	for what, raw := range map[string]string{"the ID token": id, "the refresh token": ann.RefreshToken, "our own token": first.GetAccessToken()} {
		if _, err := exchange(t.Context(), auth, raw); status.Code(err) != codes.Unauthenticated || stand.Reason(err) != "EXTERNAL_TOKEN_INVALID" {
			t.Errorf("%s: %v", what, err)
		}
	}
	again, err := exchange(t.Context(), auth, login(t, p, "ann").AccessToken)
	if err != nil || again.GetUser().GetName() != first.GetUser().GetName() {
		t.Errorf("the same user at another login is %v, %v", again.GetUser(), err)
	}
	other, err := exchange(t.Context(), auth, login(t, p, "bob").AccessToken)
	if err != nil || other.GetUser().GetName() == first.GetUser().GetName() {
		t.Errorf("another user is %v, %v", other.GetUser(), err)
	}

	// A token under a key of the moment waits until the provider may be asked
	// again, and what brings this key takes away those that were withdrawn.
	if err := p.Rotate(); err != nil {
		t.Fatal(err)
	}
	p.Withdraw()
	next, err := p.Refresh(t.Context(), ann)
	if err != nil {
		t.Fatal(err)
	}
	leak.Secret("token of the provider", next.AccessToken)
	if _, err := exchange(t.Context(), auth, next.AccessToken); err != nil {
		t.Errorf("a token under the new key: %v", err)
	}
	if _, err := exchange(t.Context(), auth, ann.AccessToken); stand.Reason(err) != "EXTERNAL_TOKEN_INVALID" {
		t.Errorf("a token under the key that was withdrawn: %v", err)
	}

	// Without the provider sessions go on, and so does what is known of its keys.
	p.Stop()
	refreshed, err := auth.Auth.RefreshTokens(t.Context(), &authv1.RefreshTokensRequest{RefreshToken: other.GetRefreshToken()})
	if err != nil {
		t.Fatal(err)
	}
	wantAll(t, "a session without the provider", admitted(t, other.GetUser().GetName(), refreshed.GetAccessToken()), "")
	if _, err := exchange(t.Context(), auth, next.AccessToken); err != nil {
		t.Errorf("a token under a known key: %v", err)
	}
	late, _ := believing(t, p)
	if _, err := exchange(t.Context(), late, next.AccessToken); status.Code(err) != codes.Unavailable || stand.Reason(err) != "KEYS_UNAVAILABLE" {
		t.Errorf("a replica that never saw the keys: %v", err)
	}
	if _, err := late.Auth.RefreshTokens(t.Context(), &authv1.RefreshTokensRequest{RefreshToken: first.GetRefreshToken()}); err != nil {
		t.Errorf("a session at such a replica: %v", err)
	}
}

func TestAProgramOfARealProviderOpensItsNextSessionWhenOneIsRevoked(t *testing.T) {
	p := newProvider(t)
	auth, address := believing(t, p)
	var user string
	exchanges := 0
	source := creds.ExternalSession(creds.NewMemoryStore(creds.Pair{}),
		func(ctx context.Context, refresh, _ token.Raw) (creds.Pair, error) {
			r, err := auth.Auth.RefreshTokens(ctx, &authv1.RefreshTokensRequest{RefreshToken: string(refresh)})
			return pair(r.GetAccessToken(), r.GetRefreshToken(), r.GetAccessExpiresAt().AsTime()), err
		},
		creds.SourceFunc(func(ctx context.Context) (creds.Token, error) {
			tok, err := p.RunProgram(ctx)
			if err != nil {
				return creds.Token{}, err
			}
			leak.Secret("token of the provider", tok.AccessToken)
			return creds.Token{Value: token.Raw(tok.AccessToken), ExpiresAt: tok.Expiry}, nil
		}),
		func(ctx context.Context, raw token.Raw) (creds.Pair, error) {
			exchanges++
			r, err := exchange(ctx, auth, string(raw))
			user = r.GetUser().GetName()
			return pair(r.GetAccessToken(), r.GetRefreshToken(), r.GetAccessExpiresAt().AsTime()), err
		})
	credentials := creds.NewRefreshing(source, creds.WithPlaintext())
	defer credentials.Close()
	conn, err := creds.Dial(creds.Target{Address: address}, credentials)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = conn.Close() }()
	me := authv1.NewAccountServiceClient(conn)
	admin, err := auth.Login(t.Context(), stand.User{Email: platform.AdminEmail, Password: platform.AdminPassword})
	if err != nil {
		t.Fatal(err)
	}
	for n := range 3 {
		for range 2 {
			if _, err := me.GetMe(t.Context(), &authv1.GetMeRequest{}); err != nil {
				t.Fatalf("session %d: %v", n+1, err)
			}
		}
		if exchanges != n+1 {
			t.Errorf("%d exchanges for %d sessions", exchanges, n+1)
		}
		ended, err := auth.Users.RevokeUserSessions(stand.Bearer(t.Context(), admin.GetAccessToken()), &authv1.RevokeUserSessionsRequest{Name: user})
		if err != nil || ended.GetEnded() != 1 {
			t.Fatalf("ended %d sessions: %v", ended.GetEnded(), err)
		}
	}
	// To keep the program out, its user is deactivated.
	if _, err := auth.Users.DeactivateUser(stand.Bearer(t.Context(), admin.GetAccessToken()), &authv1.DeactivateUserRequest{Name: user}); err != nil {
		t.Fatal(err)
	}
	tok, err := p.RunProgram(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if _, err := exchange(t.Context(), auth, tok.AccessToken); stand.Reason(err) != "USER_DEACTIVATED" {
		t.Errorf("the user is deactivated: %v", err)
	}
}

func TestARevokedIssuerOpensNoSessionAndTheOnesThatItOpenedAreOver(t *testing.T) {
	p := newProvider(t, "ann", "bob")
	auth, _ := believing(t, p)
	tokens := map[string]*oauth2.Token{}
	sessions := map[string]*authv1.ExchangeExternalTokenResponse{}
	for _, user := range []string{"ann", "bob"} {
		tokens[user] = login(t, p, user)
		session, err := exchange(t.Context(), auth, tokens[user].AccessToken)
		if err != nil {
			t.Fatal(err)
		}
		sessions[user] = session
	}
	own, _ := customer(t)
	admin, err := auth.Login(t.Context(), stand.User{Email: platform.AdminEmail, Password: platform.AdminPassword})
	if err != nil {
		t.Fatal(err)
	}
	staff := stand.Bearer(t.Context(), admin.GetAccessToken())
	revoked, err := auth.Users.RevokeExternalIssuer(staff, &authv1.RevokeExternalIssuerRequest{Issuer: p.Issuer})
	if err != nil || revoked.GetEnded() != 2 {
		t.Fatalf("ended %d sessions: %v", revoked.GetEnded(), err)
	}
	over := func(when string) {
		t.Helper()
		for user, session := range sessions {
			wantAll(t, user+" "+when, admitted(t, session.GetUser().GetName(), session.GetAccessToken()), "TOKEN_REVOKED")
			_, err := auth.Auth.RefreshTokens(t.Context(), &authv1.RefreshTokensRequest{RefreshToken: session.GetRefreshToken()})
			wantAll(t, user+"'s refresh "+when, []error{err}, "SESSION_REVOKED")
		}
	}
	over("after the revocation")
	if _, err := exchange(t.Context(), auth, tokens["ann"].AccessToken); stand.Reason(err) != "EXTERNAL_TOKEN_INVALID" {
		t.Errorf("a token that was there: %v", err)
	}
	if _, err := exchange(t.Context(), auth, login(t, p, "bob").AccessToken); stand.Reason(err) != "EXTERNAL_TOKEN_INVALID" {
		t.Errorf("a token of a new login: %v", err)
	}
	if _, err := auth.Login(t.Context(), own); err != nil {
		t.Errorf("a user of ours: %v", err)
	}

	if _, err := auth.Users.AcceptExternalIssuer(staff, &authv1.AcceptExternalIssuerRequest{Issuer: p.Issuer}); err != nil {
		t.Fatal(err)
	}
	again, err := exchange(t.Context(), auth, tokens["ann"].AccessToken)
	if err != nil || again.GetUser().GetName() != sessions["ann"].GetUser().GetName() {
		t.Fatalf("accepted again: %v, %v", again.GetUser(), err)
	}
	wantAll(t, "a session after that", admitted(t, again.GetUser().GetName(), again.GetAccessToken()), "")
	over("after the issuer is accepted again")
}

func pair(access, refresh string, end time.Time) creds.Pair {
	return creds.Pair{Access: creds.Token{Value: token.Raw(access), ExpiresAt: end}, Refresh: token.Raw(refresh)}
}
