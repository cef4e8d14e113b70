// Command image builds the container images of the platform without a
// container engine and without a registry: one static program (or a few) on
// nothing, and beside each image a bill of what is in it (CycloneDX).
//
// The same sources, Go version and -version give the same bytes.
package main

import (
	"context"
	"flag"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
)

func main() {
	if err := run(context.Background(), os.Args[1:]); err != nil {
		fmt.Fprintln(os.Stderr, "image:", err)
		os.Exit(1) //nolint:forbidigo // This is the main function.
	}
}

func run(ctx context.Context, args []string) error {
	flags := flag.NewFlagSet("image", flag.ContinueOnError)
	b := builder{}
	flags.StringVar(&b.root, "root", "../..", "the repository")
	flags.StringVar(&b.version, "version", "dev", "version that the programs and labels tell")
	flags.StringVar(&b.revision, "revision", "", "commit that the labels tell; empty leaves it out")
	flags.StringVar(&b.tag, "tag", "dev", "tag of the images")
	flags.StringVar(&b.arch, "arch", "amd64", "processor architecture: amd64 or arm64")
	out := flags.String("out", "", "folder for NAME.tar and NAME.cdx.json (required)")
	if err := flags.Parse(args); err != nil {
		return err
	}
	if *out == "" {
		return fmt.Errorf("-out is missing")
	}
	list, err := parse(contents)
	if err != nil {
		return err
	}
	if err := os.MkdirAll(*out, 0o755); err != nil { //nolint:gosec // Images are no secrets.
		return err
	}
	for _, c := range list {
		made, err := b.build(ctx, c, *out)
		if err != nil {
			return fmt.Errorf("%s: %w", c.name, err)
		}
		fmt.Printf("%-16s %6.1f MB unpacked, %5.1f MB packed, %d modules  %s\n",
			made.reference, megabytes(made.unpacked), megabytes(made.packed), made.modules, made.digest)
	}
	return nil
}

func megabytes(n int64) float64 { return float64(n) / 1e6 }

// compile builds the packages statically into the folder, named by their paths
// in the image.
func (b builder) compile(ctx context.Context, packages []string, dir string) error {
	for _, pkg := range packages {
		cmd := exec.CommandContext(ctx, "go", "build", "-trimpath", "-buildvcs=false",
			"-ldflags", "-s -w -buildid= -X "+stamp+"="+b.version,
			"-o", filepath.Join(dir, program(pkg)), pkg)
		cmd.Dir = b.root
		cmd.Env = append(environment(), "CGO_ENABLED=0", "GOOS=linux", "GOARCH="+b.arch)
		cmd.Stderr = os.Stderr
		if err := cmd.Run(); err != nil {
			return fmt.Errorf("go build %s: %w", pkg, err)
		}
	}
	return nil
}

// stamp is the variable that holds a program's version.
const stamp = "github.com/curfew-platform/curfew/pkg/server.stamped"

// environment is that of this process without settings for Go that would
// change the result or, as GOWORK=off does, forbid it.
func environment() []string {
	var kept []string
	for _, variable := range os.Environ() {
		name, _, _ := strings.Cut(variable, "=")
		switch name {
		case "GOWORK", "GOFLAGS", "GOOS", "GOARCH", "GOAMD64", "GOARM64", "GOEXPERIMENT", "CGO_ENABLED":
		default:
			kept = append(kept, variable)
		}
	}
	return kept
}
