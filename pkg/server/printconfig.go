package server

import (
	"fmt"
	"io"
	"sort"
	"strings"

	"github.com/alecthomas/kong"

	"github.com/curfew-platform/curfew/pkg/server/database"
)

// printConfig writes every flag with its value and without secrets: database
// URLs lose their password, all other secrets are paths of files anyway.
func printConfig(w io.Writer, parsed *kong.Context) {
	var lines []string
	for _, flag := range parsed.Flags() {
		switch flag.Name {
		case "help", "version", "check":
			continue
		}
		value := fmt.Sprint(parsed.FlagValue(flag))
		if strings.HasSuffix(flag.Name, "database-url") {
			value = database.Redact(value)
		}
		lines = append(lines, fmt.Sprintf("  --%s=%s", flag.Name, value))
	}
	sort.Strings(lines)
	fmt.Fprintln(w, "configuration:")
	for _, line := range lines {
		fmt.Fprintln(w, line)
	}
}
