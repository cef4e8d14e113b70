package platform

import (
	"fmt"
	"sync/atomic"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"
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

	const tails = 32 // the most of one replica
	ends := make(chan struct{}, tails)
	var open atomic.Int32
	client := logprocv1.NewLogQueryServiceClient(conn)
	ctx := stand.Bearer(t.Context(), login.GetAccessToken())
	for range tails {
		go func() {
			tail, err := client.TailLogs(ctx, &logprocv1.TailLogsRequest{Filter: &logprocv1.LogFilter{Topic: topic}})
			for n := 0; err == nil; n++ {
				if _, err = tail.Recv(); err == nil && n == 0 {
					open.Add(1)
				}
			}
			if status.Code(err) != codes.Unavailable || status.Convert(err).Message() != "the service is stopping, follow another replica" {
				t.Errorf("a tail ended with %v", err)
			}
			ends <- struct{}{}
		}()
	}
	producer, err := kgo.NewClient(kgo.SeedBrokers(platform.Brokers...), kgo.DefaultProduceTopic(topic))
	if err != nil {
		t.Fatal(err)
	}
	defer producer.Close()
	eventually(t, "all tails are open: each has been sent a record", func() bool {
		if err := producer.ProduceSync(t.Context(), kgo.StringRecord("level=info msg=tailed")).FirstErr(); err != nil {
			t.Error(err)
		}
		return open.Load() == tails || t.Failed()
	})

	r := stopWithin(t, p, frozenBudget)
	if r.Outcome != lifecycle.Clean {
		t.Errorf("%s: %s", r.Outcome, r.Error)
	}
	for range tails {
		<-ends
	}
	// 10 ms apart, by the clock of who told them: a machine with much else to do delivers some of them together.
	if took, least := drained(r), (tails-1)*10*time.Millisecond; took < least {
		t.Errorf("%d tails ended within %v, want %v at least", tails, took, least)
	}
}
