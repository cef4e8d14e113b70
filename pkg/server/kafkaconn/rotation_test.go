package kafkaconn_test

import (
	"context"
	"errors"
	"log/slog"
	"os"
	"path/filepath"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/curfew-platform/curfew/pkg/localenv/authority"
	"github.com/curfew-platform/curfew/pkg/localenv/kafka"
	"github.com/curfew-platform/curfew/pkg/server/kafkaconn"
)

const (
	// reauth is after how long the broker makes a connection log in again. A
	// client does so a second before.
	reauth = 3 * time.Second
	// rotationLimit bounds the whole of it.
	rotationLimit = time.Minute
)

// TestAPasswordOfKafkaIsChangedAndTheClientNeedsNoRestart: between the change at
// the broker and that of the file nobody can log in, and the broker makes
// everybody do so every 3 s. Who produces tries again, as a relay does.
func TestAPasswordOfKafkaIsChangedAndTheClientNeedsNoRestart(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	ca := authority.New(t, dir, "ca")
	cert, key := ca.Issue(t, dir, "client")
	secret := filepath.Join(dir, "secret")
	write(t, secret, password)
	cluster := startBroker(t, ca, reauth)
	settings := kafkaconn.Settings{
		TLSCA: ca.File, TLSCert: cert, TLSKey: key, SASLMechanism: "SCRAM-SHA-512", SASLUsername: "alice", SASLPasswordFile: secret,
	}
	ctx, cancel := context.WithTimeout(t.Context(), rotationLimit)
	defer cancel()
	admin := administrator(t, cluster)
	if _, err := admin.CreateTopic(ctx, 1, 1, nil, "rotation"); err != nil {
		t.Fatal(err)
	}
	producer, err := kgo.NewClient(append(settings.Options(slog.New(slog.DiscardHandler)), kgo.SeedBrokers(cluster.SecureAddress()),
		kgo.DefaultProduceTopic("rotation"), kgo.RequiredAcks(kgo.AllISRAcks()))...)
	if err != nil {
		t.Fatal(err)
	}
	defer producer.Close()
	var produced, refusals atomic.Int64
	done := make(chan struct{})
	var load sync.WaitGroup
	load.Go(func() {
		for {
			select {
			case <-done:
				return
			default:
			}
			switch err := producer.ProduceSync(ctx, kgo.SliceRecord([]byte("x"))).FirstErr(); {
			case err == nil:
				produced.Add(1)
			case errors.Is(err, kerr.SaslAuthenticationFailed):
				refusals.Add(1)
			default:
				t.Errorf("record %d: %v", produced.Load(), err)
				return
			}
		}
	})
	await := func(what string, is func() bool) {
		t.Helper()
		tick := time.NewTicker(20 * time.Millisecond)
		defer tick.Stop()
		for !is() {
			select {
			case <-ctx.Done():
				t.Fatalf("not so: %s", what)
			case <-tick.C:
			}
		}
	}
	await("records arrive", func() bool { return produced.Load() > 100 })
	changePassword(ctx, t, admin, "alice", wrong)
	// Nobody gets in with the old password any more.
	old := settings
	old.SASLPasswordFile = filepath.Join(dir, "old")
	write(t, old.SASLPasswordFile, password)
	refused(t, "the old password", ping(t, connect(t, cluster.SecureAddress(), old)), "SASL_AUTHENTICATION_FAILED")
	await("the client has to log in again", func() bool { return refusals.Load() > 0 })
	before := produced.Load()
	write(t, secret+".new", wrong)
	if err := os.Rename(secret+".new", secret); err != nil {
		t.Fatal(err)
	}
	await("records arrive again, with the new password", func() bool { return produced.Load() > before+100 })
	close(done)
	load.Wait()
	ends, err := admin.ListEndOffsets(ctx, "rotation")
	if err != nil {
		t.Fatal(err)
	}
	if end, _ := ends.Lookup("rotation", 0); end.Offset != produced.Load() {
		t.Errorf("%d records were acknowledged, %d are there", produced.Load(), end.Offset)
	}
}

// administrator reaches the broker without TLS and a password.
func administrator(t *testing.T, cluster *kafka.Cluster) *kadm.Client {
	t.Helper()
	client, err := kgo.NewClient(kgo.SeedBrokers(cluster.Address()))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(client.Close)
	return kadm.NewClient(client)
}

func changePassword(ctx context.Context, t *testing.T, admin *kadm.Client, user, to string) {
	t.Helper()
	altered, err := admin.AlterUserSCRAMs(ctx, nil, []kadm.UpsertSCRAM{{
		User: user, Mechanism: kadm.ScramSha512, Iterations: 4096, Password: to,
	}})
	if err != nil {
		t.Fatal(err)
	}
	if err := altered.Error(); err != nil {
		t.Fatal(err)
	}
}
