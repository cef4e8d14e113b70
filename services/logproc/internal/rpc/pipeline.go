package rpc

import (
	"context"
	"encoding/hex"
	"fmt"
	"math"
	"slices"

	"google.golang.org/protobuf/types/known/timestamppb"

	logprocv1 "github.com/curfew-platform/curfew/proto/gen/curfew/logproc/v1"
	"github.com/curfew-platform/curfew/services/logproc/internal/ledger"
	"github.com/curfew-platform/curfew/services/logproc/internal/parent"
	"github.com/curfew-platform/curfew/services/logproc/internal/postgres"
)

// Process is one worker process, as the supervisor sees it.
type Process struct {
	Slot       int
	Pid        int
	Generation int64
	State      logprocv1.Worker_State
	// Isolated is the partition of an isolation process.
	Isolated *ledger.Key
}

// Ledger is what is listed.
type Ledger interface {
	Partitions(ctx context.Context, after ledger.Key, limit int) ([]postgres.Entry, error)
	DeadLetters(ctx context.Context, before int64, topic string, limit int) (letters []postgres.DeadLetter, more bool, err error)
}

// Pipeline serves PipelineService.
type Pipeline struct {
	logprocv1.UnimplementedPipelineServiceServer
	Group, InstanceID string
	Topics            []string
	Status            func() parent.Status
	Processes         func() []Process
	// Lag returns how many records are above next, where Kafka answers.
	Lag    func(ctx context.Context, next map[ledger.Key]int64) map[ledger.Key]int64
	Ledger Ledger
	Pages  Pages
}

// GetStatus describes this replica.
func (s *Pipeline) GetStatus(context.Context, *logprocv1.GetStatusRequest) (*logprocv1.PipelineStatus, error) {
	status := s.Status()
	t := status.Tally
	out := &logprocv1.PipelineStatus{
		Group: s.Group, InstanceId: s.InstanceID, Topics: s.Topics, Steals: status.Steals,
		Tally: &logprocv1.Tally{
			Read: t.Read, Stored: t.Stored, DeadLettered: t.Dead, SampledOut: t.Sampled, HandedBack: t.HandedBack, Unresolved: t.Unresolved,
		},
	}
	for _, p := range s.Processes() {
		w := &logprocv1.Worker{Slot: int32(p.Slot), Pid: int32(p.Pid), Generation: p.Generation, State: p.State, Isolation: p.Isolated != nil}
		if p.Isolated != nil {
			w.Partitions = []string{p.Isolated.String()}
		} else {
			w.Partitions = owned(status.Owners, p.Slot)
		}
		out.Workers = append(out.Workers, w)
	}
	return out, nil
}

func owned(owners map[ledger.Key]int, slot int) []string {
	var keys []ledger.Key
	for key, owner := range owners {
		if owner == slot {
			keys = append(keys, key)
		}
	}
	slices.SortFunc(keys, ledger.Key.Compare)
	names := make([]string, len(keys))
	for i, key := range keys {
		names[i] = key.String()
	}
	return names
}

// size is the page size that a request stands for.
func size(asked int32, fallback, most int) int {
	if asked <= 0 {
		return fallback
	}
	return min(int(asked), most)
}

// ListPartitions lists the ledger.
func (s *Pipeline) ListPartitions(ctx context.Context, req *logprocv1.ListPartitionsRequest) (*logprocv1.ListPartitionsResponse, error) {
	after := ledger.Key{Partition: -1}
	if _, err := s.Pages.Open(req.GetPageToken(), &after, "ListPartitions"); err != nil {
		return nil, asStatus(err)
	}
	limit := size(req.GetPageSize(), 100, 1000)
	entries, err := s.Ledger.Partitions(ctx, after, limit)
	if err != nil {
		return nil, asStatus(err)
	}
	next := make(map[ledger.Key]int64, len(entries))
	for i := range entries {
		next[entries[i].Key()] = entries[i].NextOff
	}
	lag, owners := s.Lag(ctx, next), s.Status().Owners
	resp := &logprocv1.ListPartitionsResponse{}
	for i := range entries {
		e := &entries[i]
		out := &logprocv1.LedgerEntry{
			Topic: e.Topic, Partition: e.Partition, NextOffset: e.NextOff, Epoch: e.Epoch, Tries: e.Tries,
			IsolateTo: e.IsolateTo, Evidence: e.Evidence, LeaderEpoch: e.LeaderEpoch, UpdateTime: timestamppb.New(e.UpdatedAt),
		}
		if e.TopicID != nil {
			out.TopicId = hex.EncodeToString(e.TopicID[:])
		}
		if slot, ok := owners[e.Key()]; ok {
			slot32 := int32(slot)
			out.OwnerSlot = &slot32
		}
		if n, ok := lag[e.Key()]; ok {
			out.Lag = &n
		}
		resp.Partitions = append(resp.Partitions, out)
	}
	if len(entries) == limit {
		if resp.NextPageToken, err = s.Pages.Seal(entries[limit-1].Key(), "ListPartitions"); err != nil {
			return nil, err
		}
	}
	return resp, nil
}

// ListDeadLetters lists dead letters, newest first.
func (s *Pipeline) ListDeadLetters(ctx context.Context, req *logprocv1.ListDeadLettersRequest) (*logprocv1.ListDeadLettersResponse, error) {
	before := int64(math.MaxInt64)
	if _, err := s.Pages.Open(req.GetPageToken(), &before, "ListDeadLetters", req.GetTopic()); err != nil {
		return nil, asStatus(err)
	}
	limit := size(req.GetPageSize(), 50, 200)
	letters, more, err := s.Ledger.DeadLetters(ctx, before, req.GetTopic(), limit)
	if err != nil {
		return nil, asStatus(err)
	}
	resp := &logprocv1.ListDeadLettersResponse{}
	for i := range letters {
		resp.DeadLetters = append(resp.DeadLetters, toDeadLetter(&letters[i]))
	}
	if more {
		if resp.NextPageToken, err = s.Pages.Seal(letters[len(letters)-1].ID, "ListDeadLetters", req.GetTopic()); err != nil {
			return nil, err
		}
	}
	return resp, nil
}

var reasons = map[string]logprocv1.DeadLetterReason{
	"too_large": logprocv1.DeadLetterReason_DEAD_LETTER_REASON_TOO_LARGE,
	"refused":   logprocv1.DeadLetterReason_DEAD_LETTER_REASON_REFUSED,
	"crashed":   logprocv1.DeadLetterReason_DEAD_LETTER_REASON_CRASHED,
}

func toDeadLetter(l *postgres.DeadLetter) *logprocv1.DeadLetter {
	out := &logprocv1.DeadLetter{
		Name: fmt.Sprintf("deadLetters/%s~%d~%d", l.KafkaTopic, l.KafkaPartition, l.KafkaOffset),
		Position: &logprocv1.RecordPosition{
			Topic: l.KafkaTopic, Partition: l.KafkaPartition, Offset: l.KafkaOffset,
			LeaderEpoch: l.KafkaLeaderEpoch, TopicId: hex.EncodeToString(l.TopicID[:]),
		},
		Reason: reasons[l.Reason], Detail: l.Detail, Raw: l.Raw, Size: l.Size, Sha256: l.SHA256,
		CreateTime: timestamppb.New(l.CreatedAt),
	}
	if l.PublishedAt != nil {
		out.PublishTime = timestamppb.New(*l.PublishedAt)
	}
	return out
}
