package router_test

import (
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/curfew-platform/curfew/cmd/curfew/internal/router"
)

func edge(t *testing.T, name string) string {
	t.Helper()
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		_, _ = io.WriteString(w, name+" "+r.URL.RequestURI())
	}))
	t.Cleanup(server.Close)
	return strings.TrimPrefix(server.URL, "http://")
}

func TestEveryPathReachesTheServiceThatOwnsIt(t *testing.T) {
	origin := httptest.NewServer(router.New(router.Routes{
		Auth: []string{edge(t, "auth")}, Orders: []string{edge(t, "orders")}, Logproc: []string{edge(t, "logproc")},
	}))
	defer origin.Close()
	for path, want := range map[string]string{
		"/auth/v1/me":                  "auth /auth/v1/me",
		"/.well-known/jwks.json":       "auth /.well-known/jwks.json",
		"/oauth/callback?code=a%2Fb":   "auth /oauth/callback?code=a%2Fb",
		"/webhooks/idp":                "auth /webhooks/idp",
		"/orders/v1/users/-/orders":    "orders /orders/v1/users/-/orders",
		"/orders/v1/products/a%2Fb":    "orders /orders/v1/products/a%2Fb",
		"/logproc/v1/logs?filter=a+b":  "logproc /logproc/v1/logs?filter=a+b",
		"/metrics":                     "404 page not found\n",
		"/orders/../auth/v1/me?x=1#yz": "auth /auth/v1/me?x=1",
	} {
		resp, err := http.Get(origin.URL + path)
		if err != nil {
			t.Fatal(err)
		}
		body, err := io.ReadAll(resp.Body)
		_ = resp.Body.Close()
		if err != nil {
			t.Fatal(err)
		}
		if string(body) != want {
			t.Errorf("%s: got %q, want %q", path, body, want)
		}
	}
}

func TestReplicasOfAServiceTakeTurnsAndAMissingOneIsUnavailable(t *testing.T) {
	gone := httptest.NewServer(http.NotFoundHandler())
	gone.Close()
	origin := httptest.NewServer(router.New(router.Routes{
		Auth:    []string{strings.TrimPrefix(gone.URL, "http://")},
		Orders:  []string{edge(t, "one"), edge(t, "two")},
		Logproc: []string{edge(t, "logproc")},
	}))
	defer origin.Close()
	seen := map[string]int{}
	for range 4 {
		resp, err := http.Get(origin.URL + "/orders/x")
		if err != nil {
			t.Fatal(err)
		}
		body, _ := io.ReadAll(resp.Body)
		_ = resp.Body.Close()
		seen[string(body)]++
	}
	if seen["one /orders/x"] != 2 || seen["two /orders/x"] != 2 {
		t.Errorf("got %v", seen)
	}
	resp, err := http.Get(origin.URL + "/auth/v1/me")
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = resp.Body.Close() }()
	if resp.StatusCode != http.StatusBadGateway {
		t.Errorf("got %s", resp.Status)
	}
}
