// Package order is the domain of the orders service: the state machine of an
// order as data, prices, money, and what the outcome of a payment operation
// leads to. It knows neither gRPC nor PostgreSQL nor Kafka.
package order

import (
	"strconv"
	"time"

	"github.com/google/uuid"
)

// Limits of an order; the contract states the same.
const (
	MaxLines    = 100
	MaxQuantity = 9999
	// PreviewLines is how many lines the basic view shows.
	PreviewLines = 3
)

// Order is one order as its owner sees it. The JSON form is that of stored
// answers to requests, which outlive the version that stored them.
type Order struct {
	ID                uuid.UUID `json:"id"`
	User              uuid.UUID `json:"user"`
	State             State     `json:"state"`
	Version           int64     `json:"version"`
	Currency          string    `json:"currency"`
	ItemsMinor        int64     `json:"items_minor"`
	Points            int64     `json:"points"`
	PointsMinor       int64     `json:"points_minor"`
	PayableMinor      int64     `json:"payable_minor"`
	RefundedMinor     int64     `json:"refunded_minor"`
	LineCount         int       `json:"line_count"`
	Units             int       `json:"units"`
	Address           Address   `json:"address"`
	Note              string    `json:"note"`
	Lines             []Line    `json:"lines,omitempty"` // all, or the first PreviewLines in the basic view
	Payments          []Payment `json:"payments,omitempty"`
	Refunds           []Refund  `json:"refunds,omitempty"`
	PaymentExpireTime time.Time `json:"payment_expire_time"`
	CreateTime        time.Time `json:"create_time"`
	UpdateTime        time.Time `json:"update_time"`
}

// Etag is the strong etag of this version of the order.
func (o *Order) Etag() string { return Etag(o.Version) }

// Etag is the strong etag of a version.
func Etag(version int64) string { return strconv.Quote(strconv.FormatInt(version, 10)) }

// Line is one line of an order, priced.
type Line struct {
	SKU       string `json:"sku"`
	Title     string `json:"title"`
	Quantity  int    `json:"qty"`
	UnitMinor int64  `json:"unit"`
}

// Address is where an order is sent to.
type Address struct {
	Recipient  string   `json:"recipient"`
	Lines      []string `json:"lines"`
	Locality   string   `json:"locality"`
	PostalCode string   `json:"postal_code,omitempty"`
	Region     string   `json:"region"`
}

// Payment is one try to pay an order.
type Payment struct {
	ID            uuid.UUID    `json:"id"`
	State         PaymentState `json:"state"`
	AmountMinor   int64        `json:"amount_minor"`
	CapturedMinor int64        `json:"captured_minor"`
	RefundedMinor int64        `json:"refunded_minor"`
	CreateTime    time.Time    `json:"create_time"`
}

// Refund is money given back.
type Refund struct {
	ID          uuid.UUID   `json:"id"`
	Payment     uuid.UUID   `json:"payment"`
	State       RefundState `json:"state"`
	AmountMinor int64       `json:"amount_minor"`
	CreateTime  time.Time   `json:"create_time"`
}

// Actor is who changes an order.
type Actor struct {
	Kind ActorKind
	// Principal is users/{uuid} or services/{name}.
	Principal string
}

// System is the service itself: workers and outcomes of payments.
func System() Actor { return Actor{Kind: BySystem, Principal: "services/orders"} }

// PointsAccount is the points of one user.
type PointsAccount struct {
	User uuid.UUID `json:"user"`
	// Balance is with what is held.
	Balance int64 `json:"balance"`
	// Held is held by orders that are not paid.
	Held int64 `json:"held"`
}
