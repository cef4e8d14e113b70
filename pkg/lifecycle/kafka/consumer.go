package kafka

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/curfew-platform/curfew/pkg/lifecycle"
)

// leaveTime bounds the leaving of the group. A broker that answers does so within milliseconds; for one that does not,
// the others take over when the session times out.
const leaveTime = 2 * time.Second

// Consumer is a client that consumes, in a group of the lifecycle.
type Consumer struct {
	client *kgo.Client
	intake context.Context
	stop   context.CancelCauseFunc
}

// ErrIntakeOff is the cause of the end of [Consumer.Intake].
var ErrIntakeOff = errors.New("kafka: no more records are taken in, the process is stopping")

// AddConsumer adds a client that consumes. Its polls must use the context of [Consumer.Intake]: leaving the group does not
// wake a poll.
//
//	intake off  Intake ends, and the polls with it
//	commit      records that the same client has produced are flushed
//	leave       the client leaves its consumer group, within 2 s; a static member stays, as it should
//	close       the client is closed
//
// Draining and committing what was polled is up to the loop that polls: in [lifecycle.Group.Go] it is awaited in phase
// Drain. [AddLoop] is a client with such a loop. The group owns client from here on, even if it never starts.
func AddConsumer(g *lifecycle.Group, name string, client *kgo.Client) (*Consumer, error) {
	if g == nil || client == nil {
		return nil, errors.New("kafka: group and client are required")
	}
	c := newConsumer(client)
	if err := add(g, closePart(name, client), c.leavePart(name), flushPart(name, client), c.intakePart(name)); err != nil {
		c.stop(ErrIntakeOff)
		return nil, err
	}
	return c, nil
}

func newConsumer(client *kgo.Client) *Consumer {
	c := &Consumer{client: client}
	c.intake, c.stop = context.WithCancelCause(context.Background())
	return c
}

// Intake is the context to poll with. It ends in phase lifecycle.IntakeOff.
func (c *Consumer) Intake() context.Context { return c.intake }

func (c *Consumer) intakePart(name string) lifecycle.Part {
	return lifecycle.Part{Name: name + "/intake", Phase: lifecycle.IntakeOff, Stop: func(context.Context) error {
		c.stop(ErrIntakeOff)
		return nil
	}}
}

func (c *Consumer) leavePart(name string) lifecycle.Part {
	return lifecycle.Part{Name: name + "/leave", Phase: lifecycle.Leave, Stop: c.leave}
}

func (c *Consumer) leave(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, leaveTime)
	defer cancel()
	c.client.AllowRebalance() // else a poll that nobody answered blocks the leave
	if err := c.client.LeaveGroupContext(ctx); err != nil {
		return fmt.Errorf("leave the group: %w", err)
	}
	return nil
}
