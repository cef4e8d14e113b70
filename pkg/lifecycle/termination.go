package lifecycle

import (
	"fmt"
	"os"
	"slices"
)

// maxTermination is what the kubelet keeps of a termination message.
const maxTermination = 4096

// terminationMessage is the JSON line of the report, in at most 4 KiB. It stays JSON, so that tools can read it back:
// stacks go first, then the parts that were fine, then all but the beginning of long texts, then all but the two worst
// parts of a phase, then the parts. What is left is whole; nothing is cut in the middle of a character.
func terminationMessage(r Report) ([]byte, error) {
	shorten := []func(*PhaseReport){
		func(*PhaseReport) {},
		func(ph *PhaseReport) {
			for i := range ph.Parts {
				ph.Parts[i].Stack = ""
			}
		},
		func(ph *PhaseReport) {
			ph.Parts = slices.DeleteFunc(ph.Parts, func(p PartReport) bool { return p.Outcome == Clean || p.Outcome == Skipped })
		},
		func(ph *PhaseReport) {
			for i := range ph.Parts {
				ph.Parts[i].Error = clip(ph.Parts[i].Error, 100)
				ph.Parts[i].Stuck = nil
			}
		},
		func(ph *PhaseReport) {
			slices.SortStableFunc(ph.Parts, func(a, b PartReport) int { return severity[b.Outcome] - severity[a.Outcome] })
			ph.Parts = ph.Parts[:min(len(ph.Parts), 2)]
		},
		func(ph *PhaseReport) { ph.Parts = nil },
	}
	r.Phases = slices.Clone(r.Phases)
	for i := range r.Phases {
		r.Phases[i].Parts = slices.Clone(r.Phases[i].Parts)
	}
	for _, f := range shorten {
		for i := range r.Phases {
			f(&r.Phases[i])
		}
		data, err := r.JSON()
		if err != nil {
			return nil, fmt.Errorf("encode: %w", err)
		}
		if len(data) < maxTermination {
			return append(data, '\n'), nil
		}
	}
	r.Cause, r.Error = clip(r.Cause, 100), clip(r.Error, 100)
	return r.JSON()
}

// writeTermination writes the message to path, in place: in Kubernetes the file is mounted and can't be renamed over.
func writeTermination(path string, r Report) error {
	if path == "" {
		return nil
	}
	data, err := terminationMessage(r)
	if err != nil {
		return err
	}
	return os.WriteFile(path, data, 0o600)
}
