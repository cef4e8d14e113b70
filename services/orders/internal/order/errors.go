package order

import (
	"errors"
	"fmt"
	"time"

	"github.com/google/uuid"
)

// Refusals without data.
var (
	ErrOrderNotFound   = errors.New("order not found")
	ErrOrderExists     = errors.New("order id is taken")
	ErrProductNotFound = errors.New("product not found")
	// ErrContention: the transaction lost against others three times.
	ErrContention = errors.New("too many concurrent changes")
	// ErrUnavailable: the database cannot be asked now, or went away while it
	// was; whether a command took effect is then not known.
	ErrUnavailable = errors.New("database unavailable")
	// ErrTooLong: a statement was cut off by its time limit and had no effect.
	// The same again would take as long.
	ErrTooLong = errors.New("statement took too long")
)

// InvalidAmount refuses an amount of money.
type InvalidAmount struct{ Why string }

func (e *InvalidAmount) Error() string { return "invalid amount: " + e.Why }

// InvalidLines refuses the lines of an order.
type InvalidLines struct{ Why string }

func (e *InvalidLines) Error() string { return "invalid lines: " + e.Why }

// RepeatedSKU refuses two lines of one SKU.
type RepeatedSKU struct{ SKU string }

func (e *RepeatedSKU) Error() string { return fmt.Sprintf("sku %q has two lines", e.SKU) }

// NotSellable refuses a SKU that is unknown or not sold at the moment.
type NotSellable struct{ SKU string }

func (e *NotSellable) Error() string { return fmt.Sprintf("sku %q is not sold", e.SKU) }

// PriceChanged refuses a line whose price is not the expected one.
type PriceChanged struct {
	SKU                               string
	ExpectedMinor, CurrentMinor       int64
	ExpectedCurrency, CurrentCurrency string
}

func (e *PriceChanged) Error() string { return fmt.Sprintf("the price of sku %q changed", e.SKU) }

// MixedCurrency refuses a line priced in another currency than the first one.
type MixedCurrency struct{ SKU string }

func (e *MixedCurrency) Error() string {
	return fmt.Sprintf("sku %q is priced in another currency", e.SKU)
}

// PointsExceedAmount refuses points that are worth more than the items.
type PointsExceedAmount struct{ Points, ItemsMinor int64 }

func (e *PointsExceedAmount) Error() string { return "points exceed the amount of the items" }

// OutOfStock refuses a line for which there is not enough stock.
type OutOfStock struct {
	SKU                  string
	Requested, Available int64
}

func (e *OutOfStock) Error() string { return fmt.Sprintf("sku %q is out of stock", e.SKU) }

// InsufficientPoints refuses points that the user does not have.
type InsufficientPoints struct{ Required, Available int64 }

func (e *InsufficientPoints) Error() string { return "insufficient points" }

// IllegalTransition refuses an action in a state that has no row for it.
type IllegalTransition struct {
	State  State
	Action Action
}

func (e *IllegalTransition) Error() string {
	return fmt.Sprintf("%s is not possible in %s", e.Action, e.State)
}

// EtagMismatch refuses a change of a resource that changed since it was read.
type EtagMismatch struct{ Current string }

func (e *EtagMismatch) Error() string { return "the resource changed since it was read" }

// DeadlinePassed refuses a payment after the time to pay.
type DeadlinePassed struct{ Deadline time.Time }

func (e *DeadlinePassed) Error() string { return "the time to pay is over" }

// PaymentDeclined is the answer to a PayOrder that the provider declined.
type PaymentDeclined struct{ Payment uuid.UUID }

func (e *PaymentDeclined) Error() string { return "the payment was declined" }

// StockBelowReserved refuses less stock than orders have reserved.
type StockBelowReserved struct {
	SKU      string
	Reserved int64
}

func (e *StockBelowReserved) Error() string {
	return fmt.Sprintf("orders have reserved %d of sku %q", e.Reserved, e.SKU)
}
