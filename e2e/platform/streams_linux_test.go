package platform

import (
	"context"
	"fmt"
	"testing"
	"time"

	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	"github.com/curfew-platform/curfew/e2e/stand"
	"github.com/curfew-platform/curfew/pkg/lifecycle"
	authv1 "github.com/curfew-platform/curfew/proto/gen/curfew/auth/v1"
	logprocv1 "github.com/curfew-platform/curfew/proto/gen/curfew/logproc/v1"
)

func TestWhoFollowsTheLogsIsSentToAnotherReplicaOneAfterTheOther(t *testing.T) {
	topic := fmt.Sprintf("tail-%d", time.Now().UnixNano())
	createTopic(t, platform.Brokers[0], topic)
	p, err := platform.StartService(t.Context(), "logproc", nil, "--topics", topic, "--group", topic, "--instance-id", topic,
		"--dead-letter-topic", "", "--log-kafka-brokers", "", "--workers", "1")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(p.Kill)
	auth, err := platform.DialAuth()
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(auth.Close)
	login, err := auth.Auth.Login(t.Context(), &authv1.LoginRequest{Email: platform.AdminEmail, Password: platform.AdminPassword})
	if err != nil {
		t.Fatal(err)
	}
	conn, err := stand.Dial(p.GRPC)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = conn.Close() })

	const tails = 32 // the most of one replica, so that one more is refused when all are open
	ends := make(chan time.Time, tails)
	client := logprocv1.NewLogQueryServiceClient(conn)
	follow := func(ctx context.Context) error {
		tail, err := client.TailLogs(ctx, &logprocv1.TailLogsRequest{Filter: &logprocv1.LogFilter{Topic: topic}})
		for err == nil {
			_, err = tail.Recv()
		}
		return err
	}
	ctx := stand.Bearer(t.Context(), login.GetAccessToken())
	for range tails {
		go func() {
			err := follow(ctx)
			for status.Code(err) == codes.ResourceExhausted && ctx.Err() == nil { // by the one below
				err = follow(ctx)
			}
			if status.Code(err) != codes.Unavailable || status.Convert(err).Message() != "the service is stopping, follow another replica" {
				t.Errorf("a tail ended with %v", err)
			}
			ends <- time.Now()
		}()
	}
	refused := 0
	eventually(t, "all tails are open", func() bool {
		ctx, cancel := context.WithTimeout(ctx, 500*time.Millisecond)
		defer cancel()
		if status.Code(follow(ctx)) == codes.ResourceExhausted {
			refused++
		} else {
			refused = 0
		}
		return refused == 3 // the one before it has given its place back by then
	})

	if r := stopWithin(t, p, 3*time.Second); r.Outcome != lifecycle.Clean {
		t.Errorf("%s: %s", r.Outcome, r.Error)
	}
	var first, end time.Time
	for range tails {
		at := <-ends
		if first.IsZero() {
			first = at
		}
		end = at
	}
	// 10 ms apart; half of it, for a machine that delivers some of them together.
	if spread := end.Sub(first); spread < (tails-1)*5*time.Millisecond {
		t.Errorf("%d tails ended within %v", tails, spread)
	}
}
