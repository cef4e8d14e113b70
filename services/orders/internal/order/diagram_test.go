package order_test

import (
	"flag"
	"fmt"
	"os"
	"strings"
	"testing"

	"github.com/curfew-platform/curfew/services/orders/internal/order"
)

//nolint:gochecknoglobals // A flag.
var update = flag.Bool("update", false, "write the files that are generated")

const diagramFile = "../../STATES.md"

// diagram draws the state machine (Mermaid), one arrow for each pair of states
// and action with everyone who may do it.
func diagram() string {
	var b strings.Builder
	b.WriteString("# States of an order\n\nGenerated from the transition table by `go test ./internal/order -update`.\n\n```mermaid\nstateDiagram-v2\n")
	fmt.Fprintf(&b, "    [*] --> %v: CreateOrder (customer)\n", order.PendingPayment)
	drawn := map[string]bool{}
	for _, t := range order.Transitions() {
		arrow := fmt.Sprintf("    %v --> %v: %v", t.From, t.To, t.Action)
		if drawn[arrow] {
			continue
		}
		drawn[arrow] = true
		var who []string
		for _, same := range order.Transitions() {
			if same.From == t.From && same.To == t.To && same.Action == t.Action {
				who = append(who, string(same.Kind))
			}
		}
		fmt.Fprintf(&b, "%s (%s)\n", arrow, strings.Join(who, ", "))
	}
	for _, s := range order.States() {
		if s.Terminal() {
			fmt.Fprintf(&b, "    %v --> [*]\n", s)
		}
	}
	b.WriteString("```\n")
	return b.String()
}

func TestTheDiagramInTheDocsIsTheTable(t *testing.T) {
	t.Parallel()
	if *update {
		if err := os.WriteFile(diagramFile, []byte(diagram()), 0o644); err != nil { //nolint:gosec // Documentation.
			t.Fatal(err)
		}
	}
	stored, err := os.ReadFile(diagramFile)
	if err != nil {
		t.Fatal(err)
	}
	if string(stored) != diagram() {
		t.Errorf("%s is old: run go test ./internal/order -update", diagramFile)
	}
}
