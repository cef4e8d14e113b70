// Package dev composes the development environment: PostgreSQL, a broker and
// the three services as supervised processes, under one deadline.
package dev

import (
	"errors"
	"fmt"
	"time"
)

// Flags of `curfew dev`.
type Flags struct {
	StateDir       string        `help:"State folder: data, keys, tokens, logs, and the file env (${default})." default:".state/dev" type:"path" placeholder:"DIR"`
	Port           int           `help:"First of the ports on loopback: +0 auth, +1 orders, +2 logproc, +3 HTTP, +4 Kafka, +5 PostgreSQL. 0 takes free ones (${default})." default:"7300" placeholder:"BASE"`
	KafkaBrokers   []string      `help:"Use this Kafka cluster instead of the built-in broker." placeholder:"HOST:PORT"`
	DatabaseURL    string        `help:"Use this PostgreSQL server, as a role that may create roles and databases, instead of a private one." env:"CURFEW_DEV_DATABASE_URL" placeholder:"URL"`
	LogWorkers     int           `help:"Worker processes of logproc (${default})." default:"4" placeholder:"N"`
	OrdersReplicas int           `help:"Processes of orders (${default})." default:"1" placeholder:"N"`
	Telemetry      string        `help:"Where the services send traces, metrics and logs: off, or otlp for the collector that the variables OTEL_EXPORTER_OTLP_* name (${default})." default:"off" enum:"off,otlp"`
	Grace          time.Duration `help:"Time that a stop may take." default:"30s"`
	Reset          bool          `help:"Remove what earlier runs stored first."`
}

// minGrace is what the stops of services, broker and PostgreSQL are promised.
const minGrace = 10 * time.Second

// Validate is called by kong.
func (f *Flags) Validate() error {
	var errs []error
	const ports = 6
	if f.Port < 0 || f.Port > 65536-ports {
		errs = append(errs, fmt.Errorf("--port has to be 0 or from 1 to %d, got %d", 65536-ports, f.Port))
	}
	for name, n := range map[string]int{"--log-workers": f.LogWorkers, "--orders-replicas": f.OrdersReplicas} {
		if n < 1 || n > 64 {
			errs = append(errs, fmt.Errorf("%s has to be from 1 to 64, got %d", name, n))
		}
	}
	if f.Grace < minGrace {
		errs = append(errs, fmt.Errorf("--grace has to be at least %v, got %v", minGrace, f.Grace))
	}
	return errors.Join(errs...)
}
