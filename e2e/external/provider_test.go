package external_test

import (
	"encoding/base64"
	"encoding/json"
	"strings"
	"testing"

	"github.com/curfew-platform/curfew/e2e/external"
)

func TestTheProviderGivesTokensThatOthersCanRead(t *testing.T) {
	p, err := external.Start("ann")
	if err != nil {
		t.Fatal(err)
	}
	defer p.Stop()
	login, err := p.Login(t.Context(), "ann")
	if err != nil {
		t.Fatal(err)
	}
	if err := p.Rotate(); err != nil {
		t.Fatal(err)
	}
	next, err := p.Refresh(t.Context(), login)
	if err != nil {
		t.Fatal(err)
	}
	program, err := p.RunProgram(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	id, ok := login.Extra("id_token").(string)
	if !ok {
		t.Fatal("no ID token")
	}
	for what, tc := range map[string]struct {
		raw, alg, sub string
		session       bool
	}{
		"of a user":                  {login.AccessToken, "RS256", "ann", true},
		"of the user, a while later": {next.AccessToken, "ES256", "ann", true},
		"of the program":             {program.AccessToken, "ES256", external.Program, false},
		"about the user":             {id, "RS256", "ann", false},
	} {
		head, claims := part(t, tc.raw, 0), part(t, tc.raw, 1)
		_, session := claims["sid"]
		if head["alg"] != tc.alg || head["typ"] != "JWT" || claims["iss"] != p.Issuer || claims["sub"] != tc.sub || session != tc.session {
			t.Errorf("%s: %v %v", what, head, claims)
		}
	}
	if strings.Count(login.RefreshToken, ".") == 2 {
		t.Error("the refresh token is a JWT")
	}
}

// part is the header, 0, or the payload, 1.
func part(t *testing.T, raw string, n int) map[string]any {
	t.Helper()
	data, err := base64.RawURLEncoding.DecodeString(strings.Split(raw, ".")[n])
	if err != nil {
		t.Fatal(err)
	}
	var out map[string]any
	if err := json.Unmarshal(data, &out); err != nil {
		t.Fatal(err)
	}
	return out
}
