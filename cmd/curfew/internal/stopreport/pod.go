package stopreport

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os/exec"
	"strings"
	"time"

	"github.com/curfew-platform/curfew/pkg/lifecycle"
)

const (
	// askLimit bounds one question to the cluster.
	askLimit = 30 * time.Second
	// mostSaid bounds the lines that are printed of a container that left no report.
	mostSaid = 40
	// mostDrawn bounds the stops that are remembered as drawn.
	mostDrawn = 10_000
)

// pod is what is read of a pod; the names are those of the Kubernetes API.
type pod struct {
	Items    []pod `json:"items"` // of a list
	Metadata struct {
		Name string `json:"name"`
		UID  string `json:"uid"`
	} `json:"metadata"`
	Status struct {
		InitContainers []container `json:"initContainerStatuses"`
		Containers     []container `json:"containerStatuses"`
	} `json:"status"`
}

type container struct {
	Name      string `json:"name"`
	State     state  `json:"state"`
	LastState state  `json:"lastState"`
}

type state struct {
	Terminated *terminated `json:"terminated"`
}

type terminated struct {
	ExitCode    int       `json:"exitCode"`
	Reason      string    `json:"reason"`
	Message     string    `json:"message"`
	StartedAt   time.Time `json:"startedAt"`
	FinishedAt  time.Time `json:"finishedAt"`
	ContainerID string    `json:"containerID"`
}

// ended is one end of a container.
type ended struct {
	terminated

	of string // pod/container
	id string // differs between two ends
}

// ends are what the pod knows of ends of its containers, the oldest first. An
// init container that did what it is for has nothing to say.
func (p *pod) ends() []ended {
	var all []ended
	add := func(c container, t *terminated, init bool) {
		if t != nil && (!init || t.ExitCode != 0) {
			all = append(all, ended{terminated: *t, of: p.Metadata.Name + "/" + c.Name, id: p.Metadata.UID + c.Name + t.ContainerID + t.FinishedAt.String()})
		}
	}
	for i, containers := range [][]container{p.Status.InitContainers, p.Status.Containers} {
		for _, c := range containers {
			add(c, c.LastState.Terminated, i == 0)
			add(c, c.State.Terminated, i == 0)
		}
	}
	return all
}

// drawPods draws how the containers of pods ended, as kubectl knows it.
func drawPods(flags *Flags, stdout, stderr io.Writer) error {
	ctx, cancel := context.WithCancel(context.Background())
	defer cancel()
	if !flags.Follow {
		ctx, cancel = context.WithTimeout(ctx, askLimit)
		defer cancel()
	}
	cmd := kubectl(ctx, flags)
	cmd.Stderr = stderr
	out, err := cmd.StdoutPipe()
	if err != nil {
		return fmt.Errorf("run kubectl: %w", err)
	}
	if err := cmd.Start(); err != nil {
		return fmt.Errorf("run kubectl: %w", err)
	}
	n, err := drawEnds(flags, out, stdout)
	cancelled := err != nil
	if cancelled {
		cancel() // Nobody reads what it has to say.
	}
	if waited := cmd.Wait(); waited != nil && !cancelled {
		err = fmt.Errorf("%s: %w", strings.Join(cmd.Args, " "), waited)
	}
	if err == nil && n == 0 {
		err = errors.New("no container of it has ended; with --follow it waits for the next one")
	}
	return err
}

// kubectl asks for the pods.
func kubectl(ctx context.Context, flags *Flags) *exec.Cmd {
	args := append(strings.Fields(flags.Kubectl), "get", "pods", "--output=json")
	if flags.Namespace != "" {
		args = append(args, "--namespace="+flags.Namespace)
	}
	if strings.ContainsAny(flags.Pod, "=!,") || strings.HasPrefix(flags.Pod, "-") {
		args = append(args, "--selector="+flags.Pod)
	} else {
		args = append(args, flags.Pod)
	}
	if flags.Follow {
		args = append(args, "--watch", "--output-watch-events")
	}
	return exec.CommandContext(ctx, args[0], args[1:]...) //nolint:gosec // the user's own kubectl
}

// drawEnds draws every end in what kubectl prints, and returns how many there were.
func drawEnds(flags *Flags, in io.Reader, stdout io.Writer) (n int, err error) {
	look := newLook(flags, stdout)
	drawn := map[string]bool{}
	objects := json.NewDecoder(in)
	for {
		var event struct {
			pod

			Object *pod `json:"object"`
		}
		switch err := objects.Decode(&event); {
		case errors.Is(err, io.EOF):
			return n, nil
		case err != nil:
			return n, fmt.Errorf("read what kubectl prints: %w", err)
		}
		pods := event.Items
		switch {
		case event.Object != nil: // of a watch
			pods = []pod{*event.Object}
		case pods == nil:
			pods = []pod{event.pod}
		}
		for _, p := range pods {
			for _, e := range p.ends() {
				if drawn[e.id] {
					continue
				}
				if len(drawn) == mostDrawn {
					clear(drawn)
				}
				drawn[e.id] = true
				if _, err := io.WriteString(stdout, e.text(flags, look, n == 0)); err != nil {
					return n, fmt.Errorf("write: %w", err)
				}
				n++
			}
		}
	}
}

// text is the drawing of an end, or what is known of one without a report.
func (e ended) text(flags *Flags, look look, first bool) string {
	var sb strings.Builder
	found, err := find([]byte(e.Message))
	if flags.JSON {
		if err == nil {
			fmt.Fprintf(&sb, "%s\n", found[len(found)-1].raw)
		}
		return sb.String()
	}
	if !first {
		sb.WriteByte('\n')
	}
	if err == nil {
		r := found[len(found)-1]
		r.of = strings.TrimSuffix(e.of+", "+r.of, ", ")
		sb.WriteString(look.draw(r))
		if e.ExitCode != r.ExitCode { // It was killed after it had written the report.
			fmt.Fprintf(&sb, "%s\n", look.paint(lifecycle.Abandoned, e.verdict()))
		}
		return sb.String()
	}
	fmt.Fprintf(&sb, "%s\nof %s\n", look.paint(lifecycle.Abandoned, e.verdict()), clean(e.of))
	lines := bytes.Split(bytes.TrimSpace([]byte(e.Message)), []byte("\n"))
	if len(lines) > mostSaid {
		lines = lines[len(lines)-mostSaid:]
	}
	for _, line := range lines {
		if len(line) > 0 {
			fmt.Fprintf(&sb, "  %s\n", clean(string(line)))
		}
	}
	return sb.String()
}

// verdict is what the kubelet says of the end.
func (e ended) verdict() string {
	said := "it left no report"
	if e.Message != "" {
		said = "it left these words"
	}
	if strings.Contains(e.Message, mark) {
		said = "it was killed after its report"
	}
	return clean(fmt.Sprintf("ended: %s, exit code %d at %s; %s", e.Reason, e.ExitCode, e.FinishedAt.UTC().Format("2006-01-02 15:04:05 MST"), said))
}
