// Package provision makes what the services of an installation need before they
// start: databases with two roles each, Kafka topics, keysets; and says the
// secrets of it in the form that Kubernetes takes.
package provision

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"
	"time"

	"github.com/curfew-platform/curfew/cmd/curfew/internal/database"
	"github.com/curfew-platform/curfew/cmd/curfew/internal/state"
	"github.com/curfew-platform/curfew/cmd/curfew/internal/topic"
	"github.com/curfew-platform/curfew/pkg/lifecycle"
)

// Flags of `curfew provision`.
type Flags struct {
	DatabaseURLFile string   `name:"database-url-file" required:"" help:"File with the URL of PostgreSQL as an administrator, postgres://user:password@host:port/database." type:"path" placeholder:"FILE"`
	DatabaseHost    string   `help:"Where the services find PostgreSQL, if not where the URL says." placeholder:"HOST:PORT"`
	KafkaBrokers    []string `help:"Brokers to make the topics at; empty makes none." placeholder:"HOST:PORT"`
	StateDir        string   `required:"" help:"Folder that keeps the passwords and keysets, to be kept as they are: a second run makes the same." type:"path" placeholder:"DIR"`
	Namespace       string   `default:"curfew" help:"Namespace of the Secrets."`
}

// limit bounds the whole.
const limit = 2 * time.Minute

// partitions by topic. Those of logs bound the workers of logproc.
var partitions = map[string]int32{"logs": 16, "logs.dlq": 4, "order-events": 8}

var services = []string{"auth", "orders", "logproc"}

// Main provisions, prints the Secrets as one List for kubectl apply, and returns
// the exit status. It is safe to repeat.
func Main(flags *Flags, stdout, stderr io.Writer) int {
	ctx, cancel := context.WithTimeout(context.Background(), limit)
	defer cancel()
	err := flags.run(ctx, stdout)
	if err != nil {
		fmt.Fprintln(stderr, "curfew provision:", err)
	}
	return lifecycle.ExitCode(err)
}

func (f *Flags) run(ctx context.Context, stdout io.Writer) (err error) {
	raw, err := os.ReadFile(f.DatabaseURLFile)
	if err != nil {
		return &lifecycle.UsageError{Err: fmt.Errorf("read --database-url-file: %w", err)}
	}
	admin := strings.TrimSpace(string(raw))
	folder, err := state.Open(f.StateDir, false)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, folder.Close()) }()
	databases, err := plan(folder)
	if err != nil {
		return err
	}
	if err := database.Prepare(ctx, admin, databases); err != nil {
		return err
	}
	if len(f.KafkaBrokers) > 0 {
		if err := topic.Create(ctx, f.KafkaBrokers, partitions); err != nil {
			return err
		}
	}
	list, err := f.secrets(folder, admin, databases)
	if err != nil {
		return err
	}
	return list.write(stdout)
}

// plan names the databases and roles as `curfew dev` does.
func plan(folder *state.Folder) ([]database.Service, error) {
	var roles []string
	for _, name := range services {
		roles = append(roles, name+"_owner", name)
	}
	secrets, err := folder.Secrets(roles...)
	if err != nil {
		return nil, err
	}
	var list []database.Service
	for _, name := range services {
		list = append(list, database.Service{
			Name: name, Database: "curfew_" + name,
			Owner: "curfew_" + name + "_owner", OwnerPassword: secrets.Roles[name+"_owner"],
			Role: "curfew_" + name, RolePassword: secrets.Roles[name],
		})
	}
	return list, nil
}
