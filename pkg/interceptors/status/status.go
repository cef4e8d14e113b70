// Package status makes the errors that may leave a server: a gRPC status with
// an ErrorInfo whose reason is an enum value of a .proto file (AIP-193).
//
// The chain lets only errors of this package reach the client. Every other
// error, also the status of a call that the server made itself, becomes
// INTERNAL with a fixed text, because nobody decided that its text may be
// shown.
package status

import (
	"errors"
	"strings"

	"google.golang.org/genproto/googleapis/rpc/errdetails"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/protoadapt"
	"google.golang.org/protobuf/reflect/protoreflect"
)

// Error is an error that may be shown to a client. Make one with [New]. It is
// immutable.
type Error struct {
	st    *status.Status
	cause error
}

// New returns an error of code with an ErrorInfo of domain and reason, followed
// by details. The reason is sent as the name of its enum value, without the
// prefix up to "ERROR_REASON_". Clients see msg: it must not contain anything
// internal.
//
// New never fails: details that cannot be marshalled are left out.
func New(code codes.Code, domain string, reason protoreflect.Enum, msg string, details ...proto.Message) error {
	info := &errdetails.ErrorInfo{Domain: domain, Reason: Name(reason)}
	return build(code, msg, info, details)
}

// NewWithMetadata is [New] with metadata in the ErrorInfo, for reasons that
// have parameters.
func NewWithMetadata(code codes.Code, domain string, reason protoreflect.Enum, msg string, metadata map[string]string, details ...proto.Message) error {
	info := &errdetails.ErrorInfo{Domain: domain, Reason: Name(reason), Metadata: metadata}
	return build(code, msg, info, details)
}

// Plain returns an error without a reason, for the few codes that need none:
// Canceled, DeadlineExceeded, Unimplemented and Internal.
func Plain(code codes.Code, msg string) error {
	return &Error{st: status.New(code, msg)}
}

// Shown returns an error that shows st as it is, also a reason that is no enum
// value. Only for a status that was made to be shown.
func Shown(st *status.Status) error { return &Error{st: st} }

// WithCause returns err with a cause, which the chain logs and clients never
// see. If err is not an *Error of this package, it is returned unchanged.
func WithCause(err, cause error) error {
	e, ok := err.(*Error) //nolint:errorlint // only an unwrapped error of this package may be extended
	if !ok {
		return err
	}
	return &Error{st: e.st, cause: cause}
}

func build(code codes.Code, msg string, info *errdetails.ErrorInfo, details []proto.Message) error {
	st := status.New(code, msg)
	adapted := make([]protoadapt.MessageV1, 0, len(details)+1)
	adapted = append(adapted, info)
	for _, d := range details {
		adapted = append(adapted, protoadapt.MessageV1Of(d))
	}
	with, err := st.WithDetails(adapted...)
	if err != nil {
		return &Error{st: st}
	}
	return &Error{st: with}
}

// Error returns code and message, without the cause.
func (e *Error) Error() string { return e.st.Err().Error() }

// GRPCStatus is what travels.
func (e *Error) GRPCStatus() *status.Status { return e.st }

// Unwrap returns the cause, nil if there is none.
func (e *Error) Unwrap() error { return e.cause }

// Is reports whether target is an *Error with the same code, reason and
// message.
func (e *Error) Is(target error) bool {
	t, ok := target.(*Error)
	return ok && t.st.Code() == e.st.Code() && t.st.Message() == e.st.Message() && Reason(t) == Reason(e)
}

// Name returns the text that stands for reason in an ErrorInfo: the name of the
// enum value after "ERROR_REASON_", or "UNSPECIFIED" for a number that the enum
// does not have.
func Name(reason protoreflect.Enum) string {
	value := reason.Descriptor().Values().ByNumber(reason.Number())
	if value == nil {
		return "UNSPECIFIED"
	}
	name := string(value.Name())
	if _, after, ok := strings.Cut(name, "ERROR_REASON_"); ok {
		return after
	}
	return name
}

// Reason returns the reason in the ErrorInfo of err, or "" if there is none.
// err may also come from a gRPC client call.
func Reason(err error) string {
	if info := Info(err); info != nil {
		return info.GetReason()
	}
	return ""
}

// Info returns the first ErrorInfo of err, or nil. err may also come from a
// client call.
func Info(err error) *errdetails.ErrorInfo {
	return Detail[*errdetails.ErrorInfo](err)
}

// Detail returns the first detail of err that has type T, or the zero T.
func Detail[T proto.Message](err error) T {
	var zero T
	if err == nil {
		return zero
	}
	var with interface{ GRPCStatus() *status.Status }
	if !errors.As(err, &with) {
		return zero
	}
	st := with.GRPCStatus()
	if st == nil {
		return zero
	}
	for _, d := range st.Details() {
		if detail, ok := d.(T); ok {
			return detail
		}
	}
	return zero
}

// Code returns the code of err: OK for nil, Unknown for an error that has no
// status.
func Code(err error) codes.Code { return status.Code(err) }
