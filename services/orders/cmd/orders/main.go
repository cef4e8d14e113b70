// Command orders is services/orders as a program of its own.
package main

import (
	"os"

	"github.com/curfew-platform/curfew/pkg/server"
	"github.com/curfew-platform/curfew/services/orders"
)

func main() {
	os.Exit(server.Main(orders.Command(), os.Args[1:]))
}
