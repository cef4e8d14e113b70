// Package keys makes and rotates keyset files.
package keys

import (
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"

	"github.com/curfew-platform/curfew/pkg/lifecycle"
	"github.com/curfew-platform/curfew/pkg/server/keyset"
)

// Flags of `curfew keyset`.
type Flags struct {
	Step string `arg:"" enum:"new,add,promote,retire,show" help:"new makes a file; add, promote and retire are the steps of a rotation, each rolled out to every replica before the next; show lists the ids."`
	File string `arg:"" type:"path" help:"The keyset file. It is replaced whole or not at all, and only its owner can read it."`
}

// old is what is said of a key from before the primary.
const old = "opens what it made"

// Main does the step, lists the keys of the file, and returns the exit status.
func Main(flags *Flags, stdout, stderr io.Writer) int {
	err := flags.run(stdout)
	if err != nil {
		fmt.Fprintln(stderr, "curfew keyset:", err)
	}
	return lifecycle.ExitCode(err)
}

func (f *Flags) run(stdout io.Writer) error {
	content, err := f.next()
	if err != nil {
		return err
	}
	keys, err := keyset.Keys(content)
	if err != nil {
		return fmt.Errorf("%s: %w", f.File, err)
	}
	state := ""
	for i, k := range keys {
		switch {
		case k.Primary:
			state = "primary"
		case i > 0 && keys[i-1].Use == k.Use && state != old:
			state = "waits to become primary"
		default:
			state = old
		}
		fmt.Fprintf(stdout, "%-5s %10d  %s\n", k.Use, k.ID, state)
	}
	return nil
}

// next is the content of the file after the step.
func (f *Flags) next() ([]byte, error) {
	if f.Step == "new" {
		content, err := keyset.Generate()
		if err != nil {
			return nil, err
		}
		return content, create(f.File, content)
	}
	content, err := os.ReadFile(f.File)
	if err != nil {
		return nil, &lifecycle.UsageError{Err: fmt.Errorf("keyset file: %w", err)}
	}
	step := map[string]func([]byte) ([]byte, error){"add": keyset.Add, "promote": keyset.Promote, "retire": keyset.Retire}[f.Step]
	if step == nil {
		return content, nil
	}
	next, err := step(content)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", f.File, err)
	}
	return next, replace(f.File, next)
}

// create refuses to overwrite: what a lost keyset opened is lost.
func create(path string, content []byte) error {
	file, err := os.OpenFile(path, os.O_CREATE|os.O_EXCL|os.O_WRONLY, 0o600)
	if err != nil {
		return fmt.Errorf("keyset file: %w", err)
	}
	_, err = file.Write(content)
	if err = errors.Join(err, file.Sync(), file.Close()); err != nil {
		return fmt.Errorf("keyset file: %w", err)
	}
	return nil
}

func replace(path string, content []byte) error {
	dir, err := os.MkdirTemp(filepath.Dir(path), ".keyset-*")
	if err != nil {
		return fmt.Errorf("keyset file: %w", err)
	}
	defer func() { _ = os.RemoveAll(dir) }()
	next := filepath.Join(dir, "next")
	if err := create(next, content); err != nil {
		return err
	}
	if err := os.Rename(next, path); err != nil {
		return fmt.Errorf("keyset file: %w", err)
	}
	return nil
}
