// Command localenv starts, finds and stops the real servers that tests and
// benches need: PostgreSQL, Apache Kafka, OpenSearch, Redis, and a Kubernetes
// cluster. It needs no container engine.
package main

import (
	"errors"
	"fmt"
	"os"
	"os/exec"
	"strings"

	"github.com/alecthomas/kong"
)

type commandLine struct {
	State string `default:".state/local" help:"State folder; every server has a folder in it." placeholder:"DIR" type:"path"`

	Postgres   serverCommand `cmd:"" help:"Start, stop or show PostgreSQL."`
	Kafka      serverCommand `cmd:"" help:"Start, stop or show Apache Kafka."`
	Opensearch serverCommand `cmd:"" help:"Start, stop or show OpenSearch."`
	Redis      serverCommand `cmd:"" help:"Start, stop or show Redis."`

	Kubernetes kubernetesCommand `cmd:"" help:"A real Kubernetes cluster in namespaces of its own (Linux, root)."`

	With withCommand `cmd:"" help:"Run a command beside servers that end with it."`

	Scan scanCommand `cmd:"" help:"Pass standard input on and fail if a token, a password or a key is in it."`
}

type serverCommand struct {
	Up     upCommand     `cmd:"" help:"Start it unless it runs, and print its address."`
	Down   downCommand   `cmd:"" help:"Stop it if it runs."`
	Status statusCommand `cmd:"" help:"Print whether it runs, and where."`
}

func main() {
	if isNode, err := nodeMain(os.Args[1:]); isNode {
		fmt.Fprintln(os.Stderr, "localenv:", err)
		os.Exit(1)
	}
	var line commandLine
	parser := kong.Must(&line, kong.Name("localenv"), kong.UsageOnError(),
		kong.Description("Real servers on this machine, without containers."))
	parsed, err := parser.Parse(os.Args[1:])
	parser.FatalIfErrorf(err)
	server, _, _ := strings.Cut(parsed.Command(), " ") // "kafka up", for example.
	err = parsed.Run(place{server: server, state: line.State}, &line)
	if status := (*exec.ExitError)(nil); server == "with" && errors.As(err, &status) {
		os.Exit(status.ExitCode())
	}
	parser.FatalIfErrorf(err)
}
