package main

import (
	"context"
	"fmt"
	"os"
	"path/filepath"

	"github.com/curfew-platform/curfew/pkg/localenv/daemon"
	"github.com/curfew-platform/curfew/pkg/localenv/kafka"
	"github.com/curfew-platform/curfew/pkg/localenv/opensearch"
	"github.com/curfew-platform/curfew/pkg/localenv/postgres"
	"github.com/curfew-platform/curfew/pkg/localenv/redis"
)

// server is what the four have in common.
type server interface {
	Spec() daemon.Spec
	Ready(ctx context.Context) error
	Address() string
	LogFile() string
}

// place is a server's name and the folder all servers share.
type place struct{ server, state string }

func (p place) dir() string { return filepath.Join(p.state, p.server) }

func (p place) record() string { return filepath.Join(p.dir(), "record.json") }

func (p place) prepare(ctx context.Context, port int) (server, error) {
	switch p.server {
	case "postgres":
		return postgres.Prepare(ctx, postgres.Config{Dir: p.dir(), Port: port, Connections: 400, Progress: progress})
	case "kafka":
		return kafka.Prepare(ctx, kafka.Config{Dir: p.dir(), Port: port, Progress: progress})
	case "opensearch":
		return opensearch.Prepare(ctx, p.dir(), port, progress)
	case "redis":
		return redis.Prepare(ctx, p.dir(), port)
	default:
		return nil, fmt.Errorf("unknown server %q: use postgres, kafka, opensearch or redis", p.server)
	}
}

// export is the environment variable that tells tests where the server is. The
// address of PostgreSQL holds a password and is never printed.
func export(s server) string {
	switch s := s.(type) {
	case *postgres.Cluster:
		return "CURFEW_TEST_POSTGRES_URL=" + s.URL("postgres")
	case *kafka.Cluster:
		return "CURFEW_TEST_KAFKA_BROKERS=" + s.Address()
	case *opensearch.Node:
		return "CURFEW_TEST_OPENSEARCH_URL=http://" + s.Address()
	default:
		return "CURFEW_TEST_REDIS_ADDR=" + s.Address()
	}
}

func progress(message string) { fmt.Fprintln(os.Stderr, "localenv:", message) }
