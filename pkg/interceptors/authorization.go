package interceptors

import (
	"context"
	"errors"
	"time"

	"google.golang.org/grpc/codes"
	"google.golang.org/protobuf/proto"

	"github.com/curfew-platform/curfew/pkg/interceptors/authz"
	"github.com/curfew-platform/curfew/pkg/interceptors/status"
	authzv1 "github.com/curfew-platform/curfew/proto/gen/curfew/authz/v1"
)

// authorizationLink evaluates the rule of the method: what the caller may do
// at all before the request is looked at, then the request. On a stream the
// first message is always judged and each later one that names a resource.
func authorizationLink() link {
	return link{
		Link: Link{Name: "authorization", Does: "the method's rule, default deny; on streams for every message that names a resource"},
		before: func(ctx context.Context, c *call) (context.Context, error) {
			if c.infrastructure {
				return ctx, nil
			}
			if c.rule == nil {
				return nil, errDenied
			}
			return ctx, authorizationRefusal(c.rule, c.rule.Caller(c.identity, c.started))
		},
		message: func(_ context.Context, c *call, m proto.Message) error {
			if c.infrastructure || c.rule.Public {
				return nil
			}
			now := c.started
			if c.streamed {
				now = time.Now() // time has passed since the stream began
			}
			if c.judged {
				if !c.rule.Carries(m) {
					return nil
				}
				if err := c.rule.Caller(c.identity, now); err != nil {
					return authorizationRefusal(c.rule, err)
				}
			} else if c.rule.Audited {
				c.resource = c.rule.Resource(m)
			}
			c.judged = true
			return authorizationRefusal(c.rule, c.rule.Request(c.identity, m, now))
		},
	}
}

func authorizationRefusal(rule *authz.Rule, err error) error {
	switch {
	case err == nil:
		return nil
	case errors.Is(err, authz.ErrCrossOwnerStepUp):
		return stepUp(rule, rule.CrossOwnerMaxAuthAge)
	case errors.Is(err, authz.ErrStepUp):
		return stepUp(rule, rule.MaxAuthAge)
	case errors.Is(err, authz.ErrResource):
		return refuse(codes.InvalidArgument, authzv1.ErrorReason_ERROR_REASON_REQUEST_INVALID,
			"the request names no resource of a user", status.Field(rule.ResourceField, "must begin with users/{user}"))
	case errors.Is(err, authz.ErrRequestID):
		return errRequestID
	default:
		return errDenied
	}
}

// stepUp says what is asked for. It is PERMISSION_DENIED and not
// UNAUTHENTICATED, which makes clients log their users out.
func stepUp(rule *authz.Rule, maxAge time.Duration) error {
	metadata := map[string]string{}
	if maxAge > 0 {
		metadata["max_auth_age"] = maxAge.String()
	}
	if rule.RequiredACR != "" {
		metadata["acr"] = rule.RequiredACR
	}
	return status.NewWithMetadata(codes.PermissionDenied, domain,
		authzv1.ErrorReason_ERROR_REASON_STEP_UP_REQUIRED, "authenticate again to do this", metadata)
}
