package kafka

import (
	"context"
	"crypto/rand"
	"log/slog"
	"strings"
	"testing"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/curfew-platform/curfew/services/logproc/internal/deadletter"
)

const letterTopic = "logs.dlq"

// letter is one whose value does not compress.
func letter(id int64, size int) deadletter.Letter {
	raw := make([]byte, size)
	_, _ = rand.Read(raw) // never fails
	return deadletter.Letter{ID: id, Topic: "logs", Offset: id, Reason: "refused", Raw: raw, Size: int64(size)}
}

// letters reads n letters of the topic, by offset in the source.
func letters(t *testing.T, brokers []string, n int) map[string]*kgo.Record {
	t.Helper()
	client, err := kgo.NewClient(kgo.SeedBrokers(brokers...), kgo.ConsumeTopics(letterTopic), kgo.ConsumeResetOffset(kgo.NewOffset().AtStart()))
	if err != nil {
		t.Fatal(err)
	}
	defer client.Close()
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	found := map[string]*kgo.Record{}
	for len(found) < n && ctx.Err() == nil {
		for _, r := range client.PollFetches(ctx).Records() {
			found[header(r, "offset")] = r
		}
	}
	if len(found) != n {
		t.Fatalf("%d letters, want %d", len(found), n)
	}
	return found
}

func header(r *kgo.Record, key string) string {
	for _, h := range r.Headers {
		if h.Key == key {
			return string(h.Value)
		}
	}
	return ""
}

func TestLargeLettersAreTakenByABrokerWithItsDefaults(t *testing.T) {
	c := cluster(t)
	p, err := NewProducer(c.ListenAddrs(), letterTopic, slog.New(slog.DiscardHandler))
	if err != nil {
		t.Fatal(err)
	}
	defer p.Close()
	var all []deadletter.Letter
	for id := range int64(8) {
		all = append(all, letter(id, 400<<10))
	}
	if err := p.Produce(t.Context(), append(all, letter(8, 3<<20))); err != nil {
		t.Fatal(err)
	}
	found := letters(t, c.ListenAddrs(), 9)
	if r := found["0"]; len(r.Value) != 400<<10 || header(r, "truncated") != "false" {
		t.Errorf("a whole letter has %d bytes, truncated %s", len(r.Value), header(r, "truncated"))
	}
	if r := found["8"]; len(r.Value) != deadletter.KeptOfRaw || header(r, "truncated") != "true" {
		t.Errorf("a cut letter has %d bytes, truncated %s", len(r.Value), header(r, "truncated"))
	}
}

func TestALetterTooLargeForTheBrokerDoesNotKeepTheOthers(t *testing.T) {
	c := cluster(t)
	var said strings.Builder
	p, err := NewProducer(c.ListenAddrs(), letterTopic, slog.New(slog.NewTextHandler(&said, nil)))
	if err != nil {
		t.Fatal(err)
	}
	defer p.Close()
	limit := "8192"
	if _, err := kadm.NewClient(p.client).CreateTopic(t.Context(), 1, 1, map[string]*string{"max.message.bytes": &limit}, letterTopic); err != nil {
		t.Fatal(err)
	}
	hopeless := letter(2, 10)
	hopeless.Topic = string(letter(0, 16<<10).Raw)
	if err := p.Produce(t.Context(), []deadletter.Letter{letter(0, 100), letter(1, 100<<10), hopeless, letter(3, 100)}); err != nil {
		t.Fatal(err)
	}
	found := letters(t, c.ListenAddrs(), 3)
	if r := found["1"]; len(r.Value) != keptOfRefused || header(r, "truncated") != "true" {
		t.Errorf("the cut letter has %d bytes, truncated %s", len(r.Value), header(r, "truncated"))
	}
	if len(found["0"].Value) != 100 || len(found["3"].Value) != 100 {
		t.Error("the other letters are not whole")
	}
	if !strings.Contains(said.String(), "id=2") {
		t.Errorf("the letter that was left out is not named: %q", said.String())
	}
}
