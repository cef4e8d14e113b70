package server

import (
	"net"
	"net/http"
	"net/http/httptest"
	"sync/atomic"
	"testing"
	"time"
)

// TestAConnectionOfTheEdge: a client whose certificate is not trusted any more
// must not stay by asking again and again.
func TestAConnectionOfTheEdgeEndsAtItsAgeAndNoRequestFails(t *testing.T) {
	t.Parallel()
	const age = 100 * time.Millisecond
	for name, h2 := range map[string]bool{"HTTP/1": false, "HTTP/2": true} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			var accepted atomic.Int64
			s := httptest.NewUnstartedServer(nil)
			s.Config = newEdgeServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusNoContent) }), age)
			s.Config.ConnState = func(_ net.Conn, state http.ConnState) {
				if state == http.StateNew {
					accepted.Add(1)
				}
			}
			s.EnableHTTP2 = h2
			s.StartTLS()
			defer s.Close()
			begin := time.Now()
			var last time.Duration
			requests := int64(0)
			for ; accepted.Load() < 4; requests++ {
				req, err := http.NewRequestWithContext(t.Context(), http.MethodGet, s.URL, nil)
				if err != nil {
					t.Fatal(err)
				}
				r, err := s.Client().Do(req)
				if err != nil {
					t.Fatalf("request %d: %v", requests, err)
				}
				_ = r.Body.Close()
				if h2 != (r.ProtoMajor == 2) {
					t.Fatalf("spoke %s", r.Proto)
				}
				if last = time.Since(begin); last > 20*time.Second {
					t.Fatalf("%d connections for %d requests in %s", accepted.Load(), requests, last)
				}
			}
			if last < 3*age*9/10 {
				t.Errorf("three connections lasted only %s", last)
			}
		})
	}
}
