package auth_test

import (
	"strings"
	"testing"
	"time"

	authv1 "github.com/curfew-platform/curfew/proto/gen/curfew/auth/v1"
	"github.com/curfew-platform/curfew/services/auth"
)

// Else lowering the setting brings revoked tokens back to life.
func TestARuleOutlivesTokensOfReplicasWithALongerAccessLife(t *testing.T) {
	w := newWorld(t)
	long := w.start(t, func(c *auth.Config) { c.AccessLife = time.Hour })
	short := w.start(t, func(c *auth.Config) { c.AccessLife = 2 * time.Minute })
	long.register(t, "anna@example.com")
	victim := long.login(t, "anna@example.com")
	if _, err := short.auth.Logout(as(t.Context(), victim.GetAccessToken()), &authv1.LogoutRequest{}); err != nil {
		t.Fatal(err)
	}
	const leeway = 2 * time.Minute // the largest of a verifier
	kept := query[time.Time](t, w, `SELECT keep_until FROM revocation_rules`)
	if end := victim.GetAccessExpiresAt().AsTime().Add(leeway); kept.Before(end) {
		t.Errorf("the rule is kept until %v, the token is admitted until %v", kept, end)
	}
}

func TestALifeThatVerifiersRefuseOrThatEndsBeforeThePairIsHandedOutIsNoSetting(t *testing.T) {
	for _, c := range []struct {
		life, window time.Duration
		want         string // "" is accepted
	}{
		{5 * time.Minute, 30 * time.Second, ""},
		{time.Hour, 30 * time.Second, ""},
		{66 * time.Second, 30 * time.Second, ""},
		{time.Hour + time.Second, 30 * time.Second, "--access-life 1h0m1s is above 1h0m0s"},
		{65 * time.Second, 30 * time.Second, "--access-life 1m5s is not above 1m5s"},
		{10 * time.Second, 30 * time.Second, "--access-life 10s is not above 1m5s"},
		{5 * time.Minute, time.Nanosecond, "--refresh-window 1ns is below 1s"},
	} {
		cfg, ok := auth.Command().Config.(*auth.Config)
		if !ok {
			t.Fatal("the configuration is of another type")
		}
		newWorldAt(t, "postgres://nowhere").config(cfg)
		cfg.AccessLife, cfg.RefreshWindow = c.life, c.window
		err := cfg.Validate()
		if c.want == "" && err != nil || c.want != "" && (err == nil || !strings.Contains(err.Error(), c.want)) {
			t.Errorf("%v with a window of %v: %v", c.life, c.window, err)
		}
	}
}

// --check and the start say the same, and before anything is asked of the database.
func TestWhatTheSettingsNameIsLookedAtBeforeServing(t *testing.T) {
	for want, change := range map[string]func(*auth.Config){
		"":                      func(*auth.Config) {},
		"--keyset-file: ":       func(c *auth.Config) { c.KeysetFile += "x" },
		"--service-keys-file: ": func(c *auth.Config) { c.ServiceKeysFile = c.KeysetFile },
		"--database-url: ":      func(c *auth.Config) { c.Database.URL = "x" },
		"--issuer and ":         func(c *auth.Config) { c.Issuer = "x" },
		"--session-idle":        func(c *auth.Config) { c.SessionIdle = 0 },
		"--cluster-ca-file: ": func(c *auth.Config) {
			c.Cluster = auth.ClusterSettings{Issuer: "https://k", JWKSURL: "https://k/jwks", CAFile: c.KeysetFile, Accounts: []string{"a/b"}}
		},
	} {
		cfg, ok := auth.Command().Config.(*auth.Config)
		if !ok {
			t.Fatal("the configuration is of another type")
		}
		newWorldAt(t, "postgres://nowhere").config(cfg)
		change(cfg)
		if err := cfg.Validate(); want == "" && err != nil || want != "" && (err == nil || !strings.Contains(err.Error(), want)) {
			t.Errorf("want %q, got %v", want, err)
		}
	}
}
