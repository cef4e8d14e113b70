// Package router gives the HTTP edges of all services one origin, as an ingress
// does in production.
package router

import (
	"net/http"
	"net/http/httputil"
	"net/url"
	"sync/atomic"
)

// Routes maps a service to the addresses (host:port) of its HTTP edges.
type Routes struct {
	Auth, Orders, Logproc []string
}

// New returns a handler that sends /orders/ and /logproc/ to those services,
// and to auth its own paths and those that browsers and other issuers know:
// /oauth/, /webhooks/ and /.well-known/. Requests pass unchanged; the replicas
// of a service take turns.
func New(routes Routes) http.Handler {
	auth := forward(routes.Auth)
	mux := http.NewServeMux()
	for _, prefix := range []string{"/auth/", "/oauth/", "/webhooks/", "/.well-known/"} {
		mux.Handle(prefix, auth)
	}
	mux.Handle("/orders/", forward(routes.Orders))
	mux.Handle("/logproc/", forward(routes.Logproc))
	return mux
}

func forward(addresses []string) http.Handler {
	var turn atomic.Uint64
	return &httputil.ReverseProxy{
		Rewrite: func(r *httputil.ProxyRequest) {
			next := addresses[turn.Add(1)%uint64(len(addresses))]
			r.SetURL(&url.URL{Scheme: "http", Host: next})
			r.SetXForwarded()
		},
		// Streams of server-sent lines are passed on as they come.
		FlushInterval: -1,
		ErrorHandler: func(w http.ResponseWriter, _ *http.Request, _ error) {
			w.Header().Set("Content-Type", "application/json")
			w.WriteHeader(http.StatusBadGateway)
			// The shape of google.rpc.Status; 14 is UNAVAILABLE.
			_, _ = w.Write([]byte(`{"code":14,"message":"the service cannot be reached","details":[]}` + "\n"))
		},
	}
}
