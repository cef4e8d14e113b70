package postgres

import (
	"bytes"
	"cmp"
	"slices"

	"github.com/google/uuid"

	"github.com/curfew-platform/curfew/services/orders/internal/order"
)

// Sorting a page here is cheaper than in SQL, where it would be a sort over the
// lines of all its orders.

func placeLines(rows []*lineRow, byID map[uuid.UUID]*order.Order) {
	slices.SortFunc(rows, func(a, b *lineRow) int { return cmp.Compare(a.LineNo, b.LineNo) })
	filled := map[uuid.UUID]bool{}
	for _, r := range rows {
		o := byID[r.OrderID]
		if o == nil {
			continue
		}
		if !filled[r.OrderID] {
			filled[r.OrderID] = true
			o.Lines = make([]order.Line, 0, o.LineCount)
		}
		o.Lines = append(o.Lines, order.Line{SKU: r.SKU, Title: r.Title, Quantity: r.Qty, UnitMinor: r.UnitMinor})
	}
}

func placePayments(rows []*paymentRow, byID map[uuid.UUID]*order.Order) {
	slices.SortFunc(rows, func(a, b *paymentRow) int {
		return cmp.Or(a.CreateTime.Compare(b.CreateTime), bytes.Compare(a.PaymentID[:], b.PaymentID[:]))
	})
	for _, r := range rows {
		if o := byID[r.OrderID]; o != nil {
			o.Payments = append(o.Payments, order.Payment{
				ID: r.PaymentID, State: r.State, AmountMinor: r.AmountMinor,
				CapturedMinor: r.CapturedMinor, RefundedMinor: r.RefundedMinor, CreateTime: r.CreateTime.UTC(),
			})
		}
	}
}

func placeRefunds(rows []*refundRow, byID map[uuid.UUID]*order.Order) {
	slices.SortFunc(rows, func(a, b *refundRow) int {
		return cmp.Or(a.CreateTime.Compare(b.CreateTime), bytes.Compare(a.RefundID[:], b.RefundID[:]))
	})
	for _, r := range rows {
		if o := byID[r.OrderID]; o != nil {
			o.Refunds = append(o.Refunds, order.Refund{
				ID: r.RefundID, Payment: r.PaymentID, State: r.State, AmountMinor: r.AmountMinor, CreateTime: r.CreateTime.UTC(),
			})
		}
	}
}
