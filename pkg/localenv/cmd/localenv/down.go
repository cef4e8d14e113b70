package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"time"

	"github.com/curfew-platform/curfew/pkg/localenv/daemon"
)

type downCommand struct {
	Grace time.Duration `default:"20s" help:"How long it may take before it is killed."`
}

// Run stops the recorded server, if it runs.
func (d downCommand) Run(p place) error {
	unlock, err := p.lock()
	if err != nil {
		return err
	}
	defer unlock()
	record, err := daemon.Load(p.record())
	if errors.Is(err, daemon.ErrNotRecorded) {
		fmt.Printf("%s is down\n", p.server)
		return nil
	}
	if err != nil {
		return err
	}
	ctx, cancel := context.WithTimeout(context.Background(), d.Grace)
	defer cancel()
	if err := record.Stop(ctx); err != nil {
		return err
	}
	fmt.Printf("%s is down\n", p.server)
	return os.Remove(p.record())
}

type statusCommand struct{}

// Run prints whether the recorded server runs.
func (statusCommand) Run(p place) error {
	record, err := daemon.Load(p.record())
	if errors.Is(err, daemon.ErrNotRecorded) {
		fmt.Printf("%s is down\n", p.server)
		return nil
	}
	if err != nil {
		return err
	}
	fmt.Printf("%s is up: %s, pid %d\n", p.server, record.Address, record.Pid)
	return nil
}
