package order

import "time"

// MaxOnHand is the most units of one SKU that a warehouse holds.
const MaxOnHand = 2_000_000_000

// Product is something that can be ordered.
type Product struct {
	SKU        string    `json:"sku"`
	Title      string    `json:"title"`
	Currency   string    `json:"currency"`
	UnitMinor  int64     `json:"unit_minor"`
	Sellable   bool      `json:"sellable"`
	OnHand     int64     `json:"on_hand"`
	Reserved   int64     `json:"reserved"`
	Version    int64     `json:"version"`
	CreateTime time.Time `json:"create_time"`
	UpdateTime time.Time `json:"update_time"`
}

// Etag is the strong etag of this version of the product.
func (p *Product) Etag() string { return Etag(p.Version) }
