package order

import "time"

// MaxOnHand is the most units of one SKU that a warehouse holds.
const MaxOnHand = 2_000_000_000

// Product is something that can be ordered.
type Product struct {
	SKU        string
	Title      string
	Currency   string
	UnitMinor  int64
	Sellable   bool
	OnHand     int64
	Reserved   int64
	Version    int64
	CreateTime time.Time
	UpdateTime time.Time
}

// Etag is the strong etag of this version of the product.
func (p *Product) Etag() string { return Etag(p.Version) }
