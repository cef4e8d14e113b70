package kafka

import (
	"context"
	"errors"
	"fmt"

	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/curfew-platform/curfew/pkg/lifecycle"
)

// AddProducer adds a client that produces. In phase lifecycle.Commit everything that is buffered is flushed, whatever the
// linger says, until the deadline of the phase; in lifecycle.Close the client is closed. Records that could not be
// flushed fail with kgo.ErrClientClosed then, and are counted in the report. The group owns client from here on, even if
// it never starts. A client that also consumes is added by [AddConsumer] instead.
func AddProducer(g *lifecycle.Group, name string, client *kgo.Client) error {
	if g == nil || client == nil {
		return errors.New("kafka: group and client are required")
	}
	return add(g, flushPart(name, client), closePart(name, client))
}

func flushPart(name string, client *kgo.Client) lifecycle.Part {
	return lifecycle.Part{
		Name:  name + "/flush",
		Phase: lifecycle.Commit,
		Stop: func(ctx context.Context) error {
			if err := client.Flush(ctx); err != nil {
				return fmt.Errorf("flush: %w", err)
			}
			return nil
		},
		Remaining: client.BufferedProduceRecords,
	}
}

func closePart(name string, client *kgo.Client) lifecycle.Part {
	return lifecycle.Part{
		Name:  name + "/close",
		Phase: lifecycle.Close,
		Stop: func(context.Context) error {
			client.CloseAllowingRebalance()
			return nil
		},
	}
}

func add(g *lifecycle.Group, parts ...lifecycle.Part) error {
	for _, p := range parts {
		if err := g.Add(p); err != nil {
			return fmt.Errorf("kafka: %w", err)
		}
	}
	return nil
}
