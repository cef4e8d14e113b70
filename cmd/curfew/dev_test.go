package main

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/curfew-platform/curfew/pkg/localenv/account"
)

// variables are what scripts rely on.
var variables = []string{
	"CURFEW_AUTH_ADDR", "CURFEW_ORDERS_ADDR", "CURFEW_LOGPROC_ADDR", "CURFEW_HTTP_URL", "CURFEW_KAFKA_BROKERS",
	"CURFEW_LOGS_TOPIC", "CURFEW_DEAD_LETTER_TOPIC", "CURFEW_ORDER_EVENTS_TOPIC", "CURFEW_AUTH_DATABASE_URL",
	"CURFEW_ORDERS_DATABASE_URL", "CURFEW_LOGPROC_DATABASE_URL", "CURFEW_TOKEN_FILE", "CURFEW_ADMIN_TOKEN_FILE",
	"CURFEW_CUSTOMER_EMAIL", "CURFEW_CUSTOMER_PASSWORD", "CURFEW_ADMIN_EMAIL", "CURFEW_ADMIN_PASSWORD",
}

func TestACommandRunsInTheEnvironmentAndItsStatusIsReturned(t *testing.T) {
	t.Parallel()
	dir := stateDir(t)
	e := begin(t, dir, nil, "--port", "0", "--orders-replicas", "2", "--", "sh", "-c",
		`env | sed "s/=.*/=/"; stat -c "%a %n" "$CURFEW_TOKEN_FILE" "$CURFEW_ADMIN_TOKEN_FILE" "$(dirname "$CURFEW_TOKEN_FILE")/env"; exit 7`)
	if got := e.status(); got != 7 {
		t.Errorf("exit status %d, want that of the command, 7", got)
	}
	out := e.stdout.String()
	for _, name := range variables {
		if !strings.Contains("\n"+out, "\n"+name+"=") {
			t.Errorf("%s is not exported", name)
		}
	}
	for _, file := range []string{"token", "admin-token", "env"} {
		if !strings.Contains(out, "600 "+filepath.Join(dir, file)+"\n") {
			t.Errorf("%s is not there with mode 0600:\n%s", file, out)
		}
	}
	if _, err := os.Stat(filepath.Join(dir, "env")); err == nil {
		t.Error("the file env is left although nothing runs")
	}
	if !strings.Contains(e.stderr.String(), `"msg":"stop report"`) {
		t.Error("there is no stop report")
	}
}

func TestTheBannersCallWorksAndFailsAfterItsRevocationOnEveryService(t *testing.T) {
	t.Parallel()
	e := begin(t, stateDir(t), nil, "--port", "0")
	e.await("it printed what to do", func() bool { return strings.Contains(e.stdout.String(), "Ctrl-C") })
	var commands []string
	for line := range strings.Lines(e.stdout.String()) {
		if line = strings.TrimSpace(line); strings.HasPrefix(line, "TOKEN=") || strings.HasPrefix(line, "curl ") {
			commands = append(commands, line)
		}
	}
	if len(commands) != 4 {
		t.Fatalf("want token, call, revocation and call, got %q", commands)
	}
	script := strings.Join([]string{
		commands[0], commands[1], "echo", "echo ---", commands[2], "echo", "echo ---", commands[3], "echo",
		`. "` + filepath.Join(e.dir, "env") + `"`,
		`curl -s -H "authorization: Bearer $TOKEN" "$CURFEW_HTTP_URL/orders/v1/products"`,
	}, "\n")
	parts := strings.Split(shell(t, script), "---\n")
	if len(parts) != 3 || !strings.Contains(parts[0], "customer@curfew.example") {
		t.Fatalf("the call does not work: %q", parts)
	}
	if n := strings.Count(parts[2], "TOKEN_REVOKED"); n != 2 {
		t.Errorf("after the revocation auth and orders answered %s", parts[2])
	}
	// The files follow: a script that starts now gets a token that is admitted.
	e.await("the token file was fresh again", func() bool {
		out := shell(t, `. "`+filepath.Join(e.dir, "env")+`"
			curl -s -H "authorization: Bearer $(cat "$CURFEW_TOKEN_FILE")" "$CURFEW_HTTP_URL/auth/v1/me"`)
		return strings.Contains(out, "customer@curfew.example")
	})
	e.signal(syscall.SIGINT)
	if got := e.status(); got != 0 {
		t.Errorf("exit status %d after Ctrl-C", got)
	}
	for _, name := range []string{"auth", "orders", "logproc", "broker"} {
		if !strings.Contains(e.stderr.String(), name+" stopped: clean") {
			t.Errorf("%s did not stop clean", name)
		}
	}
}

func TestOneMoreReplicaNeedsNothingButTheFileEnv(t *testing.T) {
	t.Parallel()
	e := begin(t, stateDir(t), nil, "--port", "0")
	e.ready()
	addr := filepath.Join(t.TempDir(), "addr.json")
	out := shell(t, `. "`+filepath.Join(e.dir, "env")+`"
		"`+binary+`" run orders --listen 127.0.0.1:0 --http-listen 127.0.0.1:0 --addr-file "`+addr+`" 2>/dev/null & pid=$!
		until [ -s "`+addr+`" ]; do kill -0 $pid || exit 1; done
		http=$(sed 's/.*"http":"\([^"]*\)".*/\1/' "`+addr+`")
		until curl -sf "http://$http/readyz" >/dev/null; do kill -0 $pid || exit 1; done
		curl -s -H "authorization: Bearer $(cat "$CURFEW_TOKEN_FILE")" "http://$http/orders/v1/products"
		kill $pid; wait $pid`)
	if !strings.Contains(out, `"products"`) {
		t.Errorf("the replica answered %s", out)
	}
}

func TestNothingOutlivesAKillByMoreThanASecondAndTheNextRunHasTheData(t *testing.T) {
	t.Parallel()
	dir := stateDir(t)
	me := `. "` + filepath.Join(dir, "env") + `"
		curl -s -H "authorization: Bearer $(cat "$CURFEW_TOKEN_FILE")" "$CURFEW_HTTP_URL/auth/v1/me"`
	first := begin(t, dir, nil, "--port", "0", "--", "sh", "-c", "sleep 1000 & sleep 1000")
	first.ready()
	before := shell(t, me)
	first.await("the command ran", func() bool { return strings.Contains(first.stderr.String(), "ready, running") })
	all := descendants(t, first.cmd.Process.Pid)
	if len(all) < 12 { // Three services, four workers, broker, PostgreSQL with its own, guard, shell, two sleeps.
		t.Errorf("only %d processes", len(all))
	}
	first.signal(syscall.SIGKILL)
	gone(t, all, time.Second)
	second := begin(t, dir, nil, "--port", "0")
	// The file env of the first run is still there for a moment.
	second.await("it was ready", func() bool { return strings.Contains(second.stdout.String(), "Ctrl-C") })
	if after := shell(t, me); after != before {
		t.Errorf("before the kill %s, after it %s", before, after)
	}
}

func TestASecondInterruptForcesAndACommandThatIgnoresThemIsKilled(t *testing.T) {
	t.Parallel()
	e := begin(t, stateDir(t), nil, "--port", "0", "--", "sh", "-c", `trap "" TERM INT; echo armed; while :; do sleep 1; done`)
	e.await("the command ran", func() bool { return strings.Contains(e.stdout.String(), "armed") })
	all := descendants(t, e.cmd.Process.Pid)
	e.signal(syscall.SIGINT)
	e.signal(syscall.SIGINT)
	if got := e.status(); got == 0 {
		t.Error("exit status 0 although the command was killed")
	}
	gone(t, all, time.Second) // Who was killed may still be about to die.
}

func TestWhatTheCommandLeftRunningIsKilledWhenItHasEnded(t *testing.T) {
	t.Parallel()
	e := begin(t, stateDir(t), nil, "--port", "0", "--", "sh", "-c", `sleep 1000 >/dev/null 2>&1 & echo "left $!"; exit 0`)
	if got := e.status(); got != 0 {
		t.Errorf("exit status %d, want that of the command, 0", got)
	}
	var pid int
	if _, err := fmt.Sscanf(e.stdout.String(), "left %d", &pid); err != nil {
		t.Fatalf("the command did not run: %v, %q", err, e.stdout.String())
	}
	t.Cleanup(func() { _ = syscall.Kill(pid, syscall.SIGKILL) })
	gone(t, []int{pid}, time.Second) // It was killed and may still be about to die.
}

func TestAnOrdinaryUserCanRunIt(t *testing.T) {
	t.Parallel()
	dir := stateDir(t)
	who, err := account.Unprivileged()
	if err != nil {
		t.Fatal(err)
	}
	// Not being root the test itself is the ordinary user.
	if err := who.Own(filepath.Dir(dir)); err != nil {
		t.Fatal(err)
	}
	e := begin(t, dir, who.Credential(), "--port", "0", "--", "sh", "-c", "id -u")
	if got := e.status(); got != 0 {
		t.Errorf("exit status %d", got)
	}
	if strings.TrimSpace(e.stdout.String()) == "0" {
		t.Error("it ran as root")
	}
}
