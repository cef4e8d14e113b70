package httpserver_test

import (
	"context"
	"encoding/json"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/curfew-platform/curfew/pkg/lifecycle"
	"github.com/curfew-platform/curfew/pkg/lifecycle/httpserver"
)

func ask(t *testing.T, h http.Handler, target, accept string) (int, string) {
	t.Helper()
	r := httptest.NewRequest(http.MethodGet, target, nil)
	r.Header.Set("Accept", accept)
	w := httptest.NewRecorder()
	h.ServeHTTP(w, r)
	return w.Code, w.Body.String()
}

func TestHealthIsToldAsTextWithItsParts(t *testing.T) {
	synctest.Test(t, func(t *testing.T) { // where no part is late with its answer
		g, err := lifecycle.New(lifecycle.WithoutSignals(), lifecycle.WithReportWriter(io.Discard))
		if err != nil {
			t.Fatal(err)
		}
		health := map[string]lifecycle.Health{
			"feed":  {},
			"cache": {Condition: lifecycle.Degraded, Reason: "12 s behind 10.0.0.7"},
		}
		for _, name := range []string{"feed", "cache"} {
			if err := g.Add(lifecycle.Part{Name: name, Phase: lifecycle.Leave, Health: func() lifecycle.Health { return health[name] }}); err != nil {
				t.Fatal(err)
			}
		}
		is := func(h http.Handler, target string, code int, body string) {
			t.Helper()
			if c, b := ask(t, h, target, ""); c != code || b != body {
				t.Errorf("%s: %d %s", target, c, b)
			}
		}
		is(httpserver.Livez(g), "/livez", 200, "ok\n")
		is(httpserver.Readyz(g), "/readyz", 503, "not ready\n")
		done := make(chan error, 1)
		go func() { done <- g.Run(context.Background()) }()
		<-g.Started()
		is(httpserver.Readyz(g), "/readyz", 200, "ok\n")
		is(httpserver.Readyz(g), "/readyz?verbose", 200,
			"[+] feed ready\n[~] cache degraded: reason withheld\nreadyz: ok, running, reason withheld\n")
		is(httpserver.Readyz(g, httpserver.WithReasons()), "/readyz?verbose", 200,
			"[+] feed ready\n[~] cache degraded: 12 s behind 10.0.0.7\nreadyz: ok, running, cache is degraded: 12 s behind 10.0.0.7\n")
		if _, body := ask(t, httpserver.Readyz(g), "/readyz", "application/json"); strings.Contains(body, "10.0.0.7") {
			t.Errorf("the reason is told to anybody: %s", body)
		}
		health["feed"] = lifecycle.Health{Condition: lifecycle.Dead, Reason: "lost"}
		is(httpserver.Livez(g), "/livez?verbose", 503,
			"[-] feed dead: reason withheld\n[~] cache degraded: reason withheld\nlivez: dead, running, reason withheld\n")
		code, body := ask(t, httpserver.Readyz(g, httpserver.WithReasons()), "/readyz", "application/json")
		var s lifecycle.Status
		if err := json.Unmarshal([]byte(body), &s); err != nil || code != 503 || s.Ready || s.Live || len(s.Parts) != 2 || s.Parts[0].Reason != "lost" {
			t.Errorf("%d %s %v", code, body, err)
		}
		health["feed"] = lifecycle.Health{}
		g.Shutdown(nil)
		is(httpserver.Readyz(g), "/readyz", 503, "not ready\n")
		is(httpserver.Livez(g), "/livez", 200, "ok\n")
		if err := <-done; err != nil {
			t.Error(err)
		}
	})
}

func TestHealthHasAListenerThatIsThereWhileOthersStartAndStop(t *testing.T) {
	g, err := lifecycle.New(lifecycle.WithoutSignals(), lifecycle.WithReportWriter(io.Discard))
	if err != nil {
		t.Fatal(err)
	}
	lis, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	if err := httpserver.AddHealth(g, "health", lis, httpserver.WithReasons()); err != nil {
		t.Fatal(err)
	}
	client := &http.Client{Transport: &http.Transport{DisableKeepAlives: true}, Timeout: 10 * time.Second}
	get := func(path string) (int, string) {
		res, err := client.Get("http://" + lis.Addr().String() + path)
		if err != nil {
			t.Error(err)
			return 0, ""
		}
		defer res.Body.Close()
		body, _ := io.ReadAll(res.Body)
		return res.StatusCode, string(body)
	}
	err = g.Add(lifecycle.Part{
		Name: "database", Phase: lifecycle.Leave,
		Start: func(ctx context.Context) error {
			lifecycle.Progress(ctx, "migration 3 of 7")
			if code, body := get("/readyz?verbose"); code != 503 || body != "[-] database unready: migration 3 of 7\nreadyz: not ready, starting, waits for database (migration 3 of 7)\n" {
				t.Errorf("%d %s", code, body)
			}
			return nil
		},
		Stop: func(context.Context) error {
			if code, body := get("/livez"); code != 200 {
				t.Errorf("%d %s", code, body)
			}
			if code, body := get("/readyz"); code != 503 {
				t.Errorf("%d %s", code, body)
			}
			return nil
		},
	})
	if err != nil {
		t.Fatal(err)
	}
	go func() { <-g.Started(); g.Shutdown(nil) }()
	if err := g.Run(context.Background()); err != nil {
		t.Error(err)
	}
	if _, err := client.Get("http://" + lis.Addr().String() + "/livez"); err == nil {
		t.Error("the listener outlives the group")
	}
	if httpserver.AddHealth(g, "late", lis) == nil || httpserver.AddHealth(nil, "", nil) == nil {
		t.Error("accepted")
	}
}
