package rpc

import (
	"context"
	"fmt"
	"net"
	"testing"
	"time"

	"github.com/jackc/pgx/v5/pgxpool"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/types/known/timestamppb"

	refusal "github.com/curfew-platform/curfew/pkg/interceptors/status"
	"github.com/curfew-platform/curfew/pkg/server/keyset/keysettest"
	"github.com/curfew-platform/curfew/pkg/server/pagetoken"
	logprocv1 "github.com/curfew-platform/curfew/proto/gen/curfew/logproc/v1"
	"github.com/curfew-platform/curfew/services/logproc/internal/postgres"
	"github.com/curfew-platform/curfew/services/logproc/internal/query"
)

// Else clients take an outage of the database for a fault of the service, and do
// not try again.
func TestWithoutADatabaseQuestionsAreUnavailable(t *testing.T) {
	listener, err := new(net.ListenConfig).Listen(t.Context(), "tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	nobody := listener.Addr().String()
	if err := listener.Close(); err != nil {
		t.Fatal(err)
	}
	pool, err := pgxpool.New(t.Context(), "postgres://user@"+nobody+"/db?sslmode=disable")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(pool.Close)
	pages, reader := pagetoken.New(keysettest.New(t)), &postgres.Reader{Pool: pool, Group: "g"}
	logs := &LogQuery{Store: reader, Pages: pages, Now: time.Now}
	pipe := &Pipeline{Group: "g", Ledger: reader, Pages: pages}
	_, search := logs.SearchLogs(t.Context(), &logprocv1.SearchLogsRequest{StartTime: timestamppb.New(time.Now().Add(-time.Hour))})
	_, partitions := pipe.ListPartitions(t.Context(), &logprocv1.ListPartitionsRequest{})
	_, letters := pipe.ListDeadLetters(t.Context(), &logprocv1.ListDeadLettersRequest{})
	for call, err := range map[string]error{"SearchLogs": search, "ListPartitions": partitions, "ListDeadLetters": letters} {
		if status.Code(err) != codes.Unavailable || refusal.Reason(err) != "STORE_UNAVAILABLE" {
			t.Errorf("%s: %v", call, err)
		}
	}
}

func TestALimitOfTheConnectionToTheDatabaseIsNoEndOfACall(t *testing.T) {
	limit := fmt.Errorf("search logs: %w: failed to connect: %w", query.ErrUnavailable, context.DeadlineExceeded)
	if reason := refusal.Reason(asStatus(limit)); reason != "STORE_UNAVAILABLE" {
		t.Errorf("reason %q", reason)
	}
	if err := asStatus(fmt.Errorf("search logs: %w: %w", query.ErrUnavailable, context.Canceled)); refusal.Reason(err) != "" {
		t.Errorf("a call that was given up is judged here: %v", err)
	}
}
