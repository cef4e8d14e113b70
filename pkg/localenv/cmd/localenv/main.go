// Command localenv starts, finds and stops the real servers that tests and
// benches need: PostgreSQL, Apache Kafka, OpenSearch and Redis. It needs no
// containers.
package main

import (
	"errors"
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

	With withCommand `cmd:"" help:"Run a command beside servers that end with it."`
}

type serverCommand struct {
	Up     upCommand     `cmd:"" help:"Start it unless it runs, and print its address."`
	Down   downCommand   `cmd:"" help:"Stop it if it runs."`
	Status statusCommand `cmd:"" help:"Print whether it runs, and where."`
}

func main() {
	var line commandLine
	parser := kong.Must(&line, kong.Name("localenv"), kong.UsageOnError(),
		kong.Description("Real servers on this machine, without containers."))
	parsed, err := parser.Parse(os.Args[1:])
	parser.FatalIfErrorf(err)
	server, _, _ := strings.Cut(parsed.Command(), " ") // "kafka up", for example.
	err = parsed.Run(place{server: server, state: line.State})
	if status := (*exec.ExitError)(nil); errors.As(err, &status) {
		os.Exit(status.ExitCode())
	}
	parser.FatalIfErrorf(err)
}
