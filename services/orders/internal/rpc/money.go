package rpc

import (
	"errors"

	"google.golang.org/genproto/googleapis/type/money"

	"github.com/curfew-platform/curfew/services/orders/internal/order"
)

func moneyMessage(currency string, minor int64) *money.Money {
	units, nanos := order.Split(currency, minor)
	return &money.Money{CurrencyCode: currency, Units: units, Nanos: nanos}
}

// minor reads an amount; a refusal names the field.
func minor(field string, m *money.Money) (int64, error) {
	amount, err := order.Minor(m.GetCurrencyCode(), m.GetUnits(), m.GetNanos())
	if bad, ok := errors.AsType[*order.InvalidAmount](err); ok {
		return 0, amountInvalid(field, bad.Why)
	}
	return amount, err
}
