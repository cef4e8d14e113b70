package logproc

import (
	"context"
	"fmt"
	"time"

	"github.com/jackc/pgx/v5/pgxpool"
	"google.golang.org/grpc"

	"github.com/curfew-platform/curfew/pkg/interceptors/authz"
	"github.com/curfew-platform/curfew/pkg/lifecycle"
	lifecyclepg "github.com/curfew-platform/curfew/pkg/lifecycle/postgres"
	"github.com/curfew-platform/curfew/pkg/server"
	"github.com/curfew-platform/curfew/pkg/server/database"
	"github.com/curfew-platform/curfew/pkg/server/guard"
	"github.com/curfew-platform/curfew/pkg/server/keyset"
	"github.com/curfew-platform/curfew/pkg/server/pagetoken"
	logprocv1 "github.com/curfew-platform/curfew/proto/gen/curfew/logproc/v1"
	"github.com/curfew-platform/curfew/services/logproc/internal/deadletter"
	"github.com/curfew-platform/curfew/services/logproc/internal/kafka"
	"github.com/curfew-platform/curfew/services/logproc/internal/postgres"
	"github.com/curfew-platform/curfew/services/logproc/internal/postgres/migrations"
	"github.com/curfew-platform/curfew/services/logproc/internal/query"
	"github.com/curfew-platform/curfew/services/logproc/internal/rpc"
)

// maintainEvery spaces the making and dropping of partitions.
const maintainEvery = time.Hour

// serve composes the parent process.
func serve(ctx context.Context, rt *server.Runtime, cfg *Config) error {
	keys, err := keyset.Load(cfg.KeysetFile)
	if err != nil {
		return &lifecycle.UsageError{Err: err}
	}
	policy, err := newPolicy()
	if err != nil {
		return err
	}
	pool, err := cfg.Database.Serving(rt.Log).Open(ctx, "logproc")
	if err != nil {
		return &lifecycle.UsageError{Err: err}
	}
	if err := lifecyclepg.Add(rt.Group, "postgres", pool); err != nil {
		return err
	}
	if err := database.CheckSchema(ctx, pool, migrations.FS); err != nil {
		return err
	}
	books := &postgres.Books{Pool: pool, Group: cfg.Group}
	p, err := addPipeline(rt, cfg, books)
	if err != nil {
		return err
	}
	rt.Group.Every("maintenance", maintainEvery, 0, func(ctx context.Context) error { return books.Maintain(ctx, cfg.RetentionDays) })
	if err := addDeadLetters(rt, cfg, books); err != nil {
		return err
	}
	return addAPI(rt, cfg, policy, pool, keys, p)
}

// addDeadLetters feeds the dead-letter topic.
func addDeadLetters(rt *server.Runtime, cfg *Config, books *postgres.Books) error {
	if cfg.DeadLetterTopic == "" {
		return nil
	}
	producer, err := kafka.NewProducer(cfg.KafkaBrokers, cfg.DeadLetterTopic, rt.LocalLog, cfg.Kafka.Options(rt.LocalLog)...)
	if err != nil {
		return err
	}
	feeder := &deadletter.Feeder{Table: books, Topic: producer, Log: rt.LocalLog}
	rt.Group.Go("dead letters", feeder.Run)
	return rt.Group.Add(lifecycle.Part{
		Name: "dead-letter producer", Phase: lifecycle.Close,
		Stop: func(context.Context) error { producer.Close(); return nil },
	})
}

func addAPI(rt *server.Runtime, cfg *Config, policy *authz.Policy, pool *pgxpool.Pool, keys *keyset.Set, p *pipeline) error {
	g, err := guard.Add(rt, &cfg.Guard, &cfg.Settings, policy)
	if err != nil {
		return fmt.Errorf("guard: %w", err)
	}
	pages := pagetoken.New(keys)
	reader := &postgres.Reader{Pool: pool, Group: cfg.Group}
	if err := p.measure(rt.Telemetry.Meters(), reader); err != nil {
		return err
	}
	if err := database.Measure(rt.Telemetry.Meters(), map[string]*pgxpool.Pool{"logproc": pool}); err != nil {
		return err
	}
	return server.Add(rt, server.API{
		Settings: &cfg.Settings,
		Chain:    g.Chain,
		Register: func(r grpc.ServiceRegistrar) {
			logprocv1.RegisterLogQueryServiceServer(r, &rpc.LogQuery{
				Store: reader, Tails: query.NewTails(reader), Pages: pages, Now: time.Now,
			})
			logprocv1.RegisterPipelineServiceServer(r, &rpc.Pipeline{
				Group: cfg.Group, InstanceID: p.instance, Topics: cfg.Topics,
				Status: p.parent.Status, Processes: p.processes, Lag: p.lag, Ledger: reader, Pages: pages,
			})
		},
		Gateways: []server.Gateway{logprocv1.RegisterLogQueryServiceHandler, logprocv1.RegisterPipelineServiceHandler},
	})
}
