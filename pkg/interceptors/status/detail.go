package status

import (
	"time"

	"google.golang.org/genproto/googleapis/rpc/errdetails"
	"google.golang.org/protobuf/types/known/durationpb"
)

// Retry tells the client to wait for d before it tries again.
func Retry(d time.Duration) *errdetails.RetryInfo {
	return &errdetails.RetryInfo{RetryDelay: durationpb.New(d)}
}

// Field names one field of the request that is wrong, and why.
func Field(field, description string) *errdetails.BadRequest {
	return Fields(&errdetails.BadRequest_FieldViolation{Field: field, Description: description})
}

// Fields names several fields of the request that are wrong.
func Fields(violations ...*errdetails.BadRequest_FieldViolation) *errdetails.BadRequest {
	return &errdetails.BadRequest{FieldViolations: violations}
}

// Precondition says what state of subject has to change first. The type is an
// upper snake word that a client may switch on.
func Precondition(typ, subject, description string) *errdetails.PreconditionFailure {
	return &errdetails.PreconditionFailure{Violations: []*errdetails.PreconditionFailure_Violation{{
		Type: typ, Subject: subject, Description: description,
	}}}
}
