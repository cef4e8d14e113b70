package platform

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/curfew-platform/curfew/e2e/stand"
	"github.com/curfew-platform/curfew/pkg/lifecycle"
	"github.com/curfew-platform/curfew/pkg/localenv/daemon"
	"github.com/curfew-platform/curfew/pkg/localenv/kafka"
	"github.com/curfew-platform/curfew/pkg/localenv/postgres"
	ordersv1 "github.com/curfew-platform/curfew/proto/gen/curfew/orders/v1"
)

const (
	// frozenBudget is what a stop may take with the default settings while what it depends on is frozen.
	frozenBudget = 10 * time.Second
	// grace is that of the services by default.
	grace = 30 * time.Second
	// frozenFor is how long the dependency has been silent when the stop begins.
	frozenFor = 2 * time.Second
)

// start runs a server until the end of the test.
func start(t *testing.T, spec daemon.Spec, ready func(context.Context) error) *daemon.Process {
	t.Helper()
	var out bytes.Buffer
	spec.Output = &out
	p, err := daemon.Start(spec)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		ctx, cancel := context.WithTimeout(context.Background(), 20*time.Second)
		defer cancel()
		if err := p.Stop(ctx); err != nil {
			t.Errorf("%v\n%s", err, out.String())
		}
	})
	ctx, cancel := context.WithTimeout(t.Context(), readyLimit)
	defer cancel()
	if err := p.Await(ctx, ready); err != nil {
		t.Fatalf("%v\n%s", err, out.String())
	}
	return p
}

// freeze stops a process and all that descend from it, by SIGSTOP, until the end of the test. The process is first: it
// could have one more child otherwise, of which nobody knows.
func freeze(t *testing.T, pid int) {
	t.Helper()
	stop := func(p int) error {
		t.Cleanup(func() { _ = syscall.Kill(p, syscall.SIGCONT) }) // gone by now, perhaps
		return syscall.Kill(p, syscall.SIGSTOP)
	}
	if err := stop(pid); err != nil {
		t.Fatal(err)
	}
	for _, p := range descendants(t, pid) {
		_ = stop(p)
	}
}

// descendants returns the children of a process and theirs.
func descendants(t *testing.T, pid int) (all []int) {
	t.Helper()
	stats, err := filepath.Glob("/proc/[0-9]*/stat")
	if err != nil {
		t.Fatal(err)
	}
	children := map[int][]int{}
	for _, file := range stats {
		content, err := os.ReadFile(file)
		if err != nil {
			continue // it has ended
		}
		// The name may hold spaces: the parent is the second field behind its closing parenthesis.
		_, rest, _ := strings.Cut(string(content), ") ")
		fields := strings.Fields(rest)
		if len(fields) < 2 {
			continue
		}
		child, _ := strconv.Atoi(filepath.Base(filepath.Dir(file)))
		parent, _ := strconv.Atoi(fields[1])
		children[parent] = append(children[parent], child)
	}
	for next := children[pid]; len(next) > 0; next = next[1:] {
		all = append(all, next[0])
		next = append(next, children[next[0]]...)
	}
	return all
}

// stopWithin stops a process and returns its report.
func stopWithin(t *testing.T, p *stand.Process, limit time.Duration) lifecycle.Report {
	t.Helper()
	took, killed, err := p.Stop(grace)
	if err != nil {
		t.Fatal(err)
	}
	r, ok := lastReport(p.Stderr())
	t.Logf("stopped in %v: %s %s", took, r.Outcome, r.Error)
	if killed || took > limit || !ok {
		t.Errorf("stopped in %v of %v, killed %v:\n%s", took, limit, killed, p.Stderr())
	}
	return r
}

// lastReport finds the stop report in what a process has written.
func lastReport(stderr string) (lifecycle.Report, bool) {
	var found struct {
		Msg string `json:"msg"`
		lifecycle.Report
	}
	lines := strings.Split(strings.TrimSpace(stderr), "\n")
	for _, line := range slices.Backward(lines) {
		if strings.Contains(line, `"msg":"stop report"`) && json.Unmarshal([]byte(line), &found) == nil {
			return found.Report, true
		}
	}
	return lifecycle.Report{}, false
}

func newKafka(t *testing.T) (address string, broker *daemon.Process) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), readyLimit)
	defer cancel()
	cluster, err := kafka.Prepare(ctx, kafka.Config{Dir: t.TempDir()})
	if err != nil {
		t.Fatal(err)
	}
	return cluster.Address(), start(t, cluster.Spec(), cluster.Ready)
}

func createTopic(t *testing.T, broker, topic string) {
	t.Helper()
	client, err := kgo.NewClient(kgo.SeedBrokers(broker))
	if err != nil {
		t.Fatal(err)
	}
	defer client.Close()
	if _, err := kadm.NewClient(client).CreateTopic(t.Context(), 4, 1, nil, topic); err != nil {
		t.Fatal(err)
	}
}

// flood produces records until the end of the test, so that a consumer is always at work.
func flood(t *testing.T, broker, topic string) {
	t.Helper()
	client, err := kgo.NewClient(kgo.SeedBrokers(broker), kgo.DefaultProduceTopic(topic))
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	var producing sync.WaitGroup
	producing.Go(func() {
		for i := 0; ctx.Err() == nil; i++ {
			record := kgo.StringRecord(fmt.Sprintf("level=info msg=\"line %d\" service=frozen", i))
			if client.ProduceSync(ctx, record).FirstErr() != nil {
				return
			}
		}
	})
	t.Cleanup(func() {
		cancel()
		producing.Wait()
		client.Close()
	})
}

func TestAFrozenBrokerHoldsUpNoStop(t *testing.T) {
	t.Parallel()
	address, broker := newKafka(t)
	topic := fmt.Sprintf("frozen-%d", time.Now().UnixNano())
	createTopic(t, address, topic)
	flood(t, address, topic)
	pipeline, err := platform.StartService(t.Context(), "logproc", nil, "--kafka-brokers", address, "--topics", topic, "--group", topic,
		"--instance-id", topic, "--dead-letter-topic", topic+".dlq", "--log-kafka-brokers", "")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(pipeline.Kill)
	consumer := startConsumer(t, address, topic)

	db, err := stand.Connect(t.Context(), platform.LogprocDatabase)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = db.Close(context.Background()) })
	t.Cleanup(func() {
		if t.Failed() {
			t.Logf("logproc:\n%s\nconsumer:\n%s", pipeline.Stderr(), consumer.Stderr())
		}
	})
	eventually(t, "logproc has stored records of the topic", func() bool {
		var n int
		return db.QueryRow(t.Context(), "SELECT count(*) FROM logs WHERE kafka_topic = $1", topic).Scan(&n) == nil && n > 0
	})
	eventually(t, "the consumer has committed", func() bool { return strings.Contains(consumer.Stderr(), "a batch is done") })

	freeze(t, broker.Pid())
	pass(frozenFor)
	var stops sync.WaitGroup
	stops.Go(func() { stopWithin(t, pipeline, frozenBudget) })
	stops.Go(func() {
		for _, ph := range stopWithin(t, consumer, frozenBudget).Phases {
			if ph.Phase == lifecycle.Commit && ph.Outcome == lifecycle.Skipped {
				t.Errorf("the commit was skipped: %+v", ph)
			}
		}
	})
	stops.Wait()
}

func TestAFrozenDatabaseHoldsUpNoStop(t *testing.T) {
	t.Parallel()
	ctx, cancel := context.WithTimeout(t.Context(), readyLimit)
	defer cancel()
	cluster, err := postgres.Prepare(ctx, postgres.Config{Dir: t.TempDir()})
	if err != nil {
		t.Fatal(err)
	}
	server := start(t, cluster.Spec(), cluster.Ready)
	admin, err := stand.Connect(ctx, cluster.URL("postgres"))
	if err != nil {
		t.Fatal(err)
	}
	defer admin.Close(ctx)
	services := map[string]*stand.Process{}
	for _, name := range []string{"auth", "orders"} {
		if _, err := admin.Exec(ctx, "CREATE DATABASE "+name); err != nil {
			t.Fatal(err)
		}
		url := cluster.URL(name)
		env := []string{"CURFEW_" + strings.ToUpper(name) + "_DATABASE_URL=" + url, "CURFEW_" + strings.ToUpper(name) + "_MIGRATE_DATABASE_URL=" + url}
		migrate := exec.CommandContext(ctx, filepath.Join(platform.Bin, name), "migrate")
		migrate.Env = append(os.Environ(), env...)
		if out, err := migrate.CombinedOutput(); err != nil {
			t.Fatalf("%s migrate: %v\n%s", name, err, out)
		}
		if services[name], err = platform.StartService(ctx, name, env, "--log-kafka-brokers", ""); err != nil {
			t.Fatal(err)
		}
		t.Cleanup(services[name].Kill)
	}
	user, login := customer(t)
	query := ordersv1.NewOrderQueryServiceClient(orders(t, services["orders"].GRPC))
	list := func(ctx context.Context) error {
		_, err := query.ListOrders(stand.Bearer(ctx, login.GetAccessToken()), &ordersv1.ListOrdersRequest{Parent: user.Name})
		return err
	}
	if err := list(t.Context()); err != nil {
		t.Fatal(err)
	}

	freeze(t, server.Pid())
	var calls, stops sync.WaitGroup
	for range 10 { // calls that wait for the database
		calls.Go(func() {
			ctx, cancel := context.WithTimeout(t.Context(), 4*time.Second)
			defer cancel()
			if err := list(ctx); err == nil {
				t.Error("a frozen database has answered")
			}
		})
	}
	pass(frozenFor)
	for _, p := range services {
		stops.Go(func() { stopWithin(t, p, frozenBudget) })
	}
	stops.Wait()
	calls.Wait()
}

// Half a second more than the one second, for a machine that has other things to do, and another try for one that
// stood still meanwhile.
func TestAFrozenClientCostsAboutASecond(t *testing.T) {
	const budget, tries = 1500 * time.Millisecond, 3
	var took []time.Duration
	for len(took) < tries {
		service, err := platform.StartService(t.Context(), "orders", nil, "--log-kafka-brokers", "")
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(service.Kill)
		freeze(t, startClient(t, service.GRPC))
		r := stopWithin(t, service, frozenBudget)
		if r.Outcome != lifecycle.Clean {
			t.Errorf("%s", r.Error)
		}
		took = append(took, drained(r))
		if last := took[len(took)-1]; last > 0 && last <= budget {
			return
		}
	}
	t.Errorf("a frozen client costs %v", took)
}

// drained is how long the calls of a server were awaited in a stop.
func drained(r lifecycle.Report) time.Duration {
	for _, phase := range r.Phases {
		for _, part := range phase.Parts {
			if part.Name == "grpc" {
				return time.Duration(part.Used)
			}
		}
	}
	return 0
}
