package status

import (
	"time"

	"google.golang.org/genproto/googleapis/rpc/errdetails"
	"google.golang.org/protobuf/types/known/durationpb"
)

// Retry tells the client to wait for d before it repeats the call.
func Retry(d time.Duration) *errdetails.RetryInfo {
	return &errdetails.RetryInfo{RetryDelay: durationpb.New(d)}
}

// Field says what is wrong with one field of the request.
func Field(field, description string) *errdetails.BadRequest {
	return Fields(&errdetails.BadRequest_FieldViolation{Field: field, Description: description})
}

// Fields says what is wrong with several fields of the request.
func Fields(violations ...*errdetails.BadRequest_FieldViolation) *errdetails.BadRequest {
	return &errdetails.BadRequest{FieldViolations: violations}
}

// Precondition says which state of subject has to change first. typ is an
// UPPER_SNAKE_CASE word that clients may switch on.
func Precondition(typ, subject, description string) *errdetails.PreconditionFailure {
	return &errdetails.PreconditionFailure{Violations: []*errdetails.PreconditionFailure_Violation{{
		Type: typ, Subject: subject, Description: description,
	}}}
}
