package kafka

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"time"

	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/kmsg"

	"github.com/curfew-platform/curfew/pkg/lifecycle"
	"github.com/curfew-platform/curfew/services/logproc/internal/ledger"
)

// MemberConfig of a group member.
type MemberConfig struct {
	Brokers []string
	// Security is how the brokers are reached.
	Security []kgo.Opt
	Group    string
	// InstanceID makes the membership static: a restarted process gets its
	// partitions back at once, instead of after a session timeout.
	InstanceID string
	Topics     []string
	// SessionTimeout is after how long a silent member's partitions go to others.
	SessionTimeout time.Duration
	// Assigned and Revoked are called one at a time. Revoked should return soon.
	Assigned, Revoked func(ctx context.Context, keys []ledger.Key)
	Log               *slog.Logger
}

// Member is the parent's membership in the consumer group. It is there for the
// assignment only and fetches nothing. Safe for concurrent use.
type Member struct {
	cfg    MemberConfig
	client *kgo.Client
}

// Join joins the group. Partitions come by MemberConfig.Assigned.
func Join(cfg MemberConfig) (*Member, error) {
	m := &Member{cfg: cfg}
	keys := func(f func(context.Context, []ledger.Key)) func(context.Context, *kgo.Client, map[string][]int32) {
		return func(ctx context.Context, _ *kgo.Client, parts map[string][]int32) {
			if list := keysOf(parts); len(list) > 0 {
				f(ctx, list)
			}
		}
	}
	client, err := kgo.NewClient(append([]kgo.Opt{
		kgo.SeedBrokers(cfg.Brokers...),
		kgo.ConsumerGroup(cfg.Group),
		kgo.InstanceID(cfg.InstanceID),
		kgo.ConsumeTopics(cfg.Topics...),
		kgo.Balancers(kgo.CooperativeStickyBalancer()),
		kgo.SessionTimeout(cfg.SessionTimeout),
		kgo.HeartbeatInterval(min(cfg.SessionTimeout/4, heartbeat)),
		kgo.RebalanceTimeout(rebalanceTimeout),
		kgo.DisableAutoCommit(),
		kgo.OnPartitionsAssigned(keys(cfg.Assigned)),
		kgo.OnPartitionsRevoked(keys(cfg.Revoked)),
		kgo.OnPartitionsLost(keys(cfg.Revoked)),
		kgo.MetadataMaxAge(topicAge),
		kgo.DisableClientMetrics(),
	}, cfg.Security...)...)
	if err != nil {
		return nil, fmt.Errorf("join group: %w", err)
	}
	client.PauseFetchTopics(cfg.Topics...)
	m.client = client
	return m, nil
}

const (
	// heartbeat is how often a member asks, unless its session timeout is short.
	// The answer is how it learns of a rebalance, twice in a cooperative one, and
	// between them partitions have no owner. A request per second and pod is
	// nothing to a broker.
	heartbeat        = time.Second
	rebalanceTimeout = 15 * time.Second
	// topicAge is how long new partitions may stay unseen.
	topicAge = 15 * time.Second
)

func keysOf(parts map[string][]int32) []ledger.Key {
	var keys []ledger.Key
	for topic, list := range parts {
		for _, p := range list {
			keys = append(keys, ledger.Key{Topic: topic, Partition: p})
		}
	}
	return keys
}

// Run returns when ctx ends, or with an error that the membership cannot
// recover from: another process has the same instance id.
func (m *Member) Run(ctx context.Context) error {
	for ctx.Err() == nil {
		fetches := m.client.PollFetches(ctx)
		for _, e := range fetches.Errors() {
			switch {
			case ctx.Err() != nil:
				return nil //nolint:nilerr // The errors are those of the stop.
			case errors.Is(e.Err, kerr.FencedInstanceID):
				return fmt.Errorf("group %s: another process is member %s: %w", m.cfg.Group, m.cfg.InstanceID, e.Err)
			case errors.Is(e.Err, kgo.ErrClientClosed):
				return nil
			default:
				m.cfg.Log.WarnContext(ctx, "group membership is disturbed", "topic", e.Topic, "error", e.Err)
			}
		}
	}
	return nil
}

// Heartbeat sends one and returns nil if the coordinator answers that this
// member belongs to the present generation.
func (m *Member) Heartbeat(ctx context.Context) error {
	id, generation := m.client.GroupMetadata()
	if id == "" || generation < 0 {
		return errors.New("heartbeat: not in the group")
	}
	req := kmsg.NewPtrHeartbeatRequest()
	req.Group, req.MemberID, req.Generation = m.cfg.Group, id, generation
	req.InstanceID = new(m.cfg.InstanceID)
	resp, err := req.RequestWith(ctx, m.client)
	if err != nil {
		return fmt.Errorf("heartbeat: %w", err)
	}
	if err := kerr.ErrorForCode(resp.ErrorCode); err != nil {
		return fmt.Errorf("heartbeat: %w", err)
	}
	return nil
}

// Generation returns the generation of the group that this member belongs to,
// or a negative number.
func (m *Member) Generation() int32 {
	_, generation := m.client.GroupMetadata()
	return generation
}

// errGeneration says that the group has moved on since the positions were
// noted: their partitions may have other owners, who are further.
var errGeneration = errors.New("the member is in another generation")

// Commit commits offsets in the generation in which they were noted, and in no
// other, so that the offsets of the group never go back.
func (m *Member) Commit(ctx context.Context, generation int32, offsets map[ledger.Key]int64) error {
	ctx = kgo.PreCommitFnContext(ctx, func(req *kmsg.OffsetCommitRequest) error {
		if generation < 0 || req.Generation != generation {
			return fmt.Errorf("%w: %d, now %d", errGeneration, generation, req.Generation)
		}
		return nil
	})
	commit := map[string]map[int32]kgo.EpochOffset{}
	for key, next := range offsets {
		if commit[key.Topic] == nil {
			commit[key.Topic] = map[int32]kgo.EpochOffset{}
		}
		commit[key.Topic][key.Partition] = kgo.EpochOffset{Epoch: -1, Offset: next}
	}
	var failed error
	again := map[string]bool{}
	m.client.CommitOffsetsSync(ctx, commit, func(_ *kgo.Client, _ *kmsg.OffsetCommitRequest, resp *kmsg.OffsetCommitResponse, err error) {
		if err != nil {
			failed = err
			return
		}
		for _, t := range resp.Topics {
			for _, p := range t.Partitions {
				if err := kerr.ErrorForCode(p.ErrorCode); err != nil && failed == nil {
					if errors.Is(err, kerr.UnknownTopicID) {
						again[t.Topic] = true
					}
					failed = fmt.Errorf("%s/%d: %w", t.Topic, p.Partition, err)
				}
			}
		}
	})
	for topic := range again {
		// It was made again; the client refuses its new id until it is forgotten.
		m.client.PurgeTopicsFromClient(topic)
		m.client.AddConsumeTopics(topic)
		m.client.PauseFetchTopics(topic)
	}
	if failed != nil {
		return fmt.Errorf("commit group offsets: %w", failed)
	}
	return nil
}

// Close ends the membership of this process, bounded by ctx. A static member
// stays in the group until its session times out, so that a restart finds its
// partitions.
func (m *Member) Close(ctx context.Context) {
	_ = lifecycle.Within(ctx, func() error { // of no use: the time is up, or all is well
		m.client.CloseAllowingRebalance()
		return nil
	})
}

// Lag returns how many records each partition has above next, for
// those that Kafka describes.
func (m *Member) Lag(ctx context.Context, next map[ledger.Key]int64) map[ledger.Key]int64 {
	return lag(ctx, m.client, next)
}
