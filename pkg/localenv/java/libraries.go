package java

import (
	"bytes"
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
)

// Coordinate is group:artifact:version.
type Coordinate string

// Libraries is the set of jars of a program.
type Libraries struct {
	// Name names the folder in the cache and has to change with the roots.
	Name string
	// Roots are the wanted artifacts; Maven adds what they require.
	Roots []Coordinate
}

// Fetch returns the folder of the jars and lets Maven fill it when it is not
// there yet. Progress, if not nil, is told about that. Concurrent calls, also
// of other processes, are safe.
func (l Libraries) Fetch(ctx context.Context, cache string, progress func(string)) (string, error) {
	dir := filepath.Join(cache, l.Name)
	if _, err := os.Stat(dir); err == nil {
		return dir, nil
	}
	mvn, err := exec.LookPath("mvn")
	if err != nil {
		return "", fmt.Errorf("%w: Maven (mvn): `make setup-system` installs it on Debian-like systems", ErrMissing)
	}
	if progress != nil {
		progress("downloading " + l.Name + " with Maven")
	}
	if err := os.MkdirAll(cache, 0o755); err != nil { //nolint:gosec // Servers under another account read it.
		return "", fmt.Errorf("make the cache folder: %w", err)
	}
	work, err := os.MkdirTemp(cache, l.Name+".part")
	if err != nil {
		return "", fmt.Errorf("make a folder for %s: %w", l.Name, err)
	}
	defer func() { _ = os.RemoveAll(work) }()
	pom, jars := filepath.Join(work, "pom.xml"), filepath.Join(work, "jars")
	if err := os.WriteFile(pom, l.pom(), 0o600); err != nil {
		return "", fmt.Errorf("write the pom: %w", err)
	}
	cmd := exec.CommandContext(ctx, mvn, "--batch-mode", "--quiet", "--file", pom,
		"dependency:copy-dependencies", "-DoutputDirectory="+jars, "-DincludeScope=runtime")
	if out, err := cmd.CombinedOutput(); err != nil {
		return "", fmt.Errorf("fetch %s with Maven: %w\n%s", l.Name, err, bytes.TrimSpace(out))
	}
	if err := os.Chmod(jars, 0o755); err != nil { //nolint:gosec // See above.
		return "", fmt.Errorf("open the folder of %s: %w", l.Name, err)
	}
	if err := os.Rename(jars, dir); err != nil {
		if _, statErr := os.Stat(dir); statErr == nil {
			return dir, nil // Another process was first.
		}
		return "", fmt.Errorf("place %s: %w", l.Name, err)
	}
	return dir, nil
}

func (l Libraries) pom() []byte {
	var b strings.Builder
	b.WriteString(`<project xmlns="http://maven.apache.org/POM/4.0.0"><modelVersion>4.0.0</modelVersion>` +
		`<groupId>dev.curfew</groupId><artifactId>` + l.Name + `</artifactId><version>1</version><packaging>pom</packaging><dependencies>`)
	for _, root := range l.Roots {
		part := strings.Split(string(root), ":")
		fmt.Fprintf(&b, "<dependency><groupId>%s</groupId><artifactId>%s</artifactId><version>%s</version></dependency>",
			part[0], part[1], part[2])
	}
	b.WriteString("</dependencies></project>\n")
	return []byte(b.String())
}
