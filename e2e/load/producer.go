package load

import (
	"context"
	"fmt"
	"sync/atomic"
	"time"

	"github.com/google/uuid"
	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kgo"
)

const (
	produceTick  = 10 * time.Millisecond
	mostBuffered = 20_000 // records that the broker has not acknowledged
)

// produce writes numbered records until ctx ends, and waits for the broker's answers.
func (l *Load) produce(ctx, finish context.Context) {
	client, err := kgo.NewClient(kgo.SeedBrokers(l.config.Brokers...), kgo.DefaultProduceTopic(l.config.Topic),
		kgo.MaxBufferedRecords(mostBuffered), kgo.ProducerLinger(5*time.Millisecond), kgo.RecordDeliveryTimeout(settleLimit))
	if err != nil {
		l.note(func(v *Verdict) { v.ProduceFailed++; v.Samples = sample(v.Samples, err.Error()) })
		return
	}
	defer client.Close()
	var produced, failed atomic.Int64
	start := time.Now()
	for sent := 0; pause(ctx, produceTick); {
		for due := int(time.Since(start).Seconds() * float64(l.config.Rate)); sent < due && ctx.Err() == nil; sent++ {
			client.Produce(finish, &kgo.Record{Value: l.record(sent)}, func(_ *kgo.Record, err error) {
				if err != nil {
					failed.Add(1)
					return
				}
				produced.Add(1)
			})
		}
	}
	err = client.Flush(finish)
	l.note(func(v *Verdict) {
		v.Produced, v.ProduceFailed = produced.Load(), failed.Load()
		if err != nil {
			v.Samples = sample(v.Samples, "flush: "+err.Error())
		}
	})
}

// record is the n-th log record: its trace is the run, its span the number.
// Zero is no valid span id, so numbers begin at 1.
func (l *Load) record(n int) []byte {
	return fmt.Appendf(nil, `{"timestamp":"%s","severity":"INFO","service":"load","message":"order %08d was priced in %d ms",`+
		`"trace_id":"%s","span_id":"%016x","attributes":{"http.method":"POST","http.route":"/v1/orders","http.status_code":200,"region":"eu-central-1","pod":"checkout-%d"}}`,
		time.Now().UTC().Format(time.RFC3339Nano), n, n%97, l.run, n+1, n%10)
}

// ends returns the ends of the partitions of the topic, if there is one.
func (l *Load) ends(ctx context.Context) (map[int32]int64, error) {
	if l.config.Rate == 0 {
		return nil, nil
	}
	return Ends(ctx, l.config.Brokers, l.config.Topic)
}

// Ends returns the offset after the last record of each partition of a topic.
func Ends(ctx context.Context, brokers []string, topic string) (map[int32]int64, error) {
	ends := map[int32]int64{}
	err := ask(ctx, brokers, func(ctx context.Context, admin *kadm.Client) error {
		listed, err := admin.ListEndOffsets(ctx, topic)
		if err == nil {
			err = listed.Error()
		}
		listed.Each(func(o kadm.ListedOffset) { ends[o.Partition] = o.Offset })
		return err
	})
	if err != nil {
		return nil, fmt.Errorf("ends of topic %s: %w", topic, err)
	}
	return ends, nil
}

// topicID tells a topic from others that had its name.
func topicID(ctx context.Context, brokers []string, topic string) (id uuid.UUID, err error) {
	err = ask(ctx, brokers, func(ctx context.Context, admin *kadm.Client) error {
		listed, err := admin.ListTopics(ctx, topic)
		if err == nil {
			err = listed.Error()
		}
		id = uuid.UUID(listed[topic].ID)
		return err
	})
	if err != nil {
		return id, fmt.Errorf("id of topic %s: %w", topic, err)
	}
	return id, nil
}

func ask(ctx context.Context, brokers []string, question func(context.Context, *kadm.Client) error) error {
	client, err := kgo.NewClient(kgo.SeedBrokers(brokers...))
	if err != nil {
		return fmt.Errorf("kafka client: %w", err)
	}
	defer client.Close()
	ctx, cancel := context.WithTimeout(ctx, settleLimit)
	defer cancel()
	return question(ctx, kadm.NewClient(client))
}
