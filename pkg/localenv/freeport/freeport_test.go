package freeport_test

import (
	"bufio"
	"context"
	"fmt"
	"io"
	"net"
	"os"
	"os/exec"
	"strconv"
	"strings"
	"testing"

	"github.com/curfew-platform/curfew/pkg/localenv/freeport"
)

// childVariable makes the test binary another process that is given ports.
const childVariable = "FREEPORT_TEST_CHILD"

// many are so many that two who draw by themselves have some in common.
const many = 200

func TestMain(m *testing.M) {
	if os.Getenv(childVariable) == "" {
		os.Exit(m.Run())
	}
	ports, err := freeport.Find(context.Background(), many)
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	fmt.Println(strings.Trim(fmt.Sprint(ports), "[]"))
	_, _ = io.Copy(io.Discard, os.Stdin) // It lives on, and its ports are its own.
}

// elsewhere is what a process is given that lives until the test is over.
func elsewhere(t *testing.T) (ports []int) {
	t.Helper()
	cmd := exec.CommandContext(context.WithoutCancel(t.Context()), os.Args[0]) // Its input ends it.
	cmd.Env, cmd.Stderr = append(os.Environ(), childVariable+"=1"), os.Stderr
	stdin, err := cmd.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	stdout, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		_ = stdin.Close()
		if err := cmd.Wait(); err != nil {
			t.Error(err)
		}
	})
	line, err := bufio.NewReader(stdout).ReadString('\n')
	if err != nil {
		t.Fatal(err)
	}
	for field := range strings.FieldsSeq(line) {
		port, err := strconv.Atoi(field)
		if err != nil {
			t.Fatal(err)
		}
		ports = append(ports, port)
	}
	return ports
}

// Environments that start side by side choose ports long before they listen.
func TestNoPortIsGivenTwiceWhileWhoWasGivenItLives(t *testing.T) {
	given := map[int]string{}
	note := func(who string, ports []int) {
		t.Helper()
		if len(ports) != many {
			t.Errorf("%s was given %d ports", who, len(ports))
		}
		for _, port := range ports {
			if before, twice := given[port]; twice {
				t.Fatalf("port %d was given to %s and to %s", port, before, who)
			}
			given[port] = who
		}
	}
	for i := range 2 {
		note(fmt.Sprintf("process %d", i+1), elsewhere(t))
		ports, err := freeport.Find(t.Context(), many)
		if err != nil {
			t.Fatal(err)
		}
		note(fmt.Sprintf("call %d here", i+1), ports)
	}
}

func TestAPortThatSomebodyListensOnIsNotGiven(t *testing.T) {
	ports, err := freeport.Find(t.Context(), 1)
	if err != nil {
		t.Fatal(err)
	}
	lis, err := net.Listen("tcp", fmt.Sprintf("127.0.0.1:%d", ports[0]))
	if err != nil {
		t.Fatal(err)
	}
	defer lis.Close()
	next, err := freeport.Between(t.Context(), ports[0], ports[0]+100)
	if err != nil || next <= ports[0] {
		t.Errorf("port %d, %v", next, err)
	}
}
