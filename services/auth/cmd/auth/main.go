// Command auth is services/auth as a program of its own.
package main

import (
	"os"

	"github.com/curfew-platform/curfew/pkg/server"
	"github.com/curfew-platform/curfew/services/auth"
)

func main() {
	os.Exit(server.Main(auth.Command(), os.Args[1:]))
}
