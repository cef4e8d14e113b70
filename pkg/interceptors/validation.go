package interceptors

import (
	"context"
	"errors"
	"fmt"

	"buf.build/go/protovalidate"
	"google.golang.org/genproto/googleapis/rpc/errdetails"
	"google.golang.org/grpc/codes"
	"google.golang.org/protobuf/proto"

	"github.com/curfew-platform/curfew/pkg/interceptors/status"
	authzv1 "github.com/curfew-platform/curfew/proto/gen/curfew/authz/v1"
)

// maxViolations bounds the answer to a request that is wrong everywhere.
const maxViolations = 20

func validationLink(validator protovalidate.Validator) link {
	return link{
		Link: Link{Name: "validation", Does: "the constraints of the request message (protovalidate)"},
		message: func(_ context.Context, c *call, m proto.Message) error {
			if c.infrastructure {
				return nil
			}
			return invalid(validator.Validate(m))
		},
	}
}

func invalid(err error) error {
	if err == nil {
		return nil
	}
	var failed *protovalidate.ValidationError
	if !errors.As(err, &failed) {
		return fmt.Errorf("validate request: %w", err)
	}
	var fields []*errdetails.BadRequest_FieldViolation
	for _, v := range failed.Violations[:min(len(failed.Violations), maxViolations)] {
		fields = append(fields, &errdetails.BadRequest_FieldViolation{
			Field:       protovalidate.FieldPathString(v.Proto.GetField()),
			Description: v.Proto.GetMessage(),
		})
	}
	return refuse(codes.InvalidArgument, authzv1.ErrorReason_ERROR_REASON_REQUEST_INVALID,
		"the request is invalid", status.Fields(fields...))
}
