package postgres

import (
	"context"
	"errors"
	"fmt"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
)

// Oldest is the lowest major version the platform supports.
const Oldest = 15

// Binaries is a folder with initdb and postgres of one version.
type Binaries struct {
	Dir   string
	Major int
}

// Find returns the newest installed PostgreSQL that is at least Oldest, from
// /usr/lib/postgresql or PATH, and otherwise downloads one. A major other than
// 0 asks for exactly that version, which an existing data folder needs.
// Progress, if not nil, is told about a download.
func Find(ctx context.Context, major int, progress func(string)) (Binaries, error) {
	fits := func(b Binaries) bool { return b.Major >= Oldest && (major == 0 || b.Major == major) }
	installed := slices.DeleteFunc(installed(ctx), func(b Binaries) bool { return !fits(b) })
	if len(installed) > 0 {
		return slices.MaxFunc(installed, func(a, b Binaries) int { return a.Major - b.Major }), nil
	}
	if major != 0 && major != bundleMajor {
		return Binaries{}, fmt.Errorf("the state folder was made by PostgreSQL %d, which is not installed: "+
			"install it, or start anew with an empty state folder", major)
	}
	return download(ctx, progress)
}

func installed(ctx context.Context) []Binaries {
	dirs, _ := filepath.Glob("/usr/lib/postgresql/*/bin") // The pattern is constant and valid.
	if path, err := exec.LookPath("postgres"); err == nil {
		// initdb stands beside the real program, not beside a link to it.
		if path, err = filepath.EvalSymlinks(path); err == nil {
			dirs = append(dirs, filepath.Dir(path))
		}
	}
	var found []Binaries
	for _, dir := range dirs {
		if _, err := exec.LookPath(filepath.Join(dir, "initdb")); err != nil {
			continue
		}
		if major, err := version(ctx, dir); err == nil {
			found = append(found, Binaries{Dir: dir, Major: major})
		}
	}
	return found
}

var versionPattern = regexp.MustCompile(`\(PostgreSQL\) (\d+)`)

func version(ctx context.Context, dir string) (int, error) {
	out, err := exec.CommandContext(ctx, filepath.Join(dir, "postgres"), "--version").Output()
	if err != nil {
		return 0, fmt.Errorf("ask postgres for its version: %w", err)
	}
	match := versionPattern.FindSubmatch(out)
	if match == nil {
		return 0, errors.New("ask postgres for its version: unexpected answer")
	}
	return strconv.Atoi(string(match[1]))
}
