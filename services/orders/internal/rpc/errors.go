package rpc

import (
	"errors"
	"fmt"
	"strconv"
	"time"

	"google.golang.org/grpc/codes"
	"google.golang.org/protobuf/proto"

	"github.com/curfew-platform/curfew/pkg/interceptors/status"
	"github.com/curfew-platform/curfew/pkg/server/idempotency"
	"github.com/curfew-platform/curfew/pkg/server/pagetoken"
	authzv1 "github.com/curfew-platform/curfew/proto/gen/curfew/authz/v1"
	ordersv1 "github.com/curfew-platform/curfew/proto/gen/curfew/orders/v1"
	"github.com/curfew-platform/curfew/services/orders/internal/order"
)

// Domains of the reasons.
const (
	domain      = "orders.curfew.dev"
	authzDomain = "authz.curfew.dev"
)

// retryAfter is what clients are asked to wait when the database is away.
const retryAfter = time.Second

func refuse(code codes.Code, reason ordersv1.ErrorReason, message string, metadata map[string]string, details ...proto.Message) error {
	return status.NewWithMetadata(code, domain, reason, message, metadata, details...)
}

// precondition is FAILED_PRECONDITION with the detail that names the subject.
func precondition(reason ordersv1.ErrorReason, subject string, err error, metadata map[string]string) error {
	return refuse(codes.FailedPrecondition, reason, err.Error(), metadata,
		status.Precondition(status.Name(reason), subject, err.Error()))
}

// invalid refuses a field of the request.
func invalid(field, why string) error {
	return status.New(codes.InvalidArgument, authzDomain, authzv1.ErrorReason_ERROR_REASON_REQUEST_INVALID,
		"the request is not valid", status.Field(field, why))
}

func amountInvalid(field, why string) error {
	return refuse(codes.InvalidArgument, ordersv1.ErrorReason_ERROR_REASON_AMOUNT_INVALID, why,
		map[string]string{"field": field}, status.Field(field, why))
}

// fail makes the status of an error of the domain. What is not known here stays
// as it is, and the chain makes a generic Internal of it.
func fail(err error) error {
	for _, translate := range []func(error) error{failPlain, failOrder, failLines} {
		if shown := translate(err); shown != nil {
			return shown
		}
	}
	return err
}

func failPlain(err error) error {
	switch {
	case errors.Is(err, order.ErrOrderNotFound):
		return refuse(codes.NotFound, ordersv1.ErrorReason_ERROR_REASON_ORDER_NOT_FOUND, "no such order", nil)
	case errors.Is(err, order.ErrProductNotFound):
		return refuse(codes.NotFound, ordersv1.ErrorReason_ERROR_REASON_PRODUCT_NOT_FOUND, "no such product", nil)
	case errors.Is(err, order.ErrOrderExists):
		return refuse(codes.AlreadyExists, ordersv1.ErrorReason_ERROR_REASON_ORDER_EXISTS, "the order id is taken", nil)
	case errors.Is(err, order.ErrContention):
		return status.WithCause(refuse(codes.Aborted, ordersv1.ErrorReason_ERROR_REASON_CONTENTION,
			"too many concurrent changes; try again with the same request_id", nil, status.Retry(retryAfter)), err)
	case errors.Is(err, order.ErrUnavailable):
		return status.WithCause(refuse(codes.Unavailable, ordersv1.ErrorReason_ERROR_REASON_STORE_UNAVAILABLE,
			"the database cannot be asked; try again with the same request_id", nil, status.Retry(retryAfter)), err)
	case errors.Is(err, order.ErrTooLong):
		return status.WithCause(refuse(codes.DeadlineExceeded, ordersv1.ErrorReason_ERROR_REASON_QUERY_TOO_LONG,
			"the database took too long; ask for less at a time", nil), err)
	case errors.Is(err, idempotency.ErrGone):
		return refuse(codes.Aborted, ordersv1.ErrorReason_ERROR_REASON_REQUEST_GONE, idempotency.ErrGone.Error(), nil)
	case errors.Is(err, idempotency.ErrReused):
		return status.New(codes.InvalidArgument, authzDomain, authzv1.ErrorReason_ERROR_REASON_REQUEST_ID_REUSED,
			"the request_id was used with another request", status.Field("request_id", "was used with another request"))
	case errors.Is(err, pagetoken.ErrInvalid):
		return status.New(codes.InvalidArgument, authzDomain, authzv1.ErrorReason_ERROR_REASON_PAGE_TOKEN_INVALID,
			"the page token is invalid or of another list", status.Field("page_token", "is invalid or of another list"))
	}
	return nil
}

// failOrder translates refusals that are about an order as a whole.
func failOrder(err error) error {
	if e, ok := errors.AsType[*order.IllegalTransition](err); ok {
		return precondition(ordersv1.ErrorReason_ERROR_REASON_INVALID_STATE_TRANSITION, "order", e,
			map[string]string{"state": e.State.String(), "action": string(e.Action)})
	}
	if e, ok := errors.AsType[*order.EtagMismatch](err); ok {
		return refuse(codes.Aborted, ordersv1.ErrorReason_ERROR_REASON_ETAG_MISMATCH, e.Error(), map[string]string{"current_etag": e.Current})
	}
	if e, ok := errors.AsType[*order.DeadlinePassed](err); ok {
		return precondition(ordersv1.ErrorReason_ERROR_REASON_PAYMENT_DEADLINE_PASSED, "order", e,
			map[string]string{"payment_expire_time": e.Deadline.Format(time.RFC3339Nano)})
	}
	if e, ok := errors.AsType[*order.PaymentDeclined](err); ok {
		return precondition(ordersv1.ErrorReason_ERROR_REASON_PAYMENT_DECLINED, "payment", e, map[string]string{"payment_id": e.Payment.String()})
	}
	if e, ok := errors.AsType[*order.InsufficientPoints](err); ok {
		return precondition(ordersv1.ErrorReason_ERROR_REASON_INSUFFICIENT_POINTS, "points", e,
			map[string]string{"required_points": number(e.Required), "available_points": number(e.Available)})
	}
	if e, ok := errors.AsType[*order.PointsExceedAmount](err); ok {
		return precondition(ordersv1.ErrorReason_ERROR_REASON_POINTS_EXCEED_AMOUNT, "points", e,
			map[string]string{"redeemed_points": number(e.Points), "items_amount": number(e.ItemsMinor)})
	}
	return nil
}

// failLines translates refusals that are about one line or one SKU.
func failLines(err error) error {
	if e, ok := errors.AsType[*order.InvalidLines](err); ok {
		return invalid("order.line_items", e.Why)
	}
	if e, ok := errors.AsType[*order.InvalidAmount](err); ok {
		return amountInvalid("order.line_items", e.Why)
	}
	if e, ok := errors.AsType[*order.RepeatedSKU](err); ok {
		return refuse(codes.InvalidArgument, ordersv1.ErrorReason_ERROR_REASON_SKU_REPEATED, e.Error(),
			map[string]string{"sku": e.SKU}, status.Field("order.line_items", e.Error()))
	}
	if e, ok := errors.AsType[*order.NotSellable](err); ok {
		return precondition(ordersv1.ErrorReason_ERROR_REASON_SKU_NOT_SELLABLE, productName(e.SKU), e, map[string]string{"sku": e.SKU})
	}
	if e, ok := errors.AsType[*order.MixedCurrency](err); ok {
		return precondition(ordersv1.ErrorReason_ERROR_REASON_CURRENCY_MIXED, productName(e.SKU), e, map[string]string{"sku": e.SKU})
	}
	if e, ok := errors.AsType[*order.PriceChanged](err); ok {
		return precondition(ordersv1.ErrorReason_ERROR_REASON_PRICE_CHANGED, productName(e.SKU), e, map[string]string{
			"sku": e.SKU, "expected_price": price(e.ExpectedCurrency, e.ExpectedMinor), "current_price": price(e.CurrentCurrency, e.CurrentMinor),
		})
	}
	if e, ok := errors.AsType[*order.OutOfStock](err); ok {
		return precondition(ordersv1.ErrorReason_ERROR_REASON_OUT_OF_STOCK, productName(e.SKU), e,
			map[string]string{"sku": e.SKU, "requested_quantity": number(e.Requested), "available_quantity": number(e.Available)})
	}
	if e, ok := errors.AsType[*order.StockBelowReserved](err); ok {
		return precondition(ordersv1.ErrorReason_ERROR_REASON_STOCK_BELOW_RESERVED, productName(e.SKU), e,
			map[string]string{"sku": e.SKU, "reserved_quantity": number(e.Reserved)})
	}
	return nil
}

func number(n int64) string { return strconv.FormatInt(n, 10) }

// price is an amount for metadata, such as "EUR 12.500000000".
func price(currency string, minor int64) string {
	units, nanos := order.Split(currency, minor)
	return fmt.Sprintf("%s %d.%09d", currency, units, nanos)
}
