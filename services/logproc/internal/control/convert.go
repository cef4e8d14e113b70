// Package control is the connection between parent and worker: the gRPC
// service that a worker serves on the supervisor's channel, and its client.
package control

import (
	"fmt"

	"github.com/google/uuid"

	logprocv1 "github.com/curfew-platform/curfew/proto/gen/curfew/internalapi/logproc/v1"
	"github.com/curfew-platform/curfew/services/logproc/internal/ledger"
	"github.com/curfew-platform/curfew/services/logproc/internal/worker"
)

func toKey(k ledger.Key) *logprocv1.TopicPartition {
	return &logprocv1.TopicPartition{Topic: k.Topic, Partition: k.Partition}
}

func fromKey(p *logprocv1.TopicPartition) ledger.Key {
	return ledger.Key{Topic: p.GetTopic(), Partition: p.GetPartition()}
}

func toKeys(keys []ledger.Key) []*logprocv1.TopicPartition {
	list := make([]*logprocv1.TopicPartition, len(keys))
	for i, k := range keys {
		list[i] = toKey(k)
	}
	return list
}

func fromKeys(list []*logprocv1.TopicPartition) []ledger.Key {
	keys := make([]ledger.Key, len(list))
	for i, p := range list {
		keys[i] = fromKey(p)
	}
	return keys
}

func fromGrants(list []*logprocv1.Grant) ([]ledger.Grant, error) {
	grants := make([]ledger.Grant, len(list))
	for i, g := range list {
		token, err := uuid.FromBytes(g.GetToken())
		if err != nil {
			return nil, fmt.Errorf("grant of %s: %w", fromKey(g.GetPartition()), err)
		}
		grants[i] = ledger.Grant{Key: fromKey(g.GetPartition()), Token: token}
	}
	return grants, nil
}

func toProgress(p worker.Progress) *logprocv1.PartitionProgress {
	t := p.Tally
	return &logprocv1.PartitionProgress{
		Partition: toKey(p.Key), Token: p.Token[:], Committed: p.Committed, ReadTo: p.ReadTo,
		Tally: &logprocv1.Tally{
			Read: t.Read, Stored: t.Stored, DeadLettered: t.Dead, SampledOut: t.Sampled,
			HandedBack: t.HandedBack, Unresolved: t.Unresolved,
		},
	}
}

func fromProgress(p *logprocv1.PartitionProgress) worker.Progress {
	t := p.GetTally()
	out := worker.Progress{
		Key: fromKey(p.GetPartition()), Committed: p.GetCommitted(), ReadTo: p.GetReadTo(),
		Tally: worker.Tally{
			Read: t.GetRead(), Stored: t.GetStored(), Dead: t.GetDeadLettered(), Sampled: t.GetSampledOut(),
			HandedBack: t.GetHandedBack(), Unresolved: t.GetUnresolved(),
		},
	}
	copy(out.Token[:], p.GetToken())
	return out
}

func toProgresses(list []worker.Progress) []*logprocv1.PartitionProgress {
	out := make([]*logprocv1.PartitionProgress, len(list))
	for i, p := range list {
		out[i] = toProgress(p)
	}
	return out
}

func fromProgresses(list []*logprocv1.PartitionProgress) []worker.Progress {
	out := make([]worker.Progress, len(list))
	for i, p := range list {
		out[i] = fromProgress(p)
	}
	return out
}

func toResponse(e worker.Event) *logprocv1.WatchResponse {
	switch e.Kind {
	case worker.Fenced:
		return &logprocv1.WatchResponse{Event: &logprocv1.WatchResponse_Fenced{Fenced: &logprocv1.Fenced{Partition: toProgress(e.Progress)}}}
	case worker.NeedsIsolation:
		return &logprocv1.WatchResponse{Event: &logprocv1.WatchResponse_NeedsIsolation{NeedsIsolation: &logprocv1.NeedsIsolation{Partition: toProgress(e.Progress)}}}
	case worker.IsolationDone:
		return &logprocv1.WatchResponse{Event: &logprocv1.WatchResponse_IsolationDone{IsolationDone: &logprocv1.IsolationDone{Partition: toProgress(e.Progress)}}}
	case worker.Stopped:
		report := &logprocv1.Report{Partitions: toProgresses(e.Partitions)}
		for _, u := range e.Unresolved {
			report.Unresolved = append(report.Unresolved, &logprocv1.UnresolvedBatch{
				Partition: toKey(u.Key), FromOffset: u.From, ToOffset: u.To, Xid: u.XID,
			})
		}
		return &logprocv1.WatchResponse{Event: &logprocv1.WatchResponse_Report{Report: report}}
	}
	return &logprocv1.WatchResponse{Event: &logprocv1.WatchResponse_Progress{Progress: &logprocv1.Progress{Partitions: toProgresses(e.Partitions)}}}
}

func fromResponse(r *logprocv1.WatchResponse) worker.Event {
	switch e := r.GetEvent().(type) {
	case *logprocv1.WatchResponse_Fenced:
		return worker.Event{Kind: worker.Fenced, Progress: fromProgress(e.Fenced.GetPartition())}
	case *logprocv1.WatchResponse_NeedsIsolation:
		return worker.Event{Kind: worker.NeedsIsolation, Progress: fromProgress(e.NeedsIsolation.GetPartition())}
	case *logprocv1.WatchResponse_IsolationDone:
		return worker.Event{Kind: worker.IsolationDone, Progress: fromProgress(e.IsolationDone.GetPartition())}
	case *logprocv1.WatchResponse_Report:
		event := worker.Event{Kind: worker.Stopped, Partitions: fromProgresses(e.Report.GetPartitions())}
		for _, u := range e.Report.GetUnresolved() {
			event.Unresolved = append(event.Unresolved, worker.Unresolved{
				Key: fromKey(u.GetPartition()), From: u.GetFromOffset(), To: u.GetToOffset(), XID: u.GetXid(),
			})
		}
		return event
	}
	return worker.Event{Kind: worker.Changed, Partitions: fromProgresses(r.GetProgress().GetPartitions())}
}
