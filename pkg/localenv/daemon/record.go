package daemon

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"syscall"
	"time"
)

// ErrNotRecorded reports that no program was recorded, or that the recorded
// one has ended.
var ErrNotRecorded = errors.New("not running")

// Record says which program was detached. The start time guards against a
// process id that was given to another program since.
type Record struct {
	Name       string         `json:"name"`
	Pid        int            `json:"pid"`
	Birth      string         `json:"birth"`
	Address    string         `json:"address"`
	StopSignal syscall.Signal `json:"stop_signal"`
}

// Detach starts the program in a session of its own, so that it outlives this
// process and its terminal, and writes the record. Output has to be an
// *os.File.
func Detach(spec Spec, address, file string) (Record, error) {
	output, ok := spec.Output.(*os.File)
	if !ok {
		return Record{}, fmt.Errorf("detach %s: the output is no file", spec.Name)
	}
	cmd := exec.Command(spec.Path, spec.Args...) //nolint:noctx // It outlives every context of this process.
	cmd.Env, cmd.Dir = spec.Env, spec.Dir
	cmd.Stdout, cmd.Stderr = output, output
	cmd.SysProcAttr = &syscall.SysProcAttr{Setsid: true, Credential: spec.Credential}
	if err := cmd.Start(); err != nil {
		return Record{}, fmt.Errorf("start %s: %w", spec.Name, err)
	}
	// Reaped here if it ends while this process lives, else by init.
	go func() { _ = cmd.Wait() }()
	r := Record{
		Name: spec.Name, Pid: cmd.Process.Pid, Birth: birth(cmd.Process.Pid),
		Address: address, StopSignal: spec.stopSignal(),
	}
	if err := r.save(file); err != nil {
		return Record{}, errors.Join(err, syscall.Kill(-r.Pid, syscall.SIGKILL))
	}
	return r, nil
}

// Load returns the record of a program that is still running, else an error
// that matches ErrNotRecorded.
func Load(file string) (Record, error) {
	raw, err := os.ReadFile(file)
	if errors.Is(err, fs.ErrNotExist) {
		return Record{}, ErrNotRecorded
	}
	if err != nil {
		return Record{}, fmt.Errorf("read the record: %w", err)
	}
	var r Record
	if err := json.Unmarshal(raw, &r); err != nil {
		return Record{}, fmt.Errorf("read the record %s: %w", file, err)
	}
	if !r.alive() {
		return Record{}, ErrNotRecorded
	}
	return r, nil
}

// Stop asks the recorded program to end, waits, and kills its session when ctx
// ends first.
func (r Record) Stop(ctx context.Context) error {
	if err := r.signal(r.Pid, r.StopSignal); err != nil {
		return err
	}
	if r.await(ctx) == nil {
		return nil
	}
	if err := r.signal(-r.Pid, syscall.SIGKILL); err != nil {
		return err
	}
	after, cancel := context.WithTimeout(context.WithoutCancel(ctx), 5*time.Second)
	defer cancel()
	return errors.Join(
		fmt.Errorf("%s did not stop in time and was killed: %w", r.Name, context.Cause(ctx)),
		r.await(after))
}

// Await polls ready until it returns nil. It fails when the program ends or ctx
// does.
func (r Record) Await(ctx context.Context, ready func(context.Context) error) error {
	tick := time.NewTicker(50 * time.Millisecond)
	defer tick.Stop()
	for {
		err := ready(ctx)
		if err == nil {
			return nil
		}
		if !r.alive() {
			return fmt.Errorf("%s ended before it was ready", r.Name)
		}
		select {
		case <-ctx.Done():
			return fmt.Errorf("%s is not ready: %w", r.Name, errors.Join(context.Cause(ctx), err))
		case <-tick.C:
		}
	}
}

func (r Record) await(ctx context.Context) error {
	tick := time.NewTicker(50 * time.Millisecond)
	defer tick.Stop()
	for r.alive() {
		select {
		case <-ctx.Done():
			return fmt.Errorf("%s still runs: %w", r.Name, ctx.Err())
		case <-tick.C:
		}
	}
	return nil
}

func (r Record) signal(pid int, sig syscall.Signal) error {
	if !r.alive() {
		return nil
	}
	if err := syscall.Kill(pid, sig); err != nil && !errors.Is(err, syscall.ESRCH) {
		return fmt.Errorf("signal %s: %w", r.Name, err)
	}
	return nil
}

func (r Record) alive() bool { return r.Pid > 1 && r.Birth != "" && birth(r.Pid) == r.Birth }

func (r Record) save(file string) error {
	raw, err := json.Marshal(r)
	if err != nil {
		return fmt.Errorf("write the record: %w", err)
	}
	if err := os.MkdirAll(filepath.Dir(file), 0o700); err != nil {
		return fmt.Errorf("write the record: %w", err)
	}
	if err := os.WriteFile(file, raw, 0o600); err != nil {
		return fmt.Errorf("write the record: %w", err)
	}
	return nil
}
