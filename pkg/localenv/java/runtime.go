// Package java finds a Java runtime and fetches the libraries of a server that
// is published to Maven Central.
package java

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strconv"
)

// Oldest is the lowest Java version that the servers run on.
const Oldest = 17

// ErrMissing reports that a program is not installed; its text says which, and
// how to get it.
var ErrMissing = errors.New("missing program")

var versionPattern = regexp.MustCompile(`version "(\d+)`)

// Find returns the java program of JAVA_HOME or PATH if it is new enough.
func Find(ctx context.Context) (string, error) {
	candidates := []string{"java"}
	if home := os.Getenv("JAVA_HOME"); home != "" {
		candidates = []string{filepath.Join(home, "bin", "java"), "java"}
	}
	found := 0
	for _, candidate := range candidates {
		path, err := exec.LookPath(candidate)
		if err != nil {
			continue
		}
		out, err := exec.CommandContext(ctx, path, "-version").CombinedOutput()
		if err != nil {
			continue
		}
		if match := versionPattern.FindSubmatch(out); match != nil {
			if found, _ = strconv.Atoi(string(match[1])); found >= Oldest {
				return path, nil
			}
		}
	}
	have := "none is installed"
	if found > 0 {
		have = fmt.Sprintf("the installed one is %d", found)
	}
	return "", fmt.Errorf("%w: Java >= %d, %s: `make setup-system` installs it on Debian-like systems", ErrMissing, Oldest, have)
}
