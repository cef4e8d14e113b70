package jwks

import (
	"net/http"
	"testing"
)

func TestOnlyTheWayOutGoesThroughTheProxy(t *testing.T) {
	request, err := http.NewRequestWithContext(t.Context(), http.MethodGet, "https://id.example.org/keys", nil)
	if err != nil {
		t.Fatal(err)
	}
	proxy := func(s Source) string {
		find := s.transport().Proxy
		if find == nil {
			return ""
		}
		address, err := find(request)
		if err != nil || address == nil {
			t.Fatalf("%v, %v", address, err)
		}
		return address.Host
	}
	if got := proxy(Source{Outside: true}); got != "127.0.0.1:1" {
		t.Errorf("outside: %q", got)
	}
	if got := proxy(Source{}); got != "" {
		t.Errorf("inside: %q", got)
	}
}
