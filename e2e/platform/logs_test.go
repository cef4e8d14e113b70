package platform

import (
	"context"
	"fmt"
	"os/exec"
	"strings"
	"testing"
	"time"

	"github.com/google/uuid"
	"google.golang.org/protobuf/types/known/timestamppb"

	"github.com/curfew-platform/curfew/e2e/lostlogs"
	"github.com/curfew-platform/curfew/e2e/stand"
	authv1 "github.com/curfew-platform/curfew/proto/gen/curfew/auth/v1"
	logprocv1 "github.com/curfew-platform/curfew/proto/gen/curfew/logproc/v1"
	ordersv1 "github.com/curfew-platform/curfew/proto/gen/curfew/orders/v1"
)

// logs returns clients of logproc and a context of an administrator.
func logs(t *testing.T) (logprocv1.LogQueryServiceClient, logprocv1.PipelineServiceClient, context.Context) {
	t.Helper()
	auth, err := platform.DialAuth()
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(auth.Close)
	login, err := auth.Auth.Login(t.Context(), &authv1.LoginRequest{Email: platform.AdminEmail, Password: platform.AdminPassword})
	if err != nil {
		t.Fatal(err)
	}
	conn, err := stand.Dial(platform.Logproc)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = conn.Close() })
	return logprocv1.NewLogQueryServiceClient(conn), logprocv1.NewPipelineServiceClient(conn), stand.Bearer(t.Context(), login.GetAccessToken())
}

// find searches until a record with the text is there.
func find(ctx context.Context, t *testing.T, client logprocv1.LogQueryServiceClient, filter *logprocv1.LogFilter) *logprocv1.LogRecord {
	t.Helper()
	ctx, cancel := context.WithTimeout(ctx, 20*time.Second)
	defer cancel()
	tick := time.NewTicker(50 * time.Millisecond)
	defer tick.Stop()
	for {
		page, err := client.SearchLogs(ctx, &logprocv1.SearchLogsRequest{
			Filter: filter, StartTime: timestamppb.New(time.Now().Add(-time.Hour)), EndTime: timestamppb.New(time.Now().Add(time.Hour)),
		})
		if err != nil {
			t.Fatalf("search: %v", err)
		}
		if len(page.GetRecords()) > 0 {
			return page.GetRecords()[0]
		}
		select {
		case <-tick.C:
		case <-ctx.Done():
			t.Fatalf("no record of %v", filter)
		}
	}
}

func TestLinesOfAForeignProducerAreFoundWhateverTheirForm(t *testing.T) {
	client, _, ctx := logs(t)
	mark := uuid.NewString()
	lines := fmt.Sprintf("plain line %s\nlevel=warn msg=\"logfmt line %s\" service=legacy\n<34>1 %s host app - - - syslog line %s\n",
		mark, mark, time.Now().UTC().Format(time.RFC3339), mark)
	kcat := exec.CommandContext(t.Context(), "kcat", "-P", "-b", platform.Brokers[0], "-t", "logs")
	kcat.Stdin = strings.NewReader(lines)
	if out, err := kcat.CombinedOutput(); err != nil {
		t.Fatalf("kcat: %v: %s", err, out)
	}
	for _, kind := range []string{"plain", "logfmt", "syslog"} {
		r := find(ctx, t, client, &logprocv1.LogFilter{Text: kind + " line " + mark})
		if !strings.Contains(r.GetBody(), mark) {
			t.Errorf("%s: body %q", kind, r.GetBody())
		}
	}
}

func TestThePlatformEatsItsOwnLogs(t *testing.T) {
	client, _, ctx := logs(t)
	user, login := customer(t)
	query := ordersv1.NewOrderQueryServiceClient(orders(t, platform.Orders[0]))
	if _, err := query.ListOrders(stand.Bearer(t.Context(), login.GetAccessToken()), &ordersv1.ListOrdersRequest{Parent: user.Name}); err != nil {
		t.Fatal(err)
	}
	for _, service := range []string{"auth", "orders"} {
		r := find(ctx, t, client, &logprocv1.LogFilter{Service: service, Text: "call finished"})
		if r.GetService() != service {
			t.Errorf("service %q, want %q", r.GetService(), service)
		}
	}
	find(ctx, t, client, &logprocv1.LogFilter{Service: "logproc"})
}

func TestTheStatusListsFourWorkersAndTheirPartitions(t *testing.T) {
	_, client, ctx := logs(t)
	s, err := client.GetStatus(ctx, &logprocv1.GetStatusRequest{})
	if err != nil {
		t.Fatal(err)
	}
	partitions := 0
	for _, w := range s.GetWorkers() {
		if w.GetPid() == 0 || w.GetGeneration() == 0 {
			t.Errorf("worker %v", w)
		}
		partitions += len(w.GetPartitions())
	}
	if len(s.GetWorkers()) != 4 || partitions == 0 {
		t.Errorf("%d workers with %d partitions", len(s.GetWorkers()), partitions)
	}
}

func TestAStopInFullFlightLosesNothing(t *testing.T) {
	leg, line, err := lostlogs.Ours(t.Context(), platform, strings.ToLower(uuid.NewString()[:8]), 200_000, 30*time.Second)
	if err != nil {
		t.Fatal(err)
	}
	if leg.Killed || !leg.Count.Holds() {
		t.Errorf("%+v", leg)
	}
	if !strings.HasSuffix(line, "lost 0") {
		t.Errorf("the parent says: %s", line)
	}
}
