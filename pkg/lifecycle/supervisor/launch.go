package supervisor

import (
	"errors"
	"fmt"
	"os"
	"slices"
	"strconv"
	"strings"
	"syscall"
)

// launched is what belongs to a process that was just started.
type launched struct {
	process        *os.Process
	stdout, stderr *os.File
	channel        *os.File // nil for a plain child
}

// launch starts the program of a spec on the spawner's thread. On an error
// nothing is left behind.
func launch(s *spawner, spec *Spec, id identity) (_ *launched, err error) {
	var files fileset
	defer func() {
		files.closeChild()
		if err != nil {
			files.closeParent()
		}
	}()
	null := files.open()
	stdout, outW := files.pipe()
	stderr, errW := files.pipe()
	attr := &os.ProcAttr{
		Dir:   spec.Dir,
		Files: []*os.File{null, outW, errW},
		Sys:   processAttr(spec.Credential, spec.DeathSignal),
	}
	own := limits(spec)
	var channel *os.File
	if !spec.Plain {
		var end *os.File
		channel, end = files.socketpair()
		attr.Files = append(attr.Files, end)
		own = append(own, identityVar+"="+id.String())
	}
	attr.Env = environment(spec.Env, own)
	if files.err != nil {
		return nil, files.err
	}
	p, err := s.start(spec.Path, append([]string{argv0(spec)}, spec.Args...), attr)
	if err != nil {
		return nil, fmt.Errorf("start process: %w", err)
	}
	if err := limit(p.Pid, spec); err != nil {
		kill := syscall.Kill(-p.Pid, syscall.SIGKILL)
		_, wait := p.Wait()
		return nil, errors.Join(err, kill, wait)
	}
	return &launched{process: p, stdout: stdout, stderr: stderr, channel: channel}, nil
}

// argv0 keeps the name under which the binary itself was called, so that a
// listing of processes shows it and not a path in /proc.
func argv0(spec *Spec) string {
	if path, err := self(); err == nil && path == spec.Path && len(os.Args) > 0 {
		return os.Args[0]
	}
	return spec.Path
}

// private are the variables by which systemd speaks to one process. A child that
// had them would answer in its parent's name: end its start, feed its watchdog.
var private = []string{
	"NOTIFY_SOCKET", "WATCHDOG_PID", "WATCHDOG_USEC", "LISTEN_PID", "LISTEN_FDS", "LISTEN_FDNAMES",
}

// limit sets the limits of a process that has just been started.
func limit(pid int, spec *Spec) error {
	limits := spec.Rlimits
	if spec.LimitData > 0 {
		data := uint64(spec.LimitData)
		limits = append(slices.Clone(limits), Rlimit{Resource: syscall.RLIMIT_DATA, Soft: data, Hard: data})
	}
	for _, l := range limits {
		if err := setLimit(pid, l); err != nil {
			return fmt.Errorf("limit of resource %d: %w", l.Resource, err)
		}
	}
	return nil
}

// environment joins two lists of variables; a later one replaces an earlier one
// of the same name. The kernel would pass on both, and a Go program see the
// earlier.
func environment(lists ...[]string) []string {
	var env []string
	seen := map[string]int{}
	for _, variable := range slices.Concat(lists...) {
		name, _, _ := strings.Cut(variable, "=")
		if slices.Contains(private, name) {
			continue
		}
		if i, ok := seen[name]; ok {
			env[i] = variable
			continue
		}
		seen[name] = len(env)
		env = append(env, variable)
	}
	return env
}

// limits are the variables by which the Go runtime of the child limits itself.
func limits(spec *Spec) []string {
	var env []string
	if spec.MemoryLimit > 0 {
		env = append(env, "GOMEMLIMIT="+strconv.FormatInt(spec.MemoryLimit, 10))
	}
	if spec.MaxProcs > 0 {
		env = append(env, "GOMAXPROCS="+strconv.Itoa(spec.MaxProcs))
	}
	return env
}

// fileset opens the files of a child and remembers who has to close which.
type fileset struct {
	parent, child []*os.File
	err           error
}

func (f *fileset) open() *os.File {
	null, err := os.Open(os.DevNull)
	f.keep(nil, null, err)
	return null
}

func (f *fileset) pipe() (r, w *os.File) {
	r, w, err := os.Pipe()
	f.keep(r, w, err)
	return r, w
}

func (f *fileset) socketpair() (parent, child *os.File) {
	parent, child, err := socketpair()
	f.keep(parent, child, err)
	return parent, child
}

func (f *fileset) keep(parent, child *os.File, err error) {
	if err != nil {
		f.err = errors.Join(f.err, err)
		return
	}
	if parent != nil {
		f.parent = append(f.parent, parent)
	}
	f.child = append(f.child, child)
}

// closeChild closes the ends that belong to the child; held open here they
// would hide its death.
func (f *fileset) closeChild() {
	for _, file := range f.child {
		_ = file.Close()
	}
}

func (f *fileset) closeParent() {
	for _, file := range f.parent {
		_ = file.Close()
	}
}
