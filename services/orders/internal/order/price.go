package order

import (
	"slices"
	"strings"
)

// Wish is a line that the caller asks for.
type Wish struct {
	SKU      string
	Quantity int
	// ExpectedMinor and ExpectedCurrency refuse another price; an empty currency expects none.
	ExpectedMinor    int64
	ExpectedCurrency string
}

// Offer is what the catalog says of one SKU.
type Offer struct {
	SKU       string
	Title     string
	Currency  string
	UnitMinor int64
	Sellable  bool
}

// Quote is priced lines and their sums.
type Quote struct {
	Currency    string
	Lines       []Line
	ItemsMinor  int64
	Points      int64
	PointsMinor int64
	Units       int
}

// PayableMinor is what is left to be paid.
func (q *Quote) PayableMinor() int64 { return q.ItemsMinor - q.PointsMinor }

// CheckWishes refuses wishes that no catalog could fulfil.
func CheckWishes(wishes []Wish) error {
	if len(wishes) == 0 || len(wishes) > MaxLines {
		return &InvalidLines{Why: "an order has 1 to 100 lines"}
	}
	seen := make(map[string]bool, len(wishes))
	for _, w := range wishes {
		if w.Quantity < 1 || w.Quantity > MaxQuantity {
			return &InvalidLines{Why: "the quantity of a line is 1 to 9999"}
		}
		if seen[w.SKU] {
			return &RepeatedSKU{SKU: w.SKU}
		}
		seen[w.SKU] = true
	}
	return nil
}

// SKUs returns the stock keeping units in the order in which rows of stock are
// locked.
func SKUs(wishes []Wish) []string {
	skus := make([]string, len(wishes))
	for i, w := range wishes {
		skus[i] = w.SKU
	}
	slices.Sort(skus)
	return skus
}

// Price puts the offers' prices on the wishes. Points are worth one minor unit
// each, whatever the currency, and not more than the items.
func Price(wishes []Wish, offers []Offer, points int64) (*Quote, error) {
	bySKU := make(map[string]Offer, len(offers))
	for _, o := range offers {
		bySKU[o.SKU] = o
	}
	q := &Quote{Lines: make([]Line, 0, len(wishes)), Points: points, PointsMinor: points}
	for _, w := range wishes {
		o, ok := bySKU[w.SKU]
		if !ok || !o.Sellable {
			return nil, &NotSellable{SKU: w.SKU}
		}
		if w.ExpectedCurrency != "" && (w.ExpectedMinor != o.UnitMinor || !strings.EqualFold(w.ExpectedCurrency, o.Currency)) {
			return nil, &PriceChanged{SKU: w.SKU, ExpectedMinor: w.ExpectedMinor, ExpectedCurrency: w.ExpectedCurrency, CurrentMinor: o.UnitMinor, CurrentCurrency: o.Currency}
		}
		if q.Currency == "" {
			q.Currency = o.Currency
		} else if q.Currency != o.Currency {
			return nil, &MixedCurrency{SKU: w.SKU}
		}
		sum, ok := addProduct(q.ItemsMinor, o.UnitMinor, w.Quantity)
		if !ok {
			return nil, &InvalidAmount{Why: "the sum of the lines is too large"}
		}
		q.ItemsMinor = sum
		q.Units += w.Quantity
		q.Lines = append(q.Lines, Line{SKU: w.SKU, Title: o.Title, Quantity: w.Quantity, UnitMinor: o.UnitMinor})
	}
	if q.PointsMinor > q.ItemsMinor {
		return nil, &PointsExceedAmount{Points: points, ItemsMinor: q.ItemsMinor}
	}
	return q, nil
}

// Preview is what the basic view shows of the lines.
func Preview(lines []Line) []Line { return lines[:min(len(lines), PreviewLines)] }
