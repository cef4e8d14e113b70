package lifecycle

import (
	"bytes"
	"fmt"
	"runtime/pprof"
	"strings"
)

// The pprof labels of every goroutine of a part, also useful in a goroutine profile of a running process.
const (
	labelGroup = "lifecycle.group"
	labelPart  = "lifecycle.part"
	labelPhase = "lifecycle.phase"
)

// stacks returns the stacks of the goroutines of abandoned parts, found by their labels in one goroutine profile. A part
// whose goroutines are not in it has an empty stack.
func stacks(parts []*instance) map[*instance]string {
	var profile bytes.Buffer
	if p := pprof.Lookup("goroutine"); p != nil {
		_ = p.WriteTo(&profile, 1) // a bytes.Buffer does not fail
	}
	found := make(map[*instance]string, len(parts))
	blocks := strings.Split(profile.String(), "\n\n")
	for _, in := range parts {
		found[in] = ""
		label := fmt.Sprintf("%q:%q, %q:%q,", labelGroup, in.g.id, labelPart, in.part.Name)
		var own []string
		for _, block := range blocks {
			if strings.Contains(block, label) {
				own = append(own, frames(block))
			}
		}
		found[in] = clip(strings.Join(own, "\n"), maxStackBytes)
	}
	return found
}

// frames turns the lines "#	0x4a8b05	main.f+0x25	/src/main.go:12" of a profile into "main.f /src/main.go:12".
func frames(block string) string {
	var lines []string
	for l := range strings.Lines(block) {
		cells := strings.Fields(l)
		if len(cells) == 4 && cells[0] == "#" {
			name, _, _ := strings.Cut(cells[2], "+0x")
			lines = append(lines, name+" "+cells[3])
		}
	}
	return strings.Join(lines, "\n")
}
