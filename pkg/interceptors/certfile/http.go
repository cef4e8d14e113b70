package certfile

import (
	"net/http"
	"sync"
)

// HTTP returns a transport like base, which it copies, for requests to servers
// that the files trust; also through the proxy of base. It looks at the files for
// every request, because it cannot know which needs a connection.
func (f *Files) HTTP(base *http.Transport) http.RoundTripper {
	return &roundTripper{files: f, base: base.Clone()}
}

type roundTripper struct {
	files *Files
	base  *http.Transport

	mu   sync.Mutex
	of   *material // that now was made with
	next *http.Transport
}

// RoundTrip implements http.RoundTripper. A transport keeps connections that it
// may use again, so there is one for each content of the files.
func (r *roundTripper) RoundTrip(req *http.Request) (*http.Response, error) {
	next, err := r.current()
	if err != nil {
		return nil, err
	}
	return next.RoundTrip(req)
}

// CloseIdleConnections is for [http.Client.CloseIdleConnections].
func (r *roundTripper) CloseIdleConnections() {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.next != nil {
		r.next.CloseIdleConnections()
	}
}

func (r *roundTripper) current() (*http.Transport, error) {
	m, err := r.files.current()
	if err != nil {
		return nil, err
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.of == m {
		return r.next, nil
	}
	if r.next != nil {
		r.next.CloseIdleConnections()
	}
	next := r.base.Clone()
	next.TLSClientConfig = m.client()
	r.of, r.next = m, next
	return next, nil
}
