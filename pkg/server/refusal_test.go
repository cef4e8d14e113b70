package server

import (
	"bytes"
	"encoding/json"
	"errors"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"strings"
	"testing"
	"testing/iotest"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"

	"github.com/curfew-platform/curfew/pkg/lifecycle"
)

// refusal is the body of an answer that is no success.
type refusal struct {
	Code    codes.Code
	Message string
	Details []struct{ Reason, Domain string }
}

func TestWhatTheEdgeRefusesItselfHasTheFormOfTheChainsRefusals(t *testing.T) {
	bound := serve(t, &Settings{})
	large := bytes.NewReader(bytes.Repeat([]byte(" "), maxHTTPBody+1))
	for _, test := range []struct {
		name, method, path string
		body               io.Reader
		http               int
		code               codes.Code
		reason             string
	}{
		{"a path that is not UTF-8", http.MethodGet, "/auth/v1/%ff", nil, 400, codes.InvalidArgument, "REQUEST_INVALID"},
		{"a query that is not UTF-8", http.MethodGet, "/auth/v1/jwks?page_token=%ff", nil, 400, codes.InvalidArgument, "REQUEST_INVALID"},
		{"no JSON", http.MethodPost, "/auth/v1/tokens:introspect", strings.NewReader("{"), 400, codes.InvalidArgument, "REQUEST_INVALID"},
		{"JSON of another message", http.MethodPost, "/auth/v1/tokens:introspect", strings.NewReader(`{"token":1}`), 400, codes.InvalidArgument, "REQUEST_INVALID"},
		{"a body that is too large", http.MethodPost, "/auth/v1/tokens:introspect", large, 413, codes.ResourceExhausted, "LIMIT_EXCEEDED"},
		{"another method", http.MethodPut, "/auth/v1/jwks", nil, 405, codes.Unimplemented, ""},
		{"nothing there", http.MethodGet, "/auth/v1/nothing", nil, 404, codes.NotFound, ""},
		{"no token", http.MethodPost, "/auth/v1/tokens:introspect", strings.NewReader(`{"token":"x"}`), 401, codes.Unauthenticated, "TOKEN_MISSING"},
	} {
		t.Run(test.name, func(t *testing.T) {
			req, err := http.NewRequestWithContext(t.Context(), test.method, "http://"+bound.HTTP+test.path, test.body)
			if err != nil {
				t.Fatal(err)
			}
			res, err := http.DefaultClient.Do(req)
			if err != nil {
				t.Fatal(err)
			}
			defer res.Body.Close()
			var got refusal
			if err := json.NewDecoder(res.Body).Decode(&got); err != nil {
				t.Fatal(err)
			}
			reason := ""
			if len(got.Details) > 0 {
				reason = got.Details[0].Reason
			}
			if res.StatusCode != test.http || got.Code != test.code || reason != test.reason || strings.HasPrefix(got.Message, "proto") {
				t.Errorf("%d, %v", res.StatusCode, got)
			}
			challenge := res.Header.Get("WWW-Authenticate")
			if asked := res.StatusCode == http.StatusUnauthorized; asked != (challenge == "Bearer") {
				t.Errorf("challenge %q", challenge)
			}
		})
	}
}

// The texts of such errors name addresses of this machine.
func TestWhyABodyCouldNotBeReadIsNotToldInTheWordsOfTheSystem(t *testing.T) {
	broken := &net.OpError{Op: "read", Net: "tcp", Source: &net.TCPAddr{IP: net.IPv4(10, 0, 0, 1)}, Err: os.ErrDeadlineExceeded}
	for _, test := range []struct {
		cause, want error
	}{
		{broken, errSlow},
		{&net.OpError{Op: "read", Err: errors.New("reset")}, errBody},
		{&http.MaxBytesError{Limit: 1}, errLarge},
	} {
		b := &body{ReadCloser: io.NopCloser(iotest.ErrReader(test.cause))}
		_, err := io.ReadAll(b)
		if got := explain(&http.Request{Body: b}, err); !errors.Is(got, test.want) {
			t.Errorf("%v: %v", test.cause, got)
		}
	}
}

// Without a limit, who announces a body and never sends it would hold a
// connection for ever: the server waits for what it will not use.
func TestNoRequestOfTheEdgeWaitsForItsBodyForEver(t *testing.T) {
	group, err := lifecycle.New(lifecycle.WithoutSignals())
	if err != nil {
		t.Fatal(err)
	}
	edge, err := newEdge(&Runtime{Group: group}, API{}, grpc.NewServer())
	if err != nil {
		t.Fatal(err)
	}
	for _, path := range []string{"/livez", "/readyz", "/nothing"} {
		w := &deadlines{ResponseWriter: httptest.NewRecorder()}
		edge.ServeHTTP(w, httptest.NewRequestWithContext(t.Context(), http.MethodGet, path, nil))
		if left := time.Until(w.read); left <= 0 || left > readBodyLimit {
			t.Errorf("%s: the body may take %v", path, left)
		}
	}
}

type deadlines struct {
	http.ResponseWriter
	read time.Time
}

func (d *deadlines) SetReadDeadline(t time.Time) error { d.read = t; return nil }
