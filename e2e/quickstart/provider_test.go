package quickstart_test

import (
	"testing"
	"time"

	"google.golang.org/grpc/codes"

	"github.com/curfew-platform/curfew/e2e/external"
	"github.com/curfew-platform/curfew/e2e/quickstart"
	"github.com/curfew-platform/curfew/pkg/interceptors/revocation"
	"github.com/curfew-platform/curfew/pkg/interceptors/revocation/memory"
)

// TestAServiceChecksTheTokensOfARealProvider: discovery, keys, a login in a
// browser and the tokens are those of an OpenID provider that others wrote.
func TestAServiceChecksTheTokensOfARealProvider(t *testing.T) {
	p, err := external.Start("ann", "bob")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(p.Stop)
	tokens, err := quickstart.Tokens(p.Issuer, external.Application, p.Client(), quiet)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(tokens.Close)
	source := memory.New()
	call := serve(t, tokens, source)

	ann, err := p.Login(t.Context(), "ann")
	if err != nil {
		t.Fatal(err)
	}
	bob, err := p.Login(t.Context(), "bob")
	if err != nil {
		t.Fatal(err)
	}
	want(t, call(ann.AccessToken), codes.OK, "")
	want(t, call(bob.AccessToken), codes.OK, "")
	id, _ := ann.Extra("id_token").(string)
	want(t, call(id), codes.Unauthenticated, "TOKEN_MALFORMED")
	want(t, call(ann.RefreshToken), codes.Unauthenticated, "TOKEN_MALFORMED")
	program, err := p.RunProgram(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	want(t, call(program.AccessToken), codes.Unauthenticated, "TOKEN_WRONG_AUDIENCE")

	// Such tokens have no epoch: those of a user that are there are revoked by name.
	later := time.Now().Add(time.Hour)
	rule := revocation.Rule{Kind: revocation.KindSubjectBlock, Issuer: p.Issuer, ID: "ann", Until: later, KeepUntil: later}
	if _, err := source.Revoke(rule); err != nil {
		t.Fatal(err)
	}
	want(t, call(ann.AccessToken), codes.Unauthenticated, "TOKEN_REVOKED")
	want(t, call(bob.AccessToken), codes.OK, "")

	// What is known goes on when the provider is gone.
	p.Stop()
	want(t, call(bob.AccessToken), codes.OK, "")

	// On the day when its keys are stolen, none of its tokens counts.
	if _, err := source.Revoke(revocation.Rule{Kind: revocation.KindIssuer, Issuer: p.Issuer, KeepUntil: later}); err != nil {
		t.Fatal(err)
	}
	want(t, call(bob.AccessToken), codes.Unauthenticated, "TOKEN_REVOKED")
}
