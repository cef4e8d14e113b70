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

// Order is one order as its owner sees it.
type Order struct {
	ID                uuid.UUID
	User              uuid.UUID
	State             State
	Version           int64
	Currency          string
	ItemsMinor        int64
	Points            int64
	PointsMinor       int64
	PayableMinor      int64
	RefundedMinor     int64
	LineCount         int
	Units             int
	Address           Address
	Note              string
	Lines             []Line // all, or the first PreviewLines in the basic view
	Payments          []Payment
	Refunds           []Refund
	PaymentExpireTime time.Time
	CreateTime        time.Time
	UpdateTime        time.Time
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
	ID            uuid.UUID
	State         PaymentState
	AmountMinor   int64
	CapturedMinor int64
	RefundedMinor int64
	CreateTime    time.Time
}

// Refund is money given back.
type Refund struct {
	ID          uuid.UUID
	Payment     uuid.UUID
	State       RefundState
	AmountMinor int64
	CreateTime  time.Time
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
	User uuid.UUID
	// Balance is with what is held; Held is held by orders that are not paid.
	Balance, Held int64
}
