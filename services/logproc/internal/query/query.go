// Package query is what may be asked of the stored logs, and how a question is
// cut into pieces that a table without indexes but BRIN can answer.
package query

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/google/uuid"
)

// Errors of a question.
var (
	// ErrRange: the time range is empty, reversed, or outside of what is stored.
	ErrRange = errors.New("time range is empty or reversed")
	// ErrTextRange: a text search names more than MaxTextRange.
	ErrTextRange = errors.New("text search over more than 24 hours")
	// ErrTooSlow: the database gave up on it.
	ErrTooSlow = errors.New("query takes too long")
	// ErrUnavailable: the database cannot be asked now.
	ErrUnavailable = errors.New("database unavailable")
	// ErrTooManyTails: this replica follows as many tails as it may.
	ErrTooManyTails = errors.New("too many tails")
)

const (
	// MaxTextRange bounds a text search: it reads every row of the range.
	MaxTextRange = 24 * time.Hour
	// DefaultRange is what is searched when no start is named.
	DefaultRange = time.Hour
	// DefaultPage is the size of a page that names none.
	DefaultPage = 100
	// MaxPage bounds the size of a page.
	MaxPage = 1000
	// MaxBytes ends a page of large records, of which the last one may go
	// beyond it: messages are limited to 4 MiB.
	MaxBytes = 2 << 20
)

// Filter says which records. Zero fields match all.
type Filter struct {
	MinSeverity int16
	Service     string
	Text        string
	TraceID     []byte
	Topic       string
}

// Log is one stored record.
type Log struct {
	Topic          string
	Partition      int32
	Offset         int64
	LeaderEpoch    int32
	TopicID        uuid.UUID
	Time           time.Time // of the event, or else of its append, or of reading
	EventTime      *time.Time
	Observed       time.Time
	SeverityNumber int16
	SeverityText   *string
	Body           *string
	Service        *string
	TraceID        []byte
	SpanID         []byte
	Attributes     *string
	Raw            []byte
	ParseError     *string
	// Truncated says that a field holds less than is stored.
	Truncated bool
	// Bytes is about what it takes in an answer.
	Bytes int
}

// Page is the beginning of what matches.
type Page struct {
	Logs []Log
	// More says that there may be more of it than fits.
	More bool
}

// Position is where a page ends: records are ordered by time, then identity.
type Position struct {
	Time        time.Time `json:"t"`
	Topic       string    `json:"k"`
	Partition   int32     `json:"p"`
	Offset      int64     `json:"o"`
	LeaderEpoch int32     `json:"e"`
}

// Position returns that of l.
func (l *Log) Position() Position {
	return Position{Time: l.Time, Topic: l.Topic, Partition: l.Partition, Offset: l.Offset, LeaderEpoch: l.LeaderEpoch}
}

// Window is a piece of a search: [Start, End).
type Window struct {
	Filter
	Start, End time.Time
	// Before, if set, excludes what the pages before have shown.
	Before *Position
	// Limit and Bytes bound the page; the last record may go beyond Bytes.
	Limit, Bytes int
}

// Store answers one window, newest first. A page that is not empty has at least
// one record, however large.
type Store interface {
	Logs(ctx context.Context, w Window) (Page, error)
}

// Search is a question.
type Search struct {
	Filter
	Start, End time.Time
	Before     *Position
	Limit      int
}

// Complete fills in the defaults and checks the range.
func (s Search) Complete(now time.Time) (Search, error) {
	if s.End.IsZero() {
		s.End = now
	}
	if s.Start.IsZero() {
		s.Start = s.End.Add(-DefaultRange)
	}
	if !s.Start.Before(s.End) || s.Start.Year() < 1970 || s.End.Year() > 2200 {
		return s, ErrRange
	}
	if s.Text != "" && s.End.Sub(s.Start) > MaxTextRange {
		return s, ErrTextRange
	}
	if s.Limit <= 0 {
		s.Limit = DefaultPage
	}
	s.Limit = min(s.Limit, MaxPage)
	return s, nil
}

// firstWindow is how much of the end is asked for first; each further window
// is windowGrowth times as long.
const (
	firstWindow  = time.Minute
	windowGrowth = 4
)

// Run answers a completed search: in windows from the end, growing, so that the
// usual question (the latest few) reads the latest few.
func (s Search) Run(ctx context.Context, store Store) (Page, error) {
	var found Page
	bytes := 0
	end := s.End
	if s.Before != nil && s.Before.Time.Before(end) {
		// Times are stored in microseconds.
		end = s.Before.Time.Add(time.Microsecond)
	}
	for length := firstWindow; end.After(s.Start) && !found.More; length *= windowGrowth {
		start := end.Add(-length)
		if start.Before(s.Start) || length > 400*24*time.Hour {
			start = s.Start
		}
		page, err := store.Logs(ctx, Window{
			Filter: s.Filter, Start: start, End: end, Before: s.Before, Limit: s.Limit - len(found.Logs), Bytes: MaxBytes - bytes,
		})
		if err != nil {
			return Page{}, fmt.Errorf("search logs: %w", err)
		}
		found.Logs = append(found.Logs, page.Logs...)
		bytes += size(page.Logs)
		found.More = page.More || len(found.Logs) >= s.Limit || bytes >= MaxBytes
		end = start
	}
	return found, nil
}

func size(logs []Log) (bytes int) {
	for i := range logs {
		bytes += logs[i].Bytes
	}
	return bytes
}
