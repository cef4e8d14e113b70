package server

import (
	"context"
	"math/rand/v2"
	"net"
	"net/http"
	"time"
)

// begun is the key of when a connection began, and how old it may become.
type begun struct{}

type life struct {
	since time.Time
	limit time.Duration
}

// newEdgeServer returns a server whose connections are used for age, more or less
// by a tenth, as those of gRPC are: who was let in with a certificate is looked at
// again, and clients find new replicas. The answer to a request on an older
// connection says that it was the last one, which costs no request anything.
func newEdgeServer(handler http.Handler, age time.Duration) *http.Server {
	return &http.Server{
		Handler: http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			if l, ok := r.Context().Value(begun{}).(life); ok && time.Since(l.since) >= l.limit {
				w.Header().Set("Connection", "close") // GOAWAY in HTTP/2
			}
			handler.ServeHTTP(w, r)
		}),
		ConnContext: func(ctx context.Context, _ net.Conn) context.Context {
			return context.WithValue(ctx, begun{}, life{time.Now(), age*9/10 + rand.N(age/5)})
		},
		ReadHeaderTimeout: readHeaderLimit,
		IdleTimeout:       idleLimit,
		MaxHeaderBytes:    maxHeaders,
	}
}
