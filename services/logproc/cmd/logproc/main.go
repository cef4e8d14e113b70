// Command logproc is services/logproc as a program of its own.
package main

import (
	"os"

	"github.com/curfew-platform/curfew/pkg/server"
	"github.com/curfew-platform/curfew/services/logproc"
)

func main() {
	os.Exit(server.Main(logproc.Command(), os.Args[1:]))
}
