package warden

import (
	"bytes"
	"log/slog"
	"os"
	"os/exec"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"
)

func hold(t *testing.T) (*Post, *bytes.Buffer, func()) {
	t.Helper()
	logs := &bytes.Buffer{}
	post, release := Hold(slog.New(slog.NewTextHandler(logs, nil)), os.Environ())
	t.Cleanup(release)
	return post, logs, release
}

// sleeper is a process that leads a group and has a descendant in it.
func sleeper(t *testing.T) *exec.Cmd {
	t.Helper()
	cmd := exec.Command("/bin/sh", "-c", "sleep 600 & wait")
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		_ = syscall.Kill(-cmd.Process.Pid, syscall.SIGKILL)
		_ = cmd.Wait()
	})
	return cmd
}

func (p *Post) pid() int {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.warden == nil {
		return 0
	}
	return p.warden.Pid
}

func TestHoldersShareAWardenThatEndsWithTheLastOfThem(t *testing.T) {
	first, _, releaseFirst := hold(t)
	second, _, releaseSecond := hold(t)
	if first != second {
		t.Error("two posts")
	}
	pid := first.pid()
	releaseFirst()
	releaseFirst() // counts once
	if first.pid() != pid {
		t.Error("the warden ended while it was held")
	}
	releaseSecond()
	if state(pid) != "" {
		t.Errorf("the warden is there: %s", state(pid))
	}
}

func TestAWardenThatDiesIsReplacedByOneThatKnowsTheGroups(t *testing.T) {
	post, _, _ := hold(t)
	child := sleeper(t)
	post.Guard(child.Process.Pid, 0)
	before := post.pid()
	if err := syscall.Kill(before, syscall.SIGKILL); err != nil {
		t.Fatal(err)
	}
	eventually(t, "another warden", func() bool { return post.pid() != before && post.pid() != 0 })
	if state(child.Process.Pid) == "Z" {
		t.Error("the child was killed")
	}
	// The parent hangs up without a word, as its death would: the new one acts.
	post.mu.Lock()
	_ = post.pipe.Close()
	post.mu.Unlock()
	eventually(t, "the group is ended", func() bool { return state(child.Process.Pid) == "Z" })
}

func TestAWardenSurvivesWhatAnInitSystemSendsToAService(t *testing.T) {
	post, _, _ := hold(t)
	child := sleeper(t)
	post.Guard(child.Process.Pid, time.Hour)
	pid := post.pid()
	// Its first answer shows that it has set its signals.
	eventually(t, "the warden listens", func() bool {
		status, _ := os.ReadFile("/proc/" + strconv.Itoa(pid) + "/status")
		return strings.Contains(string(status), "SigIgn:") && ignores(string(status), syscall.SIGTERM)
	})
	for _, sig := range []syscall.Signal{syscall.SIGTERM, syscall.SIGINT, syscall.SIGHUP} {
		if err := syscall.Kill(pid, sig); err != nil {
			t.Fatal(err)
		}
	}
	post.Release(child.Process.Pid)
	if post.pid() != pid || state(pid) == "Z" {
		t.Error("the warden ended")
	}
}

func TestAWardenThatDoesNotListenIsReplacedAndKillsNobodyWhoLives(t *testing.T) {
	post, logs, release := hold(t)
	child := sleeper(t)
	post.Guard(child.Process.Pid, 0)
	before := post.pid()
	if err := syscall.Kill(before, syscall.SIGSTOP); err != nil {
		t.Fatal(err)
	}
	defer func() {
		if t.Failed() && state(before) == "T" { // nobody else ends it, and the clean-up waits for it
			_ = syscall.Kill(before, syscall.SIGKILL)
		}
	}()
	// A pipe holds 64 KiB.
	eventually(t, "the parent gives it up", func() bool {
		for range 1000 {
			post.Release(999_999)
		}
		return post.pid() != before
	})
	eventually(t, "another warden", func() bool { return post.pid() != 0 })
	if state(child.Process.Pid) == "Z" || state(before) == "T" {
		t.Errorf("child %q, warden %q", state(child.Process.Pid), state(before))
	}
	post.Release(child.Process.Pid)
	release()
	if !strings.Contains(logs.String(), "does not listen") {
		t.Errorf("log: %s", logs)
	}
}

func TestTheLastHolderIsNotHeldUpByAWardenThatIsBeingStarted(t *testing.T) {
	p := &Post{
		log: slog.New(slog.DiscardHandler), env: os.Environ(),
		quit: make(chan struct{}), ended: make(chan struct{}), groups: map[int]time.Duration{},
	}
	starting, late := make(chan struct{}), make(chan *os.Process, 1)
	p.start = func(env []string) (*os.Process, *os.File, error) {
		close(starting)
		<-p.quit
		warden, pipe, err := start(env)
		late <- warden
		return warden, pipe, err
	}
	go p.keep(nil)
	<-starting
	go p.close()
	warden := <-late
	select {
	case <-p.ended:
	case <-time.After(5 * time.Second):
		_ = warden.Kill()
		t.Fatal("the post is not closed")
	}
	if state(warden.Pid) != "" {
		t.Errorf("the warden is there: %s", state(warden.Pid))
	}
}

// ignores tells whether a process ignores a signal, by its status in /proc.
func ignores(status string, sig syscall.Signal) bool {
	_, rest, _ := strings.Cut(status, "SigIgn:")
	mask, err := strconv.ParseUint(strings.Fields(rest)[0], 16, 64)
	return err == nil && mask&(1<<(sig-1)) != 0
}
