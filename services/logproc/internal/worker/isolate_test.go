package worker

import (
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/curfew-platform/curfew/services/logproc/internal/batch"
	"github.com/curfew-platform/curfew/services/logproc/internal/ledger"
)

func suspected(s *stage, to int64, evidence int32) {
	row := s.store.rows[keyA]
	row.Tries, row.IsolateTo, row.Evidence, row.LastWords = 1, to, evidence, "panic: x"
	s.store.rows[keyA] = row
}

func TestASuspectedPartitionIsNotReadInASharedProcess(t *testing.T) {
	s := newStage(t, nil)
	suspected(s, 4, 0)
	s.grant(keyA, keyB)
	if diff := cmp.Diff([]Kind{NeedsIsolation}, s.kinds()); diff != "" {
		t.Errorf("events (-want +got):\n%s", diff)
	}
	if _, reading := s.source.reading[keyA]; reading || len(s.store.released) != 0 {
		t.Error("it is read, or released as if it were clean")
	}
}

func TestAnIdlePartitionIsNotSuspected(t *testing.T) {
	s := newStage(t, nil)
	suspected(s, 4, 0)
	s.source.logs[keyA] = ledger.Log{TopicID: topicID, End: 0, EpochEnd: -1}
	s.grant(keyA)
	if kinds := s.kinds(); len(kinds) != 0 {
		t.Errorf("events %v", kinds)
	}
}

func TestIsolationStoresOneRecordAtATimeAndNotesEachBefore(t *testing.T) {
	s := newStage(t, func(c *Config) { c.Isolation = true })
	suspected(s, 3, 0)
	s.grant(keyA)
	s.source.feed(keyA, 0, 0, 1, 2, 3, 4)
	for range 3 {
		s.round()
	}
	if len(s.store.commits) != 3 || len(s.store.commits[0].Parts[0].Rows) != 1 || !s.store.commits[0].Parts[0].Isolated {
		t.Errorf("commits %+v", s.store.commits)
	}
	if diff := cmp.Diff([]int64{0, 1, 2}, s.store.suspected); diff != "" {
		t.Errorf("suspected (-want +got):\n%s", diff)
	}
	if diff := cmp.Diff([]Kind{IsolationDone}, s.kinds()); diff != "" {
		t.Errorf("events (-want +got):\n%s", diff)
	}
}

func TestACondemnedRecordIsADeadLetterWithoutBeingParsed(t *testing.T) {
	s := newStage(t, func(c *Config) { c.Isolation, c.Decoder = true, nil })
	suspected(s, 3, ledger.EvidenceLimit)
	s.grant(keyA)
	s.source.feed(keyA, 0, 0)
	s.round()
	dead := s.store.commits[0].Dead
	if len(dead) != 1 || dead[0].Reason != batch.Crashed || dead[0].Detail != "panic: x" || string(dead[0].Raw) != "x" {
		t.Errorf("dead letters %+v", dead)
	}
	if s.store.rows[keyA].Next != 1 {
		t.Error("the row has not moved past it")
	}
}
