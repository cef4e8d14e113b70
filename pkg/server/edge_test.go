package server

import (
	"bytes"
	"net/http"
	"testing"
)

// Who reports a failure names the id of the call; refusals are what is reported.
func TestEveryAnswerOfTheEdgeHasTheRequestID(t *testing.T) {
	bound := serve(t, &Settings{})
	for _, test := range []struct {
		method, path, sent string
		code               int
	}{
		{http.MethodGet, "/auth/v1/jwks", "mine-1", http.StatusOK},
		{http.MethodGet, "/auth/v1/jwks", "", http.StatusOK},
		{http.MethodPost, "/auth/v1/tokens:introspect", "mine-2", http.StatusUnauthorized},
		{http.MethodPost, "/auth/v1/tokens:introspect", "", http.StatusUnauthorized},
		{http.MethodPost, "/auth/v1/tokens:introspect", "not harmless", http.StatusUnauthorized},
	} {
		req, err := http.NewRequestWithContext(t.Context(), test.method, "http://"+bound.HTTP+test.path, bytes.NewBufferString(`{"token":"x"}`))
		if err != nil {
			t.Fatal(err)
		}
		if test.sent != "" {
			req.Header.Set("X-Request-ID", test.sent)
		}
		res, err := http.DefaultClient.Do(req)
		if err != nil {
			t.Fatal(err)
		}
		res.Body.Close()
		got := res.Header.Values("X-Request-ID")
		if res.StatusCode != test.code || len(got) != 1 || got[0] == "" {
			t.Errorf("%s %s: %d, ids %q", test.method, test.path, res.StatusCode, got)
			continue
		}
		if kept := test.sent == "mine-1" || test.sent == "mine-2"; kept != (got[0] == test.sent) {
			t.Errorf("%s %s: sent %q, got %q", test.method, test.path, test.sent, got[0])
		}
	}
}
