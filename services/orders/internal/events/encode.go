package events

import (
	"fmt"

	"github.com/twmb/franz-go/pkg/kgo"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/types/known/timestamppb"

	ordersv1 "github.com/curfew-platform/curfew/proto/gen/curfew/orders/v1"
	"github.com/curfew-platform/curfew/services/orders/internal/order"
)

// ContentType is the header of every record: how the value is encoded.
const ContentType = "application/x-protobuf; messageType=curfew.orders.v1.OrderEvent"

// encode returns the record of an event. The key is the order, so all its
// events share a partition.
func encode(topic string, e *order.Event) (*kgo.Record, error) {
	value, err := proto.Marshal(Message(e))
	if err != nil {
		return nil, fmt.Errorf("encode event: %w", err)
	}
	return &kgo.Record{
		Topic: topic,
		Key:   []byte(e.Order.String()),
		Value: value,
		Headers: []kgo.RecordHeader{
			{Key: "content-type", Value: []byte(ContentType)},
			{Key: "event-id", Value: []byte(e.ID.String())},
		},
		Timestamp: e.CreateTime,
	}, nil
}

// Message returns the event in the form of the contract.
func Message(e *order.Event) *ordersv1.OrderEvent {
	return &ordersv1.OrderEvent{
		EventId:       e.ID.String(),
		Order:         "users/" + e.User.String() + "/orders/" + e.Order.String(),
		OrderVersion:  e.Version,
		Type:          ordersv1.OrderEvent_Type(e.Type),
		PreviousState: ordersv1.Order_State(e.From),
		State:         ordersv1.Order_State(e.To),
		Action:        string(e.Action),
		Actor:         e.Actor,
		CreateTime:    timestamppb.New(e.CreateTime),
	}
}
