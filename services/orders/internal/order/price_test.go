package order_test

import (
	"errors"
	"math"
	"testing"

	"github.com/curfew-platform/curfew/services/orders/internal/order"
)

func offers() []order.Offer {
	return []order.Offer{
		{SKU: "a", Title: "A", Currency: "EUR", UnitMinor: 1000, Sellable: true},
		{SKU: "b", Title: "B", Currency: "EUR", UnitMinor: 250, Sellable: true},
		{SKU: "dollars", Title: "D", Currency: "USD", UnitMinor: 1, Sellable: true},
		{SKU: "gone", Title: "G", Currency: "EUR", UnitMinor: 1},
		{SKU: "dear", Title: "M", Currency: "EUR", UnitMinor: math.MaxInt64 / 2, Sellable: true},
	}
}

func TestLinesArePricedByTheCatalog(t *testing.T) {
	t.Parallel()
	q, err := order.Price([]order.Wish{{SKU: "b", Quantity: 3}, {SKU: "a", Quantity: 2, ExpectedMinor: 1000, ExpectedCurrency: "EUR"}}, offers(), 750)
	if err != nil {
		t.Fatal(err)
	}
	if q.ItemsMinor != 2750 || q.PayableMinor() != 2000 || q.Units != 5 || q.Currency != "EUR" || q.Lines[0].Title != "B" {
		t.Errorf("got %+v", q)
	}
}

func TestLinesThatCannotBeSoldAreRefused(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		wishes []order.Wish
		points int64
		is     func(error) bool
	}{
		"an unknown product":            {[]order.Wish{{SKU: "x", Quantity: 1}}, 0, is[*order.NotSellable]},
		"one that is not sold":          {[]order.Wish{{SKU: "gone", Quantity: 1}}, 0, is[*order.NotSellable]},
		"two currencies":                {[]order.Wish{{SKU: "a", Quantity: 1}, {SKU: "dollars", Quantity: 1}}, 0, is[*order.MixedCurrency]},
		"another price":                 {[]order.Wish{{SKU: "a", Quantity: 1, ExpectedMinor: 999, ExpectedCurrency: "EUR"}}, 0, is[*order.PriceChanged]},
		"the price in another currency": {[]order.Wish{{SKU: "a", Quantity: 1, ExpectedMinor: 1000, ExpectedCurrency: "USD"}}, 0, is[*order.PriceChanged]},
		"points above the amount":       {[]order.Wish{{SKU: "a", Quantity: 1}}, 1001, is[*order.PointsExceedAmount]},
		"a sum that overflows":          {[]order.Wish{{SKU: "dear", Quantity: 9999}}, 0, is[*order.InvalidAmount]},
	} {
		if _, err := order.Price(c.wishes, offers(), c.points); !c.is(err) {
			t.Errorf("%s: got %v", name, err)
		}
	}
}

func TestWishesThatNoCatalogCouldFulfilAreRefused(t *testing.T) {
	t.Parallel()
	many := make([]order.Wish, order.MaxLines+1)
	for name, c := range map[string]struct {
		wishes []order.Wish
		is     func(error) bool
	}{
		"no line":             {nil, is[*order.InvalidLines]},
		"too many lines":      {many, is[*order.InvalidLines]},
		"no unit":             {[]order.Wish{{SKU: "a"}}, is[*order.InvalidLines]},
		"a negative quantity": {[]order.Wish{{SKU: "a", Quantity: -1}}, is[*order.InvalidLines]},
		"too many units":      {[]order.Wish{{SKU: "a", Quantity: order.MaxQuantity + 1}}, is[*order.InvalidLines]},
		"a SKU twice":         {[]order.Wish{{SKU: "a", Quantity: 1}, {SKU: "a", Quantity: 1}}, is[*order.RepeatedSKU]},
	} {
		if err := order.CheckWishes(c.wishes); !c.is(err) {
			t.Errorf("%s: got %v", name, err)
		}
	}
}

func is[E error](err error) bool {
	_, ok := errors.AsType[E](err)
	return ok
}
