package server

import (
	"context"
	"errors"
	"io"
	"net/http"
	"net/url"
	"os"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/grpc-ecosystem/grpc-gateway/v2/runtime"
	"google.golang.org/grpc/codes"
	grpcstatus "google.golang.org/grpc/status"

	"github.com/curfew-platform/curfew/pkg/interceptors"
	"github.com/curfew-platform/curfew/pkg/interceptors/creds"
	"github.com/curfew-platform/curfew/pkg/interceptors/status"
	authzv1 "github.com/curfew-platform/curfew/proto/gen/curfew/authz/v1"
)

// What the edge refuses by itself, in the form of what the chain refuses.
var (
	errAddress = invalid("the address is not UTF-8")
	errBody    = invalid("the body cannot be read")
	errSlow    = &runtime.HTTPStatusError{HTTPStatus: http.StatusRequestTimeout, Err: invalid("the body did not come in time")}
	errLarge   = &runtime.HTTPStatusError{
		HTTPStatus: http.StatusRequestEntityTooLarge,
		Err:        status.New(codes.ResourceExhausted, creds.ChainDomain, authzv1.ErrorReason_ERROR_REASON_LIMIT_EXCEEDED, "the body is too large"),
	}
)

func invalid(message string) error {
	return status.New(codes.InvalidArgument, creds.ChainDomain, authzv1.ErrorReason_ERROR_REASON_REQUEST_INVALID, message)
}

// body is that of a request, and why it could not be read to its end. The text
// of such an error names addresses of this machine.
type body struct {
	io.ReadCloser
	err error
}

func (b *body) Read(p []byte) (int, error) {
	n, err := b.ReadCloser.Read(p)
	if err != nil && !errors.Is(err, io.EOF) {
		b.err = err
	}
	return n, err //nolint:wrapcheck // What it wraps is what is read.
}

// limitBody bounds the body of every request, in bytes and in time.
func limitBody(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		r.Body = &body{ReadCloser: http.MaxBytesReader(w, r.Body, maxHTTPBody)}
		// A client that never ends its body would hold the connection for ever.
		_ = http.NewResponseController(w).SetReadDeadline(time.Now().Add(readBodyLimit))
		next.ServeHTTP(w, r)
	})
}

// onlyText refuses addresses that would make strings which no message can hold:
// the call would fail here, as if it were a mistake of this service.
func onlyText(gateway *runtime.ServeMux) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		query, err := url.QueryUnescape(r.URL.RawQuery) // what is no escape is found by the gateway
		if err == nil && !utf8.ValidString(query) || !utf8.ValidString(r.URL.Path) {
			_, m := runtime.MarshalerForRequest(gateway, r)
			runtime.HTTPError(r.Context(), gateway, m, w, r, errAddress)
			return
		}
		gateway.ServeHTTP(w, r)
	})
}

// answerError writes an error with the request id, as every answer has it: of
// a unary call that is refused the id comes in the trailer, which HTTP clients
// are not given.
func answerError(ctx context.Context, mux *runtime.ServeMux, m runtime.Marshaler, w http.ResponseWriter, r *http.Request, err error) {
	if md, ok := runtime.ServerMetadataFromContext(ctx); ok {
		for _, id := range md.TrailerMD.Get(interceptors.RequestIDKey) {
			w.Header().Set(requestID, id) //nolint:canonicalheader // The form in which the gateway names it.
		}
	}
	runtime.DefaultHTTPErrorHandler(ctx, mux, m, challenger{w}, r, explain(r, err))
}

// answerRouting writes that nothing is at an address, or not for this method,
// which the gateway calls something that is not implemented.
func answerRouting(ctx context.Context, mux *runtime.ServeMux, m runtime.Marshaler, w http.ResponseWriter, r *http.Request, code int) {
	if code == http.StatusMethodNotAllowed {
		err := status.Plain(codes.Unimplemented, http.StatusText(code))
		runtime.HTTPError(ctx, mux, m, w, r, &runtime.HTTPStatusError{HTTPStatus: code, Err: err})
		return
	}
	runtime.DefaultRoutingErrorHandler(ctx, mux, m, w, r, code)
}

// explain gives an error of the gateway itself a reason that programs can read.
func explain(r *http.Request, err error) error {
	if b, ok := r.Body.(*body); ok && b.err != nil {
		if large := (*http.MaxBytesError)(nil); errors.As(b.err, &large) {
			return errLarge
		}
		if errors.Is(b.err, os.ErrDeadlineExceeded) {
			return errSlow
		}
		return errBody
	}
	if s := grpcstatus.Convert(err); s.Code() == codes.InvalidArgument && len(s.Details()) == 0 {
		return invalid(strings.TrimLeft(strings.TrimPrefix(s.Message(), "proto:"), " \u00a0")) // which of the spaces, the build decides
	}
	return err
}

// challenger names the scheme of the tokens in a refusal, where the gateway puts
// its text (RFC 9110, section 11.6.1).
type challenger struct{ http.ResponseWriter }

func (w challenger) WriteHeader(code int) {
	if code == http.StatusUnauthorized {
		w.Header().Set("WWW-Authenticate", "Bearer")
	}
	w.ResponseWriter.WriteHeader(code)
}
