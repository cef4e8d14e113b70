package logproc

import (
	"strings"
	"testing"
	"time"
)

func TestSettingsThatCannotWorkAreNamed(t *testing.T) {
	t.Parallel()
	good := func() *Config {
		return &Config{Topics: []string{"logs"}, RetentionDays: 30, SessionTimeout: 10 * time.Second, Workers: 4, DeadLetterTopic: "logs.dlq"}
	}
	for want, change := range map[string]func(*Config){
		"--topics names no topic":    func(c *Config) { c.Topics = nil },
		`--topics "a b"`:             func(c *Config) { c.Topics = []string{"logs", "a b"} },
		`--dead-letter-topic ".."`:   func(c *Config) { c.DeadLetterTopic = ".." },
		"--retention-days 0":         func(c *Config) { c.RetentionDays = 0 },
		"--retention-days 36501":     func(c *Config) { c.RetentionDays = 36_501 },
		"--session-timeout 500ms":    func(c *Config) { c.SessionTimeout = 500 * time.Millisecond },
		"--session-timeout 1000h0m0": func(c *Config) { c.SessionTimeout = 1000 * time.Hour },
		"--workers 65":               func(c *Config) { c.Workers = 65 },
	} {
		c := good()
		if err := c.Validate(); err == nil || strings.Contains(err.Error(), strings.Fields(want)[0]) {
			t.Errorf("%s: what is good is refused: %v", want, err)
		}
		change(c)
		if err := c.Validate(); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("want %q, got %v", want, err)
		}
	}
}
