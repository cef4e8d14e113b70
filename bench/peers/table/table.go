// Package table runs every library through every scenario and says what came
// of it.
package table

import (
	"context"
	"fmt"
	"io"
	"os/exec"
	"strconv"
	"strings"
	"syscall"
	"text/tabwriter"
	"time"

	"golang.org/x/sync/errgroup"

	"github.com/curfew-platform/curfew/bench/peers/kubelet"
	"github.com/curfew-platform/curfew/bench/peers/library"
	"github.com/curfew-platform/curfew/bench/peers/scenario"
)

// Row is one library in one scenario.
type Row struct {
	Library library.Library
	kubelet.Outcome
}

// Table is all libraries in one scenario.
type Table struct {
	Scenario scenario.Name
	Scale    int
	Rows     []Row
}

// Run starts a process for every cell, all at once: they mostly wait. command
// returns one that calls Child for a library and a scenario.
func Run(ctx context.Context, scale int, command func(ctx context.Context, args ...string) *exec.Cmd) ([]Table, error) {
	var tables []Table
	g, ctx := errgroup.WithContext(ctx)
	for _, name := range scenario.All() {
		t := Table{Scenario: name, Scale: scale, Rows: make([]Row, len(library.All()))}
		tables = append(tables, t)
		for i, l := range library.All() {
			g.Go(func() error {
				var second time.Duration
				if name == scenario.Twice {
					second = scenario.Second
				}
				at := func(d time.Duration) time.Duration { return d / time.Duration(scale) }
				cmd := command(ctx, l.Key, string(name), strconv.Itoa(scale))
				out, err := kubelet.Stop(ctx, cmd, at(scenario.Grace), at(second))
				if err != nil {
					return fmt.Errorf("%s, %s: %w", l.Key, name, err)
				}
				t.Rows[i] = Row{Library: l, Outcome: out}
				return nil
			})
		}
	}
	return tables, g.Wait()
}

// Child is the life of one such process. It returns its exit code; args are
// those that Run gave to the command.
func Child(args []string, stdout, stderr io.Writer) int {
	if len(args) != 3 {
		fmt.Fprintln(stderr, "want a library, a scenario and a scale, got", args)
		return 2
	}
	l, err := library.Find(args[0])
	if err != nil {
		fmt.Fprintln(stderr, err)
		return 2
	}
	scale, err := strconv.Atoi(args[2])
	if err != nil {
		fmt.Fprintln(stderr, err)
		return 2
	}
	return l.Run(scenario.NewStage(scenario.Name(args[1]), scale, stdout), stderr)
}

var header = []string{"library", "commit", "grace left when it began", "process ended", "by"}

func (r Row) cells() []string {
	left := "-"
	if r.Commit != kubelet.Never {
		left = seconds(r.Left)
	}
	by := "exit code " + strconv.Itoa(r.Exit)
	switch r.Signal {
	case 0:
	case syscall.SIGKILL:
		by = "SIGKILL"
	case syscall.SIGTERM:
		by = "the second SIGTERM"
	default:
		by = r.Signal.String()
	}
	return []string{r.Library.Name, string(r.Commit), left, "after " + seconds(r.Ended), by}
}

// seconds has one digit that is the same from run to run on a machine that is
// not overloaded, and one that is not.
func seconds(d time.Duration) string { return strconv.FormatFloat(d.Seconds(), 'f', 2, 64) + " s" }

// Print writes the table for a terminal.
func (t Table) Print(w io.Writer) error {
	fmt.Fprintf(w, "%s\n", t.Scenario.Title())
	tw := tabwriter.NewWriter(w, 0, 0, 3, ' ', 0)
	fmt.Fprintln(tw, "  "+strings.Join(header, "\t"))
	for _, r := range t.Rows {
		fmt.Fprintln(tw, "  "+strings.Join(r.cells(), "\t"))
	}
	return tw.Flush()
}

// Markdown writes the table for a page.
func (t Table) Markdown() string {
	var b strings.Builder
	fmt.Fprintf(&b, "**%s.**\n\n", t.Scenario.Title())
	line := func(cells []string) { fmt.Fprintf(&b, "| %s |\n", strings.Join(cells, " | ")) }
	line(header)
	line(strings.Split(strings.Repeat("---,", len(header)-1)+"---", ","))
	for _, r := range t.Rows {
		line(r.cells())
	}
	return b.String()
}
