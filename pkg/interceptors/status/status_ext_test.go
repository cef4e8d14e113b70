package status_test

import (
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"google.golang.org/genproto/googleapis/rpc/errdetails"
	"google.golang.org/grpc/codes"
	grpcstatus "google.golang.org/grpc/status"

	"github.com/curfew-platform/curfew/pkg/interceptors/status"
	authzv1 "github.com/curfew-platform/curfew/proto/gen/curfew/authz/v1"
)

const revoked = authzv1.ErrorReason_ERROR_REASON_TOKEN_REVOKED

func TestAReasonTravelsWithoutItsPrefix(t *testing.T) {
	err := status.New(codes.Unauthenticated, "authz.curfew.dev", revoked, "revoked", status.Retry(time.Second))
	wire := grpcstatus.FromProto(grpcstatus.Convert(err).Proto()).Err()
	for name, e := range map[string]error{"ours": err, "wrapped": fmt.Errorf("x: %w", err), "as a client sees it": wire} {
		if status.Reason(e) != "TOKEN_REVOKED" || status.Code(e) != codes.Unauthenticated || status.Info(e).GetDomain() != "authz.curfew.dev" {
			t.Errorf("%s: %v", name, e)
		}
		if d := status.Detail[*errdetails.RetryInfo](e).GetRetryDelay().AsDuration(); d != time.Second {
			t.Errorf("%s: retry after %s", name, d)
		}
	}
	if status.Name(authzv1.ErrorReason(999)) != "UNSPECIFIED" {
		t.Error("an unknown number has a name")
	}
}

func TestErrorsWithoutAReasonHaveNone(t *testing.T) {
	for _, err := range []error{nil, errors.New("x"), status.Plain(codes.Internal, "x"), grpcstatus.Error(codes.NotFound, "x")} {
		if r := status.Reason(err); r != "" {
			t.Errorf("%v has reason %q", err, r)
		}
	}
	if status.Code(nil) != codes.OK || status.Code(errors.New("x")) != codes.Unknown {
		t.Error("codes")
	}
}

func TestACauseIsKeptForTheLogAndNeverShown(t *testing.T) {
	cause := errors.New("relation users does not exist")
	err := status.WithCause(status.New(codes.Internal, "d", revoked, "internal error"), cause)
	if !errors.Is(err, cause) {
		t.Error("the cause is lost")
	}
	if strings.Contains(err.Error(), "relation") || strings.Contains(grpcstatus.Convert(err).Message(), "relation") {
		t.Errorf("shown: %v", err)
	}
	foreign := errors.New("x")
	if got := status.WithCause(foreign, cause); got != foreign { //nolint:errorlint // the very same
		t.Errorf("got %v", got)
	}
}

func TestErrorsAreComparedByCodeReasonAndText(t *testing.T) {
	a := status.New(codes.Unauthenticated, "d", revoked, "x")
	if !errors.Is(fmt.Errorf("w: %w", a), status.New(codes.Unauthenticated, "d", revoked, "x")) {
		t.Error("equal errors differ")
	}
	for _, other := range []error{
		status.New(codes.Internal, "d", revoked, "x"), status.New(codes.Unauthenticated, "d", revoked, "y"),
		status.New(codes.Unauthenticated, "d", authzv1.ErrorReason_ERROR_REASON_TOKEN_EXPIRED, "x"), errors.New("x"),
	} {
		if errors.Is(a, other) {
			t.Errorf("%v is %v", a, other)
		}
	}
}

func TestMetadataAndFieldsTravel(t *testing.T) {
	err := status.NewWithMetadata(codes.PermissionDenied, "d", authzv1.ErrorReason_ERROR_REASON_STEP_UP_REQUIRED, "again",
		map[string]string{"acr": "aal2"}, status.Field("name", "wrong"), status.Precondition("ORDER_PAID", "orders/1", "already paid"))
	if status.Info(err).GetMetadata()["acr"] != "aal2" {
		t.Error("metadata is lost")
	}
	if v := status.Detail[*errdetails.BadRequest](err).GetFieldViolations(); len(v) != 1 || v[0].GetField() != "name" {
		t.Errorf("got %v", v)
	}
	if v := status.Detail[*errdetails.PreconditionFailure](err).GetViolations(); len(v) != 1 || v[0].GetType() != "ORDER_PAID" {
		t.Errorf("got %v", v)
	}
}
