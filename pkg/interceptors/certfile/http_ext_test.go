package certfile_test

import (
	"io"
	"log"
	"net/http"
	"net/http/httptest"
	"net/http/httptrace"
	"testing"
)

func TestRequestsOverHTTPTrustWhatTheFilesSayNow(t *testing.T) {
	t.Parallel()
	before, after := newAuthority(t, "before", hour), newAuthority(t, "after", hour)
	oldCert, oldKey := before.issue(t, loopback, hour)
	newCert, newKey := after.issue(t, loopback, hour)
	server, client := newVolume(t, secret(oldCert, oldKey, before.pem)), newVolume(t, secret(oldCert, oldKey, before.pem))
	s := httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusNoContent) }))
	s.Config.ErrorLog = log.New(io.Discard, "", 0)
	s.TLS = open(t, server).Server()
	s.StartTLS()
	defer s.Close()
	c := &http.Client{Transport: open(t, client).HTTP(&http.Transport{TLSHandshakeTimeout: patience}), Timeout: patience}
	defer c.CloseIdleConnections()
	reused := false
	get := func() error {
		ctx := httptrace.WithClientTrace(t.Context(), &httptrace.ClientTrace{GotConn: func(c httptrace.GotConnInfo) { reused = c.Reused }})
		req, err := http.NewRequestWithContext(ctx, http.MethodGet, s.URL, nil)
		if err != nil {
			t.Fatal(err)
		}
		r, err := c.Do(req)
		if err == nil {
			_ = r.Body.Close()
		}
		return err
	}
	// A busy machine may find a connection too slow to be kept.
	for tries := 0; !reused && tries < 20; tries++ {
		server.put(t, secret(oldCert, oldKey, before.pem))
		if err := get(); err != nil {
			t.Fatal(err)
		}
		server.put(t, secret(newCert, newKey, before.pem+after.pem))
		if err := get(); reused && err != nil {
			t.Errorf("over the connection that is open: %v", err)
		}
	}
	if !reused {
		t.Error("no connection is kept")
	}
	client.put(t, secret(newCert, newKey, before.pem+after.pem))
	if err := get(); err != nil {
		t.Errorf("with both authorities: %v", err)
	}
	// An idle connection would be used on, and prove nothing.
	client.put(t, secret(newCert, newKey, before.pem))
	if err := get(); err == nil {
		t.Error("an authority that was dropped is trusted")
	}
	client.put(t, secret(newCert, newKey, after.pem))
	if err := get(); err != nil {
		t.Errorf("with the new authority only: %v", err)
	}
}
