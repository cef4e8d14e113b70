package kafkaconn_test

import (
	"bytes"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/sasl"

	"github.com/curfew-platform/curfew/pkg/server/kafkaconn"
)

// sends is what the next login of a client begins with.
func sends(t *testing.T, opts []kgo.Opt) (string, error) {
	t.Helper()
	client, err := kgo.NewClient(opts...)
	if err != nil {
		t.Fatal(err)
	}
	defer client.Close()
	mechanisms, ok := client.OptValue(kgo.SASL).([]sasl.Mechanism)
	if !ok || len(mechanisms) != 1 {
		t.Fatalf("mechanisms %v", mechanisms)
	}
	_, first, err := mechanisms[0].Authenticate(t.Context(), "broker:9092")
	return string(first), err
}

func TestAPasswordThatCannotBeUsedIsReportedOnceAndTheOneBeforeIsUsed(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "secret")
	put := func(content string, mode os.FileMode) func() {
		return func() {
			write(t, path, content)
			if err := os.Chmod(path, mode); err != nil {
				t.Fatal(err)
			}
		}
	}
	put("one", 0o600)()
	settings := kafkaconn.Settings{TLS: true, SASLMechanism: "PLAIN", SASLUsername: "alice", SASLPasswordFile: path}
	var log bytes.Buffer
	opts := settings.Options(slog.New(slog.NewTextHandler(&log, nil)))
	for _, step := range []struct {
		change func()
		want   string
		level  string // "": nothing is said
		about  string
	}{
		{put("", 0o600), "one", "WARN", "is empty"}, // also before the first login
		{func() {}, "one", "", ""},
		{func() { _ = os.Remove(path) }, "one", "WARN", "no such file"},
		{put("two\n", 0o644), "one", "WARN", "open to every user"},
		{put("two\n", 0o600), "two", "INFO", "again"},
		{put("three", 0o600), "three", "", ""},
		{put(strings.Repeat("x", 5000), 0o600), "three", "WARN", "longer than"},
		{put("three", 0o600), "three", "INFO", "again"},
	} {
		log.Reset()
		step.change()
		if got, err := sends(t, opts); err != nil || got != "\x00alice\x00"+step.want {
			t.Errorf("%s: %q, %v", step.about, got, err)
		}
		said := log.String()
		if (step.level == "") != (said == "") || !strings.Contains(said, step.level) || !strings.Contains(said, step.about) || strings.Count(said, "\n") > 1 {
			t.Errorf("want %s about %q, got %q", step.level, step.about, said)
		}
		if strings.Contains(said, "two") || strings.Contains(said, "three") {
			t.Errorf("the log tells the password: %s", said)
		}
	}
	_ = os.Remove(path)
	if got, err := sends(t, settings.Options(slog.New(slog.DiscardHandler))); err == nil {
		t.Errorf("with nothing before: %q", got)
	}
}
