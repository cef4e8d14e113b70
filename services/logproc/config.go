package logproc

import (
	_ "embed"
	"errors"
	"fmt"
	"io"
	"os"
	"time"

	"github.com/curfew-platform/curfew/pkg/interceptors/authz"
	"github.com/curfew-platform/curfew/pkg/lifecycle/supervisor"
	"github.com/curfew-platform/curfew/pkg/server"
	"github.com/curfew-platform/curfew/pkg/server/database"
	"github.com/curfew-platform/curfew/pkg/server/guard"
	"github.com/curfew-platform/curfew/pkg/server/kafkaconn"
	"github.com/curfew-platform/curfew/pkg/server/keyset"
	logprocv1 "github.com/curfew-platform/curfew/proto/gen/curfew/logproc/v1"
	"github.com/curfew-platform/curfew/services/logproc/internal/decode"
	"github.com/curfew-platform/curfew/services/logproc/internal/kafka"
)

const (
	maxRetentionDays  = 36_500
	maxSessionTimeout = 30 * time.Minute // group.max.session.timeout.ms of a broker, if it was not changed
)

// Config is the settings of the service, as flags and as CURFEW_LOGPROC_*.
type Config struct {
	server.Settings
	Guard    guard.Settings    `embed:""`
	Database database.Settings `embed:""`

	KeysetFile string `name:"keyset-file" help:"Keys that all replicas share: page tokens." type:"path"`

	KafkaBrokers    []string          `name:"kafka-brokers" help:"Kafka brokers." placeholder:"HOST:PORT"`
	Topics          []string          `help:"Topics to read." default:"logs"`
	Formats         map[string]string `help:"Format of a topic's records: auto, json, logfmt, syslog or plain." placeholder:"TOPIC=FORMAT" mapsep:","`
	Group           string            `help:"Consumer group. One database belongs to one group." default:"curfew-logproc"`
	InstanceID      string            `name:"instance-id" help:"Static group instance id: the pod's name; the host name if empty." placeholder:"NAME"`
	Start           string            `help:"Where to begin at the first start: earliest, latest or group:NAME. Partitions that appear later begin at 0." default:"earliest"`
	DeadLetterTopic string            `name:"dead-letter-topic" help:"Topic that is fed from the table of dead letters; empty for none." default:"logs.dlq"`
	SessionTimeout  time.Duration     `name:"session-timeout" help:"After how long a silent replica's partitions go to others." default:"10s"`

	Workers         int           `help:"Worker processes." default:"4"`
	RetentionDays   int           `name:"retention-days" help:"Days of logs that are kept." default:"30"`
	StopBudget      time.Duration `name:"stop-budget" help:"What a worker may take to store its last batch when it is told to stop." default:"1500ms"`
	IsolationMemory int64         `name:"isolation-memory" help:"Bytes that a process for one suspected partition may use; below the pod's limit." default:"536870912"`
	IsolationCPU    time.Duration `name:"isolation-cpu" help:"CPU time that one record may use in such a process." default:"5s"`
}

// Common implements server.Config.
func (c *Config) Common() *server.Settings { return &c.Settings }

// Validate implements server.Config.
func (c *Config) Validate() error {
	errs := []error{c.Settings.Validate(), c.Database.Validate()}
	required := func(value, flag string) {
		if value == "" {
			errs = append(errs, fmt.Errorf("%s is required", flag))
		}
	}
	required(c.Group, "--group")
	if len(c.KafkaBrokers) == 0 {
		errs = append(errs, errors.New("--kafka-brokers is required"))
	}
	if len(c.Topics) == 0 {
		errs = append(errs, errors.New("--topics names no topic"))
	}
	for _, topic := range c.Topics {
		if err := kafkaconn.CheckTopic(topic); err != nil {
			errs = append(errs, fmt.Errorf("--topics %w", err))
		}
	}
	if c.DeadLetterTopic != "" {
		if err := kafkaconn.CheckTopic(c.DeadLetterTopic); err != nil {
			errs = append(errs, fmt.Errorf("--dead-letter-topic %w", err))
		}
	}
	if _, err := c.formats(); err != nil {
		errs = append(errs, fmt.Errorf("--formats: %w", err))
	}
	if !kafka.ValidStart(c.Start) {
		errs = append(errs, fmt.Errorf("--start %q: want earliest, latest or group:NAME", c.Start))
	}
	if c.Workers < 1 || c.Workers > 64 {
		errs = append(errs, fmt.Errorf("--workers %d: want 1 to 64", c.Workers))
	}
	if c.RetentionDays < 1 || c.RetentionDays > maxRetentionDays {
		errs = append(errs, fmt.Errorf("--retention-days %d: want 1 to %d", c.RetentionDays, maxRetentionDays))
	}
	for flag, d := range map[string]time.Duration{"--stop-budget": c.StopBudget, "--isolation-cpu": c.IsolationCPU} {
		if d <= 0 {
			errs = append(errs, fmt.Errorf("%s must be positive, got %v", flag, d))
		}
	}
	if c.SessionTimeout < time.Second || c.SessionTimeout > maxSessionTimeout {
		errs = append(errs, fmt.Errorf("--session-timeout %v: want 1s to %v", c.SessionTimeout, maxSessionTimeout))
	}
	if c.IsolationMemory < 64<<20 {
		errs = append(errs, fmt.Errorf("--isolation-memory %d: want at least 64 MiB", c.IsolationMemory))
	}
	// A worker serves nobody but its parent.
	if !supervisor.IsChild() || os.Getenv(workerVariable) == "" {
		errs = append(errs, keyset.Validate(c.KeysetFile), c.Guard.Validate())
	}
	return errors.Join(errs...)
}

func (c *Config) formats() (map[string]decode.Format, error) {
	formats := map[string]decode.Format{}
	for topic, name := range c.Formats {
		f, err := decode.ParseFormat(name)
		if err != nil {
			return nil, fmt.Errorf("topic %s: %w", topic, err)
		}
		formats[topic] = f
	}
	return formats, nil
}

func (c *Config) instance() (string, error) {
	if c.InstanceID != "" {
		return c.InstanceID, nil
	}
	host, err := os.Hostname()
	if err != nil {
		return "", fmt.Errorf("--instance-id is empty and the host has no name: %w", err)
	}
	return "logproc-" + host, nil
}

//go:embed permissions.json
var permissionsFile []byte

func newPolicy() (*authz.Policy, error) {
	permissions, err := authz.ParsePermissions(permissionsFile)
	if err != nil {
		return nil, err
	}
	return authz.NewPolicy(authz.FileServices(
		logprocv1.File_curfew_logproc_v1_log_query_service_proto,
		logprocv1.File_curfew_logproc_v1_pipeline_service_proto,
	), permissions)
}

// describe prints what a serving process would read and enforce.
func (c *Config) describe(w io.Writer) error {
	policy, err := newPolicy()
	if err != nil {
		return err
	}
	formats, err := c.formats()
	if err != nil {
		return err
	}
	for _, topic := range c.Topics {
		format := formats[topic]
		if format == "" {
			format = decode.Auto
		}
		fmt.Fprintf(w, "topic %s: %s\n", topic, format)
	}
	return guard.Describe(w, &c.Guard, &c.Settings, policy)
}
