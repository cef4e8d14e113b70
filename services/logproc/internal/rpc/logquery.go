package rpc

import (
	"context"
	"encoding/hex"
	"errors"
	"strconv"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/protobuf/types/known/timestamppb"

	"github.com/curfew-platform/curfew/pkg/lifecycle/grpcserver"
	logprocv1 "github.com/curfew-platform/curfew/proto/gen/curfew/logproc/v1"
	"github.com/curfew-platform/curfew/services/logproc/internal/query"
)

// Pages makes and opens page tokens; *pagetoken.Sealer does.
type Pages interface {
	Seal(position any, list ...string) (string, error)
	Open(token string, position any, list ...string) (bool, error)
}

// LogQuery serves LogQueryService.
type LogQuery struct {
	logprocv1.UnimplementedLogQueryServiceServer
	Store query.Store
	Tails *query.Tails
	Pages Pages
	Now   func() time.Time
}

// searchPage is where a page ended, and the range that "now" stood for.
type searchPage struct {
	Before query.Position `json:"b"`
	Start  time.Time      `json:"s"`
	End    time.Time      `json:"e"`
}

// SearchLogs lists stored records, newest first.
func (s *LogQuery) SearchLogs(ctx context.Context, req *logprocv1.SearchLogsRequest) (*logprocv1.SearchLogsResponse, error) {
	filter, err := fromFilter(req.GetFilter())
	if err != nil {
		return nil, err
	}
	search := query.Search{Filter: filter, Limit: int(req.GetPageSize()), Start: timeOf(req.GetStartTime()), End: timeOf(req.GetEndTime())}
	list := searchList(req)
	var page searchPage
	if more, err := s.Pages.Open(req.GetPageToken(), &page, list...); err != nil {
		return nil, asStatus(err)
	} else if more {
		search.Before, search.Start, search.End = &page.Before, page.Start, page.End
	}
	search, err = search.Complete(s.Now())
	if err != nil {
		return nil, asStatus(err)
	}
	found, err := search.Run(ctx, s.Store)
	if err != nil {
		return nil, asStatus(err)
	}
	resp := &logprocv1.SearchLogsResponse{Records: toRecords(found.Logs)}
	if found.More && len(found.Logs) > 0 {
		next := searchPage{Before: found.Logs[len(found.Logs)-1].Position(), Start: search.Start, End: search.End}
		if resp.NextPageToken, err = s.Pages.Seal(next, list...); err != nil {
			return nil, err
		}
	}
	return resp, nil
}

// searchList is everything that must be the same on the next page.
func searchList(req *logprocv1.SearchLogsRequest) []string {
	f := req.GetFilter()
	return []string{
		"SearchLogs", strconv.Itoa(int(f.GetMinSeverityNumber())), f.GetService(), f.GetText(), f.GetTraceId(), f.GetTopic(),
		timeOf(req.GetStartTime()).String(), timeOf(req.GetEndTime()).String(),
	}
}

func timeOf(t *timestamppb.Timestamp) time.Time {
	if t == nil {
		return time.Time{}
	}
	return t.AsTime()
}

// TailLogs streams records as they are stored, until the client or the process
// has enough.
func (s *LogQuery) TailLogs(req *logprocv1.TailLogsRequest, stream grpc.ServerStreamingServer[logprocv1.TailLogsResponse]) error {
	filter, err := fromFilter(req.GetFilter())
	if err != nil {
		return err
	}
	ctx := grpcserver.Stopping(stream.Context())
	err = s.Tails.Follow(ctx, filter, func(logs []query.Log, skipped int64) error {
		return stream.Send(&logprocv1.TailLogsResponse{Records: toRecords(logs), Skipped: skipped})
	})
	if cause := context.Cause(ctx); errors.Is(cause, grpcserver.ErrStopping) {
		err = cause
	}
	return asStatus(err)
}

func fromFilter(f *logprocv1.LogFilter) (query.Filter, error) {
	trace, err := hex.DecodeString(f.GetTraceId())
	if err != nil {
		return query.Filter{}, err // protovalidate has refused it before
	}
	out := query.Filter{MinSeverity: int16(f.GetMinSeverityNumber()), Service: f.GetService(), Text: f.GetText(), Topic: f.GetTopic()}
	if len(trace) > 0 {
		out.TraceID = trace
	}
	return out, nil
}

func toRecords(logs []query.Log) []*logprocv1.LogRecord {
	records := make([]*logprocv1.LogRecord, len(logs))
	for i := range logs {
		records[i] = toRecord(&logs[i])
	}
	return records
}

func toRecord(l *query.Log) *logprocv1.LogRecord {
	r := &logprocv1.LogRecord{
		Position: &logprocv1.RecordPosition{
			Topic: l.Topic, Partition: l.Partition, Offset: l.Offset, LeaderEpoch: l.LeaderEpoch, TopicId: hex.EncodeToString(l.TopicID[:]),
		},
		ObservedTimestamp: timestamppb.New(l.Observed),
		SeverityNumber:    int32(l.SeverityNumber),
		SeverityText:      text(l.SeverityText),
		Body:              l.Body,
		Service:           text(l.Service),
		TraceId:           hex.EncodeToString(l.TraceID),
		SpanId:            hex.EncodeToString(l.SpanID),
		AttributesJson:    text(l.Attributes),
		Raw:               l.Raw,
		ParseError:        text(l.ParseError),
		Truncated:         l.Truncated,
	}
	if l.EventTime != nil {
		r.Timestamp = timestamppb.New(*l.EventTime)
	}
	return r
}

func text(s *string) string {
	if s == nil {
		return ""
	}
	return *s
}
