package rpc

import (
	"google.golang.org/protobuf/types/known/timestamppb"

	ordersv1 "github.com/curfew-platform/curfew/proto/gen/curfew/orders/v1"
	"github.com/curfew-platform/curfew/services/orders/internal/order"
)

//nolint:gochecknoglobals // Constant tables.
var (
	paymentStates = map[order.PaymentState]ordersv1.PaymentSummary_State{
		order.PaymentAuthorizing: ordersv1.PaymentSummary_STATE_AUTHORIZING,
		order.PaymentAuthorized:  ordersv1.PaymentSummary_STATE_AUTHORIZED,
		order.PaymentCapturing:   ordersv1.PaymentSummary_STATE_CAPTURING,
		order.PaymentCaptured:    ordersv1.PaymentSummary_STATE_CAPTURED,
		order.PaymentVoiding:     ordersv1.PaymentSummary_STATE_VOIDING,
		order.PaymentVoided:      ordersv1.PaymentSummary_STATE_VOIDED,
		order.PaymentFailed:      ordersv1.PaymentSummary_STATE_FAILED,
	}
	refundStates = map[order.RefundState]ordersv1.RefundSummary_State{
		order.RefundProcessing: ordersv1.RefundSummary_STATE_PROCESSING,
		order.RefundSucceeded:  ordersv1.RefundSummary_STATE_SUCCEEDED,
		order.RefundFailed:     ordersv1.RefundSummary_STATE_FAILED,
	}
)

// orderMessage is an order as the principal sees it.
func orderMessage(o *order.Order, principal string) *ordersv1.Order {
	m := &ordersv1.Order{
		Name:            orderName(o.User, o.ID),
		State:           ordersv1.Order_State(o.State),
		LineItemCount:   int32(o.LineCount), //nolint:gosec // At most order.MaxLines.
		ShippingAddress: addressMessage(o.Address),
		RedeemedPoints:  o.Points,
		CustomerNote:    o.Note,
		Totals: &ordersv1.Totals{
			ItemsAmount:   moneyMessage(o.Currency, o.ItemsMinor),
			PointsAmount:  moneyMessage(o.Currency, o.PointsMinor),
			PayableAmount: moneyMessage(o.Currency, o.PayableMinor),
		},
		AvailableActions:  order.Available(o.State, actorOn(principal, o.User).Kind),
		CreateTime:        timestamppb.New(o.CreateTime),
		UpdateTime:        timestamppb.New(o.UpdateTime),
		PaymentExpireTime: timestamppb.New(o.PaymentExpireTime),
		Version:           o.Version,
		Etag:              o.Etag(),
	}
	for _, l := range o.Lines {
		m.LineItems = append(m.LineItems, &ordersv1.LineItem{
			Sku: l.SKU, Quantity: int32(l.Quantity), Title: l.Title, UnitPrice: moneyMessage(o.Currency, l.UnitMinor), //nolint:gosec // At most order.MaxQuantity.
		})
	}
	for _, p := range o.Payments {
		m.Payments = append(m.Payments, &ordersv1.PaymentSummary{
			PaymentId:      p.ID.String(),
			State:          paymentStates[p.State],
			Amount:         moneyMessage(o.Currency, p.AmountMinor),
			CapturedAmount: moneyMessage(o.Currency, p.CapturedMinor),
			RefundedAmount: moneyMessage(o.Currency, p.RefundedMinor),
			CreateTime:     timestamppb.New(p.CreateTime),
		})
	}
	for _, r := range o.Refunds {
		m.Refunds = append(m.Refunds, &ordersv1.RefundSummary{
			RefundId:   r.ID.String(),
			PaymentId:  r.Payment.String(),
			State:      refundStates[r.State],
			Amount:     moneyMessage(o.Currency, r.AmountMinor),
			CreateTime: timestamppb.New(r.CreateTime),
		})
	}
	return m
}

func addressMessage(a order.Address) *ordersv1.Address {
	return &ordersv1.Address{Recipient: a.Recipient, AddressLines: a.Lines, Locality: a.Locality, PostalCode: a.PostalCode, RegionCode: a.Region}
}

func address(m *ordersv1.Address) order.Address {
	return order.Address{Recipient: m.GetRecipient(), Lines: m.GetAddressLines(), Locality: m.GetLocality(), PostalCode: m.GetPostalCode(), Region: m.GetRegionCode()}
}

// wishes reads the lines of a request.
func wishes(lines []*ordersv1.LineItem) ([]order.Wish, error) {
	out := make([]order.Wish, 0, len(lines))
	for _, l := range lines {
		w := order.Wish{SKU: l.GetSku(), Quantity: int(l.GetQuantity())}
		if expected := l.GetExpectedUnitPrice(); expected != nil {
			amount, err := minor("order.line_items.expected_unit_price", expected)
			if err != nil {
				return nil, err
			}
			w.ExpectedMinor, w.ExpectedCurrency = amount, expected.GetCurrencyCode()
		}
		out = append(out, w)
	}
	if err := order.CheckWishes(out); err != nil {
		return nil, fail(err)
	}
	return out, nil
}
