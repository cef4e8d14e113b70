package main

import (
	"fmt"
	"io"
	"os"

	"github.com/curfew-platform/curfew/pkg/localenv/leak"
)

// scanCommand passes what a run of tests writes on and looks for secrets in it.
type scanCommand struct {
	Files []string `arg:"" optional:"" help:"Files to look at instead of standard input." type:"existingfile"`
}

// Run fails if a secret was written.
func (c *scanCommand) Run() error {
	for _, file := range c.Files {
		if err := leak.File(file); err != nil {
			return err
		}
	}
	if len(c.Files) == 0 {
		w := leak.Writer("the run", os.Stdout)
		if _, err := io.Copy(w, os.Stdin); err != nil {
			return err
		}
		if err := w.Close(); err != nil {
			return err
		}
	}
	if err := leak.Found(); err != nil {
		return fmt.Errorf("secrets were written:\n%w", err)
	}
	return nil
}
