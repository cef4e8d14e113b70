package policy

import (
	"bufio"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
)

var (
	journeyStart = regexp.MustCompile(`^<!-- journey: (\w+) -->$`)
	station      = regexp.MustCompile("`((?:pkg|services|cmd|proto|e2e)[^`]*)`")
)

// TestTheJourneysOfTheDesignExistAndNoStationLooksPastTheNext holds DESIGN.md
// against the packages: a station exists, and knows nothing that comes after
// the next one.
func TestTheJourneysOfTheDesignExistAndNoStationLooksPastTheNext(t *testing.T) {
	journeys := readJourneys(t, filepath.Join(root, "DESIGN.md"))
	if len(journeys) != 4 {
		t.Fatalf("%d journeys, want 4", len(journeys))
	}
	for name, stations := range journeys {
		for i, path := range stations {
			if info, err := os.Stat(filepath.Join(root, path)); err != nil || !info.IsDir() {
				t.Errorf("journey %s: no folder %s", name, path)
				continue
			}
			for _, s := range allSources(t) {
				if s.dir() != path || s.isTest() {
					continue
				}
				for _, far := range stations[min(i+2, len(stations)):] {
					if slices.Contains(s.imports(), modulePrefix+far) {
						t.Errorf("journey %s takes a short cut: %s imports %s", name, s.path, far)
					}
				}
			}
		}
	}
}

// readJourneys returns the first path of every numbered line of each journey.
func readJourneys(t *testing.T, file string) map[string][]string {
	t.Helper()
	f, err := os.Open(file)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	journeys, current := map[string][]string{}, ""
	lines := bufio.NewScanner(f)
	for lines.Scan() {
		line := lines.Text()
		switch m := journeyStart.FindStringSubmatch(line); {
		case m != nil:
			current = m[1]
		case line == "<!-- end -->":
			current = ""
		case current != "" && strings.Contains(line, "`"):
			if m := station.FindStringSubmatch(line); m != nil {
				journeys[current] = append(journeys[current], m[1])
			}
		}
	}
	if err := lines.Err(); err != nil {
		t.Fatal(err)
	}
	return journeys
}
