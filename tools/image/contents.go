package main

import (
	_ "embed"
	"fmt"
	"path"
	"slices"
	"strings"
)

//go:embed contents.txt
var contents string

// content says what is in an image.
type content struct {
	name string
	// packages of the programs, relative to the repository; the first program
	// is the entry point.
	packages []string
}

// program is the path of a package's program in the image.
func program(pkg string) string { return "/" + path.Base(pkg) }

// parse reads lines of a name and packages; # begins a comment.
func parse(text string) ([]content, error) {
	var list []content
	for line := range strings.Lines(text) {
		line, _, _ = strings.Cut(line, "#")
		fields := strings.Fields(line)
		switch {
		case len(fields) == 0:
			continue
		case len(fields) == 1:
			return nil, fmt.Errorf("image %q has no program", fields[0])
		case slices.ContainsFunc(list, func(c content) bool { return c.name == fields[0] }):
			return nil, fmt.Errorf("image %q is listed twice", fields[0])
		}
		list = append(list, content{name: fields[0], packages: fields[1:]})
	}
	return list, nil
}
