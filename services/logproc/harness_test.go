package logproc

import (
	"bufio"
	"context"
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/curfew-platform/curfew/pkg/localenv/kafkatest"
	"github.com/curfew-platform/curfew/pkg/localenv/kfakebroker"
	"github.com/curfew-platform/curfew/pkg/localenv/leak"
	"github.com/curfew-platform/curfew/pkg/localenv/pgtest"
	"github.com/curfew-platform/curfew/pkg/server"
	"github.com/curfew-platform/curfew/pkg/server/database"
	"github.com/curfew-platform/curfew/pkg/server/keyset"
	"github.com/curfew-platform/curfew/services/logproc/internal/postgres/migrations"
)

// programVariable makes the test binary the service itself, so that the real
// command line, processes and signals are tested.
const programVariable = "LOGPROC_TEST_PROGRAM"

func TestMain(m *testing.M) {
	if os.Getenv(programVariable) != "" {
		os.Exit(server.Main(command(newMine()), os.Args[1:]))
	}
	os.Exit(pgtest.Runner{M: kafkatest.Runner{M: m}}.Run())
}

const patience = 90 * time.Second

// bed is a broker and a database.
type bed struct {
	brokers  []string
	database string
	pool     *pgx.Conn
	client   *kgo.Client
	admin    *kadm.Client
	dir      string
}

func newBed(t testing.TB, brokers []string) *bed {
	t.Helper()
	b := &bed{brokers: brokers, dir: t.TempDir()}
	b.database = pgtest.Database(t, func(ctx context.Context, url string) error {
		return database.Migrate(ctx, url, "", migrations.FS, quiet())
	})
	conn, err := pgx.Connect(t.Context(), b.database)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = conn.Close(context.Background()) })
	b.pool = conn
	b.client, err = kgo.NewClient(kgo.SeedBrokers(brokers...), kgo.RecordPartitioner(kgo.ManualPartitioner()), kgo.ProducerBatchMaxBytes(16<<20))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(b.client.Close)
	b.admin = kadm.NewClient(b.client)
	keys, err := keyset.Generate()
	if err != nil {
		t.Fatal(err)
	}
	b.write(t, "keyset.json", keys)
	b.write(t, "service.token", []byte("unused: services/auth is not there"))
	return b
}

func (b *bed) write(t testing.TB, name string, content []byte) {
	t.Helper()
	if err := os.WriteFile(filepath.Join(b.dir, name), content, 0o600); err != nil {
		t.Fatal(err)
	}
}

func fakeBrokers(t testing.TB) []string {
	t.Helper()
	broker, err := kfakebroker.Start(kfakebroker.Config{Dir: t.TempDir()})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(broker.Close)
	return []string{broker.Address()}
}

func (b *bed) topic(t testing.TB, name string, partitions int32) {
	t.Helper()
	limit := "20971520"
	if _, err := b.admin.CreateTopic(t.Context(), partitions, 1, map[string]*string{"max.message.bytes": &limit}, name); err != nil {
		t.Fatal(err)
	}
}

func (b *bed) produce(t testing.TB, topic string, records ...*kgo.Record) {
	t.Helper()
	for _, r := range records {
		r.Topic = topic
	}
	if err := b.client.ProduceSync(t.Context(), records...).FirstErr(); err != nil {
		t.Fatal(err)
	}
}

// program is a running logproc.
type program struct {
	cmd  *exec.Cmd
	addr string // a file that is there while it serves
	done chan struct{}
	mu   sync.Mutex
	out  []string
}

func (b *bed) start(t testing.TB, topic string, args ...string) *program {
	t.Helper()
	exe, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	p := &program{done: make(chan struct{}), addr: filepath.Join(t.TempDir(), "addr.json")}
	p.cmd = exec.Command(exe, append([]string{
		"serve", "--kafka-brokers", strings.Join(b.brokers, ","), "--database-url", b.database, "--topics", topic,
		"--group", "g-" + topic, "--instance-id", "pod-0", "--keyset-file", filepath.Join(b.dir, "keyset.json"),
		"--service-token-file", filepath.Join(b.dir, "service.token"), "--auth-addr", "127.0.0.1:1", "--dead-letter-topic", topic + ".dlq",
		"--session-timeout", "6s", "--addr-file", p.addr,
	}, args...)...)
	p.cmd.Env = append(os.Environ(), programVariable+"=1")
	p.cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true, Pdeathsig: syscall.SIGKILL}
	stderr, err := p.cmd.StderrPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := p.cmd.Start(); err != nil {
		t.Fatal(err)
	}
	go func() {
		defer close(p.done)
		lines := bufio.NewScanner(stderr)
		lines.Buffer(nil, 1<<20)
		for lines.Scan() {
			p.mu.Lock()
			p.out = append(p.out, lines.Text())
			p.mu.Unlock()
		}
		_ = p.cmd.Wait()
	}()
	t.Cleanup(func() {
		p.signal(syscall.SIGCONT)
		p.signal(syscall.SIGKILL)
		<-p.done
		leak.Text("logproc", p.output(1<<20))
		if t.Failed() {
			t.Logf("output of logproc:\n%s", p.output(120))
		}
	})
	return p
}

func (p *program) signal(sig syscall.Signal) { _ = p.cmd.Process.Signal(sig) }

func (p *program) output(last int) string {
	p.mu.Lock()
	defer p.mu.Unlock()
	return strings.Join(p.out[max(0, len(p.out)-last):], "\n")
}

// ready waits until the program serves: before that a SIGTERM just ends it.
func (p *program) ready(t testing.TB) {
	t.Helper()
	eventually(t, "logproc serves", func() bool {
		_, err := os.Stat(p.addr)
		return err == nil || ended(p)
	})
}

var recordLine = regexp.MustCompile(`read ([0-9,]+) = stored ([0-9,]+) \+ dead-lettered ([0-9,]+) \+ sampled out ([0-9,]+) \+ handed back ([0-9,]+) \+ unresolved ([0-9,]+); lost (-?[0-9,]+)`)

// stop sends SIGTERM and returns the line of the records.
func (p *program) stop(t testing.TB) (line string, numbers []int64) {
	t.Helper()
	p.ready(t)
	p.signal(syscall.SIGTERM)
	select {
	case <-p.done:
	case <-time.After(patience):
		t.Fatalf("logproc does not stop:\n%s", p.output(100))
	}
	match := recordLine.FindStringSubmatch(p.output(1 << 20))
	if match == nil {
		t.Fatalf("no line about the records:\n%s", p.output(100))
	}
	for _, s := range match[1:] {
		var n int64
		if _, err := fmt.Sscan(strings.ReplaceAll(s, ",", ""), &n); err != nil {
			t.Fatal(err)
		}
		numbers = append(numbers, n)
	}
	return match[0], numbers
}

// workers returns the pids of the worker processes, by the lines of their
// parent.
func (p *program) workers() []int {
	entries, err := filepath.Glob(fmt.Sprintf("/proc/%d/task/*/children", p.cmd.Process.Pid))
	if err != nil {
		return nil
	}
	var pids []int
	for _, file := range entries {
		content, err := os.ReadFile(file)
		if err != nil {
			continue
		}
		for field := range strings.FieldsSeq(string(content)) {
			var pid int
			if _, err := fmt.Sscan(field, &pid); err == nil && !isWarden(pid) {
				pids = append(pids, pid)
			}
		}
	}
	return pids
}

// isWarden tells whether a process is not a worker but the supervisor's warden.
func isWarden(pid int) bool {
	args, _ := os.ReadFile(fmt.Sprintf("/proc/%d/cmdline", pid))
	return strings.HasPrefix(string(args), "supervisor-warden")
}

// eventually polls until ok says yes.
func eventually(t testing.TB, what string, ok func() bool) {
	t.Helper()
	deadline := time.NewTimer(patience)
	defer deadline.Stop()
	tick := time.NewTicker(20 * time.Millisecond)
	defer tick.Stop()
	for !ok() {
		select {
		case <-deadline.C:
			t.Fatalf("not within %v: %s", patience, what)
		case <-tick.C:
		}
	}
}

func (b *bed) count(t testing.TB, sql string, args ...any) (n int64) {
	t.Helper()
	if err := b.pool.QueryRow(t.Context(), sql, args...).Scan(&n); err != nil {
		t.Fatalf("%s: %v", sql, err)
	}
	return n
}

// awaitStored waits until n records of a topic are stored, as long as it goes on:
// how fast is a matter of the machine.
func (b *bed) awaitStored(t testing.TB, topic string, n int64) {
	t.Helper()
	tick := time.NewTicker(100 * time.Millisecond) // Counting takes from what the pipeline has.
	defer tick.Stop()
	last, since := int64(-1), time.Now()
	for {
		switch stored := b.stored(t, topic); {
		case stored >= n:
			return
		case stored != last:
			last, since = stored, time.Now()
		case time.Since(since) > patience:
			t.Fatalf("%d of %d records are stored, and none for %v", stored, n, patience)
		}
		<-tick.C
	}
}

func (b *bed) stored(t testing.TB, topic string) int64 {
	t.Helper()
	return b.count(t, "SELECT (SELECT count(*) FROM logs WHERE kafka_topic = $1) + (SELECT count(*) FROM dead_letters WHERE kafka_topic = $1)", topic)
}

// jsonRecord is a record as slog writes it.
func jsonRecord(partition int32, n int) *kgo.Record {
	value, err := json.Marshal(map[string]any{
		"time": "2026-11-22T03:04:05.123456Z", "level": "INFO", "msg": fmt.Sprintf("record %d", n), "service": "orders",
		"trace_id": "0af7651916cd43dd8448eb211c80319c", "span_id": "b7ad6b7169203331", "n": n, "path": "/v1/orders/" + strings.Repeat("x", 80),
	})
	if err != nil {
		panic(err)
	}
	return &kgo.Record{Partition: partition, Value: value}
}
