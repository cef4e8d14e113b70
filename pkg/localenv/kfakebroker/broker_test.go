package kfakebroker_test

import (
	"bufio"
	"context"
	"fmt"
	"os"
	"os/exec"
	"strconv"
	"strings"
	"testing"

	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/curfew-platform/curfew/pkg/localenv/freeport"
	"github.com/curfew-platform/curfew/pkg/localenv/kfakebroker"
)

const childVariable = "KFAKEBROKER_TEST_CHILD"

func TestMain(m *testing.M) {
	if child := os.Getenv(childVariable); child != "" {
		serve(child)
	}
	m.Run()
}

// serve is the broker process of the kill test: it prints its address and
// stays until it is killed.
func serve(child string) {
	port, dir, _ := strings.Cut(child, " ")
	number, _ := strconv.Atoi(port)
	broker, err := kfakebroker.Start(kfakebroker.Config{
		Dir: dir, Port: number, Topics: map[string]int32{"logs": 4},
	})
	if err != nil {
		panic(err)
	}
	fmt.Println(broker.Address())
	select {}
}

// spawn starts the broker process and returns its address and a function that
// kills it with SIGKILL.
func spawn(t *testing.T, port int, dir string) (address string, kill func()) {
	t.Helper()
	cmd := exec.CommandContext(context.WithoutCancel(t.Context()), os.Args[0])
	cmd.Env = append(os.Environ(), fmt.Sprintf("%s=%d %s", childVariable, port, dir))
	cmd.Stderr = os.Stderr
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	kill = func() {
		_ = cmd.Process.Kill()
		_ = cmd.Wait()
	}
	t.Cleanup(kill)
	address, err = bufio.NewReader(out).ReadString('\n')
	if err != nil {
		t.Fatal(err)
	}
	return strings.TrimSpace(address), kill
}

func TestEveryAnsweredRecordSurvivesASIGKILLOfTheBroker(t *testing.T) {
	const records = 500
	dir := t.TempDir()
	// A port that nobody else is given while the broker is down.
	ports, err := freeport.Find(t.Context(), 1)
	if err != nil {
		t.Fatal(err)
	}
	address, kill := spawn(t, ports[0], dir)
	producer, err := kgo.NewClient(kgo.SeedBrokers(address), kgo.DefaultProduceTopic("logs"))
	if err != nil {
		t.Fatal(err)
	}
	defer producer.Close()
	for i := range records {
		if err := producer.ProduceSync(t.Context(), kgo.StringRecord(strconv.Itoa(i))).FirstErr(); err != nil {
			t.Fatal(err)
		}
	}
	kill()

	address, _ = spawn(t, ports[0], dir)
	consumer, err := kgo.NewClient(kgo.SeedBrokers(address), kgo.ConsumeTopics("logs"))
	if err != nil {
		t.Fatal(err)
	}
	defer consumer.Close()
	seen := map[string]bool{}
	for len(seen) < records {
		fetches := consumer.PollFetches(t.Context())
		if err := fetches.Err(); err != nil {
			t.Fatalf("%d of %d records are back: %v", len(seen), records, err)
		}
		fetches.EachRecord(func(r *kgo.Record) { seen[string(r.Value)] = true })
	}
	for i := range records {
		if !seen[strconv.Itoa(i)] {
			t.Errorf("record %d is lost", i)
		}
	}
}
