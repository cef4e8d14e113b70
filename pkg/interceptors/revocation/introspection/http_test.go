package introspection_test

import (
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/curfew-platform/curfew/pkg/interceptors/revocation/introspection"
)

func authorize(r *http.Request) error {
	r.SetBasicAuth("orders", "its secret")
	return nil
}

func TestAnEndpointIsAskedAsRFC7662Says(t *testing.T) {
	answer, code := `{"active":true,"sub":"u"}`, http.StatusOK
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		user, secret, _ := r.BasicAuth()
		if r.Method != http.MethodPost || r.FormValue("token") != "a.b.c" || r.URL.RawQuery != "" || user != "orders" || secret != "its secret" {
			t.Errorf("%s %s %v", r.Method, r.URL, r.Form)
		}
		w.Header().Set("Location", "https://example.com/")
		w.WriteHeader(code)
		_, _ = io.WriteString(w, answer)
	}))
	t.Cleanup(server.Close)
	ask, err := introspection.HTTP(server.URL, nil, authorize)
	if err != nil {
		t.Fatal(err)
	}
	if ok, err := ask(t.Context(), "a.b.c"); err != nil || !ok {
		t.Errorf("active: %v, %v", ok, err)
	}
	answer = `{"active":false}`
	if ok, err := ask(t.Context(), "a.b.c"); err != nil || ok {
		t.Errorf("inactive: %v, %v", ok, err)
	}
	// What is no clear answer is none.
	for _, answer = range []string{
		``, `{}`, `[]`, `true`, `{"active":"true"}`, `{"active":1}`, `{"active":null}`, `{"Active":true}`, `{"active":true`, `{"x":"` + strings.Repeat("x", 70<<10) + `","active":true}`,
	} {
		if ok, err := ask(t.Context(), "a.b.c"); err == nil || strings.Contains(err.Error(), "a.b.c") {
			t.Errorf("%.40s: %v, %v", answer, ok, err)
		}
	}
	answer = `{"active":true}`
	for _, code = range []int{http.StatusUnauthorized, http.StatusFound, http.StatusInternalServerError} {
		if ok, err := ask(t.Context(), "a.b.c"); err == nil {
			t.Errorf("%d: %v", code, ok)
		}
	}
}

func TestATokenIsSentToNobodyInTheClear(t *testing.T) {
	for _, endpoint := range []string{"", "auth.example.com/introspect", "http://auth.example.com/introspect", "ftp://127.0.0.1/", "https://"} {
		if _, err := introspection.HTTP(endpoint, nil, authorize); err == nil {
			t.Errorf("%q is taken", endpoint)
		}
	}
	if _, err := introspection.HTTP("https://auth.example.com/introspect", nil, nil); err == nil {
		t.Error("asks without proof of who asks")
	}
}

func TestATokenIsNotSentWhereTheAnswerPoints(t *testing.T) {
	elsewhere := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { t.Error("asked elsewhere") }))
	t.Cleanup(elsewhere.Close)
	server := httptest.NewServer(http.RedirectHandler(elsewhere.URL, http.StatusTemporaryRedirect))
	t.Cleanup(server.Close)
	ask, err := introspection.HTTP(server.URL, nil, authorize)
	if err != nil {
		t.Fatal(err)
	}
	if ok, err := ask(t.Context(), "a.b.c"); ok || err == nil {
		t.Errorf("%v, %v", ok, err)
	}
}

func TestWithoutAProofOfWhoAsksNothingIsSent(t *testing.T) {
	server := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { t.Error("asked") }))
	t.Cleanup(server.Close)
	lost := errors.New("the secret cannot be read")
	ask, err := introspection.HTTP(server.URL, nil, func(*http.Request) error { return lost })
	if err != nil {
		t.Fatal(err)
	}
	if _, err := ask(t.Context(), "a.b.c"); !errors.Is(err, lost) {
		t.Errorf("err = %v", err)
	}
}

func BenchmarkCheck(b *testing.B) {
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { _, _ = io.WriteString(w, `{"active":true}`) }))
	b.Cleanup(server.Close)
	ask, err := introspection.HTTP(server.URL, nil, authorize)
	if err != nil {
		b.Fatal(err)
	}
	for name, o := range map[string]introspection.Options{"asks": {}, "cached": {MaxAge: 1 << 40}} {
		b.Run(name, func(b *testing.B) {
			s, err := introspection.New(ask, discard, o)
			if err != nil {
				b.Fatal(err)
			}
			b.Cleanup(s.Close)
			id := caller()
			ctx := carry(b.Context(), id)
			b.ReportAllocs()
			for b.Loop() {
				if v := s.CheckContext(ctx, id); !v.Fresh || v.Revoked {
					b.Fatalf("%+v", v)
				}
			}
		})
	}
}
