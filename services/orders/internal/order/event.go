package order

import (
	"time"

	"github.com/google/uuid"
)

// EventType is what an event says changed; the numbers are those of the contract.
type EventType int16

// The types of events.
const (
	EventCreated       EventType = 1
	EventUpdated       EventType = 2
	EventStateChanged  EventType = 3
	EventRefundChanged EventType = 4
)

// Event is one change of one order.
type Event struct {
	ID         uuid.UUID
	Order      uuid.UUID
	User       uuid.UUID
	Version    int64
	Type       EventType
	From, To   State // From is 0 for a new order
	Action     Action
	Actor      string
	CreateTime time.Time
}
