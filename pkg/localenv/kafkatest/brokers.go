// Package kafkatest gives tests a real Apache Kafka: the one that
// CURFEW_TEST_KAFKA_BROKERS lists, or a private one that is started on first
// use and ends with the test binary.
package kafkatest

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"os"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/curfew-platform/curfew/pkg/localenv/kafka"
	"github.com/curfew-platform/curfew/pkg/localenv/scratch"
)

// BrokersVariable is the environment variable with the comma-separated
// addresses of a shared cluster.
const BrokersVariable = "CURFEW_TEST_KAFKA_BROKERS"

// patience bounds a start, downloads included, and every administrative request.
const patience = 5 * time.Minute

// private is the broker of this test binary.
//
//nolint:gochecknoglobals // Shared by all tests of a binary, which have no other common owner.
var private struct {
	sync.Mutex

	cluster *kafka.Cluster
	folder  *scratch.Folder
	err     error
}

// Brokers returns the addresses of the test cluster.
func Brokers(t testing.TB) []string {
	t.Helper()
	if shared := os.Getenv(BrokersVariable); shared != "" {
		return strings.Split(shared, ",")
	}
	private.Lock()
	defer private.Unlock()
	if private.cluster == nil && private.err == nil {
		private.err = start()
	}
	if private.err != nil {
		t.Fatalf("start a private Kafka: %v", private.err)
	}
	return []string{private.cluster.Address()}
}

// Topic makes a topic with a fresh name and the number of partitions, and
// deletes it at the test's end.
func Topic(t testing.TB, brokers []string, partitions int32) string {
	t.Helper()
	client, err := kgo.NewClient(kgo.SeedBrokers(brokers...))
	if err != nil {
		t.Fatalf("make a kafka client: %v", err)
	}
	admin := kadm.NewClient(client)
	name := "test-" + strings.ToLower(rand.Text()[:16])
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	if _, err := admin.CreateTopic(ctx, partitions, 1, nil, name); err != nil {
		t.Fatalf("create the topic: %v", err)
	}
	t.Cleanup(func() {
		defer client.Close()
		ctx, cancel := context.WithTimeout(context.Background(), 30*time.Second)
		defer cancel()
		if _, err := admin.DeleteTopic(ctx, name); err != nil {
			t.Errorf("delete the topic: %v", err)
		}
	})
	return name
}

// Main runs the tests of a package and stops its private broker. Use it in
// TestMain, alone or, where another runner wraps it, through Runner.
func Main(m *testing.M) { Runner{m}.Run() }

// Runner is a testing.M that stops the private broker after the tests, for
// goleak.VerifyTestMain and pgtest.Runner.
type Runner struct{ M interface{ Run() int } }

// Run runs the tests and returns their exit status.
func (r Runner) Run() int {
	code := r.M.Run()
	if err := stop(); err != nil {
		fmt.Fprintln(os.Stderr, "stop the private Kafka:", err)
	}
	return code
}

func start() error {
	folder, err := scratch.Make("curfew-kafkatest")
	if err != nil {
		return err
	}
	private.folder = folder
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	cluster, err := kafka.Prepare(ctx, kafka.Config{Dir: folder.Path()})
	if err != nil {
		return err
	}
	if err := cluster.Start(ctx); err != nil {
		return err
	}
	private.cluster = cluster
	return nil
}

func stop() error {
	private.Lock()
	defer private.Unlock()
	var err error
	if private.cluster != nil {
		ctx, cancel := context.WithTimeout(context.Background(), 20*time.Second)
		defer cancel()
		err = private.cluster.Stop(ctx)
		private.cluster = nil
	}
	if private.folder != nil {
		err = errors.Join(err, private.folder.Remove())
		private.folder = nil
	}
	return err
}
