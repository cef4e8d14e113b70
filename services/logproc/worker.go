package logproc

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"os"
	"runtime"
	"strconv"
	"strings"
	"time"

	"github.com/curfew-platform/curfew/pkg/lifecycle"
	"github.com/curfew-platform/curfew/pkg/server"
	"github.com/curfew-platform/curfew/services/logproc/internal/control"
	"github.com/curfew-platform/curfew/services/logproc/internal/kafka"
	"github.com/curfew-platform/curfew/services/logproc/internal/postgres"
	"github.com/curfew-platform/curfew/services/logproc/internal/worker"
)

const (
	// workerName is the hidden command; command lines of workers contain it.
	workerName = "worker"
	// workerVariable marks the environment that a parent makes for its workers.
	workerVariable = "CURFEW_LOGPROC_IS_WORKER"
	// toldTimeout bounds the wait for a parent that may not listen.
	toldTimeout = 500 * time.Millisecond
	// heapTarget is the garbage collector's, below what a batch, its records
	// and the reader's fetches need at most.
	heapTarget = 192 << 20
)

// workerArgs are the flags of the worker command.
type workerArgs struct {
	Isolation bool `help:"Read one suspected partition, one record at a time."`
}

// workerEnv is the environment of a worker: the parent's, with its settings in
// full, because they may have come as flags. Secrets do not go on a command
// line. A worker ships no log lines: each batch would cause the next.
func workerEnv(cfg *Config) ([]string, error) {
	formats := make([]string, 0, len(cfg.Formats))
	for topic, format := range cfg.Formats {
		formats = append(formats, topic+"="+format)
	}
	level, err := cfg.LogLevel.MarshalText()
	if err != nil {
		return nil, fmt.Errorf("log level: %w", err)
	}
	set := map[string]string{
		"CURFEW_LOGPROC_DATABASE_URL":      cfg.Database.URL,
		"CURFEW_LOGPROC_DATABASE_URL_FILE": cfg.Database.URLFile,
		"CURFEW_LOGPROC_KAFKA_BROKERS":     strings.Join(cfg.KafkaBrokers, ","),
		"CURFEW_LOGPROC_TOPICS":            strings.Join(cfg.Topics, ","),
		"CURFEW_LOGPROC_FORMATS":           strings.Join(formats, ","),
		"CURFEW_LOGPROC_GROUP":             cfg.Group,
		"CURFEW_LOGPROC_RETENTION_DAYS":    strconv.Itoa(cfg.RetentionDays),
		"CURFEW_LOGPROC_STOP_BUDGET":       cfg.StopBudget.String(),
		"CURFEW_LOGPROC_ISOLATION_CPU":     cfg.IsolationCPU.String(),
		"CURFEW_LOGPROC_GRACE":             cfg.Grace.String(),
		"CURFEW_LOGPROC_LOG_LEVEL":         string(level),
		workerVariable:                     "1",
	}
	maps.Copy(set, cfg.Kafka.Environment("CURFEW_LOGPROC"))
	var env []string
	for _, pair := range os.Environ() {
		name, _, _ := strings.Cut(pair, "=")
		if _, replaced := set[name]; !replaced && !strings.HasPrefix(name, "CURFEW_LOGPROC_") {
			env = append(env, pair)
		}
	}
	for name, value := range set {
		if value != "" {
			env = append(env, name+"="+value)
		}
	}
	return env, nil
}

// work composes a worker process.
func work(_ context.Context, rt *server.Runtime, cfg *Config, args *workerArgs, decoder worker.Decoder) error {
	if rt.Agent == nil {
		return errors.New("a worker is started by its parent, not by hand")
	}
	session, err := postgres.NewSession(cfg.Database.Serving(rt.Log), cfg.Group, workerTitle(rt, args), args.Isolation)
	if err != nil {
		return err
	}
	source, err := kafka.NewSource(cfg.KafkaBrokers, cfg.Kafka.Options(rt.LocalLog)...)
	if err != nil {
		return err
	}
	formats, err := cfg.formats()
	if err != nil {
		return err
	}
	w := worker.New(worker.Config{
		Source: source, Store: session, Decoder: decoder, Formats: formats,
		RetentionDays: cfg.RetentionDays, Isolation: args.Isolation, CPULimit: cfg.IsolationCPU,
		StopBudget: cfg.StopBudget, Log: rt.LocalLog, Now: time.Now,
	})
	told := control.Register(rt.Agent.Server(), w, rt.Agent.Orphaned())
	rt.Agent.SetProgress(w.InWork, w.Progress)
	// What a record that lets this process panic has done to it is not known, and
	// its death is evidence.
	rt.Group.Go("pipeline", lifecycle.Unrecovered(w.Run))
	if args.Isolation {
		rt.Group.Go("watchdog", lifecycle.Unrecovered(w.Watch))
	}
	if err := rt.Group.Add(lifecycle.Part{
		Name: "report", Phase: lifecycle.Leave,
		Stop: func(ctx context.Context) error {
			ctx, cancel := context.WithTimeout(ctx, toldTimeout)
			defer cancel()
			select {
			case <-told.Told():
			case <-ctx.Done():
			}
			return nil
		},
	}); err != nil {
		return err
	}
	return rt.Group.Add(lifecycle.Part{
		Name: "clients", Phase: lifecycle.Close,
		Stop: func(ctx context.Context) error {
			source.Close()
			session.Close(ctx)
			return nil
		},
	})
}

// workerTitle names this process in table batches.
func workerTitle(rt *server.Runtime, args *workerArgs) string {
	host, err := os.Hostname()
	if err != nil {
		host = "unknown"
	}
	title, err := json.Marshal(map[string]any{
		"host": host, "pid": os.Getpid(), "slot": rt.Agent.Slot(), "generation": rt.Agent.Generation(),
		"isolation": args.Isolation, "go": runtime.Version(),
	})
	if err != nil {
		return host
	}
	return string(title)
}
