// Package stopreport is the command `curfew stop-report`: it finds the report of a stop in what people have at hand, and
// draws when each part stopped.
package stopreport

import (
	"errors"
	"fmt"
	"io"
	"os"

	"github.com/curfew-platform/curfew/pkg/lifecycle"
)

// maxInput bounds what is read, in bytes: the log of a long day.
const maxInput = 64 << 20

// Flags are the command line.
type Flags struct {
	File  string `arg:"" optional:"" default:"-" help:"What to read; - is standard input." placeholder:"FILE"`
	All   bool   `help:"Draw every report of the input, not the last only."`
	JSON  bool   `name:"json" help:"Print the report as one JSON line instead of drawing it."`
	Width int    `help:"Columns to draw in; 0 takes those of the terminal." default:"0"`
	ASCII bool   `help:"Draw with plain characters even if the terminal speaks UTF-8."`

	Pod       string `help:"Read the termination messages of a pod, or of all pods with a label such as app=orders, instead of a file." placeholder:"NAME|LABEL=VALUE"`
	Namespace string `short:"n" help:"Of the pods; that of kubectl's context if empty."`
	Follow    bool   `short:"f" help:"With --pod: stay, and draw each stop as it happens. What a pod said is gone with the pod."`
	Kubectl   string `default:"kubectl" env:"CURFEW_KUBECTL" help:"How to run kubectl, with flags of its own."`
}

// Help is printed by --help.
func (*Flags) Help() string {
	return `Reads the report that a process ends with, from whatever holds it: the JSON line itself, a whole log around it, the
termination message that Kubernetes keeps, or what kubectl prints of a pod:

  curfew stop-report --pod orders-0
  curfew stop-report --pod app.kubernetes.io/part-of=curfew --follow
  kubectl describe pod orders-0 | curfew stop-report
  kubectl logs --previous orders-0 | curfew stop-report
  bin/orders 2>orders.log; curfew stop-report orders.log

With --follow beside "kubectl rollout restart" it draws every stop of the rollout: a pod that was deleted takes its message along.
A message that was cut off in the middle is drawn as far as it goes. Exit status: 0 if there was a report, 1 if there was
none or it made no sense.`
}

// Main runs the command and returns the exit status of the process.
func Main(flags *Flags, stdin io.Reader, stdout, stderr io.Writer) int {
	if err := run(flags, stdin, stdout, stderr); err != nil {
		fmt.Fprintln(stderr, "curfew stop-report:", err)
		return lifecycle.ExitError
	}
	return lifecycle.ExitClean
}

func run(flags *Flags, stdin io.Reader, stdout, stderr io.Writer) error {
	if flags.Pod != "" {
		return drawPods(flags, stdout, stderr)
	}
	if flags.Follow {
		return errors.New("--follow is for --pod")
	}
	data, err := read(flags.File, stdin)
	if err != nil {
		return err
	}
	found, err := find(data)
	if err != nil {
		return err
	}
	if n := len(found); n > 1 && !flags.All {
		fmt.Fprintf(stderr, "%d reports, this is the last; --all draws them all\n", n)
		found = found[n-1:]
	}
	look := newLook(flags, stdout)
	for i, r := range found {
		if flags.JSON {
			if _, err := fmt.Fprintf(stdout, "%s\n", r.raw); err != nil {
				return fmt.Errorf("write: %w", err)
			}
			continue
		}
		if i > 0 {
			fmt.Fprintln(stdout)
		}
		if _, err := io.WriteString(stdout, look.draw(r)); err != nil {
			return fmt.Errorf("write: %w", err)
		}
	}
	return nil
}

func read(file string, stdin io.Reader) (data []byte, err error) {
	if file != "-" && file != "" {
		f, err := os.Open(file)
		if err != nil {
			return nil, fmt.Errorf("open: %w", err)
		}
		defer func() { _ = f.Close() }() // it was only read
		stdin = f
	}
	data, err = io.ReadAll(io.LimitReader(stdin, maxInput+1))
	switch {
	case err != nil:
		return nil, fmt.Errorf("read: %w", err)
	case len(data) > maxInput:
		return nil, fmt.Errorf("more than %d MiB: pass the lines around the stop only", maxInput>>20)
	case len(data) == 0:
		return nil, errors.New("the input is empty")
	}
	return data, nil
}
