package dev

import (
	"fmt"
	"path/filepath"
	"strconv"
	"strings"
	"time"

	"github.com/curfew-platform/curfew/cmd/curfew/internal/database"
	"github.com/curfew-platform/curfew/cmd/curfew/internal/state"
)

// Topics of the environment and their partitions.
const (
	logsTopic        = "logs"
	deadLetterTopic  = "logs.dlq"
	orderEventsTopic = "order-events"
)

var partitions = map[string]int32{logsTopic: 16, deadLetterTopic: 4, orderEventsTopic: 8}

// Seeded users.
const (
	customerEmail = "customer@curfew.example"
	adminEmail    = "admin@curfew.example"
)

var services = []string{"auth", "orders", "logproc"}

// environment is what was decided before anything starts.
type environment struct {
	flags   *Flags
	folder  *state.Folder
	secrets *state.Secrets
	ports   ports
	brokers []string
	dbs     []database.Service
	vars    state.Env
}

func newEnvironment(flags *Flags, folder *state.Folder, p ports) (*environment, error) {
	e := &environment{flags: flags, folder: folder, ports: p, brokers: flags.KafkaBrokers}
	if len(e.brokers) == 0 {
		e.brokers = []string{address(p.kafka)}
	}
	var roles []string
	for _, name := range services {
		roles = append(roles, name+"_owner", name)
	}
	var err error
	if e.secrets, err = folder.Secrets(roles...); err != nil {
		return nil, err
	}
	// On a server of its own the names are plain; a shared one may hold several environments.
	suffix := ""
	if flags.DatabaseURL != "" {
		suffix = "_" + e.secrets.ID
	}
	for _, name := range services {
		e.dbs = append(e.dbs, database.Service{
			Name: name, Database: "curfew_" + name + suffix,
			Owner: "curfew_" + name + "_owner" + suffix, OwnerPassword: e.secrets.Roles[name+"_owner"],
			Role: "curfew_" + name + suffix, RolePassword: e.secrets.Roles[name],
		})
	}
	return e, e.keys()
}

// keys generates what is missing and exports the paths.
func (e *environment) keys() error {
	var public []state.ServiceKey
	for _, name := range services {
		keyset, err := e.folder.Keyset(name)
		if err != nil {
			return err
		}
		e.vars.Set(variable(name, "KEYSET_FILE"), keyset)
		if name == "auth" {
			continue // It does not call itself.
		}
		file, key, err := e.folder.ServiceKey(name)
		if err != nil {
			return err
		}
		public = append(public, key)
		e.vars.Set(variable(name, "SERVICE_KEY_FILE"), file)
		e.vars.Set(variable(name, "AUTH_ADDR"), address(e.ports.auth))
	}
	file, err := e.folder.ServiceKeys(public)
	if err != nil {
		return err
	}
	e.vars.Set(variable("auth", "SERVICE_KEYS_FILE"), file)
	return nil
}

// export fills in the variables, once the database server's address is known.
// They hold all that one more replica needs, and so no listener.
func (e *environment) export(admin string) error {
	v := &e.vars
	v.Set("CURFEW_AUTH_ADDR", address(e.ports.auth))
	v.Set("CURFEW_ORDERS_ADDR", strings.Join(addresses(e.ports.orders), ","))
	v.Set("CURFEW_LOGPROC_ADDR", address(e.ports.logproc))
	v.Set("CURFEW_HTTP_URL", "http://"+address(e.ports.http))
	v.Set("CURFEW_KAFKA_BROKERS", strings.Join(e.brokers, ","))
	v.Set("CURFEW_LOGS_TOPIC", logsTopic)
	v.Set("CURFEW_DEAD_LETTER_TOPIC", deadLetterTopic)
	v.Set("CURFEW_ORDER_EVENTS_TOPIC", orderEventsTopic)
	v.Set("CURFEW_TOKEN_FILE", e.folder.Path("token"))
	v.Set("CURFEW_ADMIN_TOKEN_FILE", e.folder.Path("admin-token"))
	v.Set("CURFEW_CUSTOMER_EMAIL", customerEmail)
	v.Set("CURFEW_CUSTOMER_PASSWORD", e.secrets.Customer)
	v.Set("CURFEW_ADMIN_EMAIL", adminEmail)
	v.Set("CURFEW_ADMIN_PASSWORD", e.secrets.Admin)
	for _, db := range e.dbs {
		role, err := db.RoleURL(admin)
		if err != nil {
			return err
		}
		owner, err := db.OwnerURL(admin)
		if err != nil {
			return err
		}
		v.Set(variable(db.Name, "DATABASE_URL"), role)
		v.Set(variable(db.Name, "MIGRATE_DATABASE_URL"), owner)
		v.Set(variable(db.Name, "REFLECTION"), "true")
		v.Set(variable(db.Name, "GRACE"), e.childGrace().String())
		v.Set(variable(db.Name, "LOG_KAFKA_BROKERS"), strings.Join(e.brokers, ","))
		v.Set(variable(db.Name, "LOG_KAFKA_TOPIC"), logsTopic)
		v.Set(variable(db.Name, "TELEMETRY"), e.flags.Telemetry)
	}
	v.Set("CURFEW_ORDERS_KAFKA_BROKERS", strings.Join(e.brokers, ","))
	v.Set("CURFEW_ORDERS_EVENTS_TOPIC", orderEventsTopic)
	v.Set("CURFEW_LOGPROC_KAFKA_BROKERS", strings.Join(e.brokers, ","))
	v.Set("CURFEW_LOGPROC_TOPICS", logsTopic)
	v.Set("CURFEW_LOGPROC_DEAD_LETTER_TOPIC", deadLetterTopic)
	v.Set("CURFEW_LOGPROC_WORKERS", strconv.Itoa(e.flags.LogWorkers))
	return nil
}

// childGrace is what a service may plan with: the environment's own grace
// without what the broker and PostgreSQL are promised after it.
func (e *environment) childGrace() time.Duration { return max(minGrace, e.flags.Grace-afterServices) }

// variable names a setting of a service.
func variable(service, name string) string {
	return fmt.Sprintf("CURFEW_%s_%s", strings.ToUpper(service), name)
}

// logFile is where everything that the environment's processes say goes.
func (e *environment) logFile() string { return filepath.Clean(e.folder.Path("curfew.log")) }
