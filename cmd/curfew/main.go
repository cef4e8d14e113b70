// Command curfew is the development environment and the operator's tool. It is
// the only program that holds all services: `curfew run NAME` is the same as
// the service's own binary.
package main

import (
	"fmt"
	"os"
	"slices"
	"strings"

	"github.com/alecthomas/kong"

	"github.com/curfew-platform/curfew/cmd/curfew/internal/broker"
	"github.com/curfew-platform/curfew/cmd/curfew/internal/dev"
	"github.com/curfew-platform/curfew/cmd/curfew/internal/guard"
	"github.com/curfew-platform/curfew/cmd/curfew/internal/issuer"
	"github.com/curfew-platform/curfew/cmd/curfew/internal/keys"
	"github.com/curfew-platform/curfew/cmd/curfew/internal/provision"
	"github.com/curfew-platform/curfew/cmd/curfew/internal/revocations"
	"github.com/curfew-platform/curfew/cmd/curfew/internal/stopreport"
	"github.com/curfew-platform/curfew/pkg/lifecycle"
	"github.com/curfew-platform/curfew/pkg/server"
	"github.com/curfew-platform/curfew/services/auth"
	"github.com/curfew-platform/curfew/services/logproc"
	"github.com/curfew-platform/curfew/services/orders"
)

type commandLine struct {
	Version kong.VersionFlag `help:"Print the version and exit."`

	Dev dev.Flags `cmd:"" help:"Start everything and stay, or run a command in it: curfew dev [flags] [-- CMD...]."`
	Run struct{}  `cmd:"" help:"Run one process of it: curfew run auth|orders|logproc|broker [flags]."`

	Provision provision.Flags `cmd:"" help:"Make the databases, topics and keysets of an installation, and print its Kubernetes Secrets."`

	Keyset keys.Flags `cmd:"" help:"Make or rotate a keyset file: curfew keyset new|add|promote|retire|show FILE."`

	Revocations revocations.Flags `cmd:"" help:"Show who watches the feed of revocations: leases, how fresh each is, the last receipts."`

	RevokeIssuer issuer.Flags `cmd:"" help:"Refuse an external identity provider and end all sessions that came from it, however many."`

	StopReport stopreport.Flags `cmd:"" name:"stop-report" help:"Draw how a process stopped, from its log or from kubectl describe pod."`
}

func main() { os.Exit(run(os.Args[1:])) }

func run(args []string) int {
	if len(args) > 1 && args[0] == "run" && !strings.HasPrefix(args[1], "-") {
		return runOne(args[1], args[2:])
	}
	args, command := split(args)
	var line commandLine
	parser := kong.Must(&line, kong.Name("curfew"), kong.UsageOnError(), server.Paths(), kong.Vars{"version": "curfew " + server.Version()},
		kong.Description("A platform in which stopping is safe."))
	parsed, err := parser.Parse(args)
	if err != nil {
		fmt.Fprintln(os.Stderr, "curfew:", err)
		return lifecycle.ExitUsage
	}
	switch strings.Fields(parsed.Command())[0] {
	case "dev":
		return dev.Main(&line.Dev, command, os.Stdout, os.Stderr)
	case "provision":
		return provision.Main(&line.Provision, os.Stdout, os.Stderr)
	case "keyset":
		return keys.Main(&line.Keyset, os.Stdout, os.Stderr)
	case "revocations":
		return revocations.Main(&line.Revocations, os.Stdout, os.Stderr)
	case "revoke-issuer":
		return issuer.Main(&line.RevokeIssuer, os.Stdout, os.Stderr)
	case "stop-report":
		return stopreport.Main(&line.StopReport, os.Stdin, os.Stdout, os.Stderr)
	default:
		fmt.Fprintln(os.Stderr, "curfew: run what? auth, orders, logproc or broker")
		return lifecycle.ExitUsage
	}
}

// runOne runs one process of the environment.
func runOne(name string, args []string) int {
	switch name {
	case "auth":
		return server.Main(auth.Command(), args, "run", name)
	case "orders":
		return server.Main(orders.Command(), args, "run", name)
	case "logproc":
		return server.Main(logproc.Command(), args, "run", name)
	case "broker":
		return broker.Main(args, os.Stdout, os.Stderr)
	case "guard": // Between dev and its command; not for users.
		_, command := split(args)
		return guard.Main(command)
	default:
		fmt.Fprintf(os.Stderr, "curfew: cannot run %q: auth, orders, logproc or broker\n", name)
		return lifecycle.ExitUsage
	}
}

// split cuts the command line at the first "--".
func split(args []string) (flags, command []string) {
	if i := slices.Index(args, "--"); i >= 0 {
		return args[:i], args[i+1:]
	}
	return args, nil
}
