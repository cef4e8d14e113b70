//go:build unix

package creds_test

import (
	"bufio"
	"context"
	"fmt"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"go.uber.org/goleak"

	"github.com/curfew-platform/curfew/pkg/interceptors/creds"
)

// writes makes this program one that saves pairs to the file that it names, until
// it is killed.
const writes = "CREDS_TEST_WRITES"

func TestMain(m *testing.M) {
	if path := os.Getenv(writes); path != "" {
		writeForEver(path)
	}
	goleak.VerifyTestMain(m)
}

func writeForEver(path string) {
	for n := 1; ; n++ {
		if err := creds.NewFileStore(path).Save(context.Background(), pair(n)); err != nil {
			panic(err)
		}
		if n == 1 {
			fmt.Println("begun")
		}
	}
}

// killed starts such a program and kills it in the middle of a save.
func killed(t *testing.T, path string) {
	t.Helper()
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	child := exec.CommandContext(ctx, self)
	child.Env = append(os.Environ(), writes+"="+path)
	out, err := child.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := child.Start(); err != nil {
		t.Fatal(err)
	}
	if line, err := bufio.NewReader(out).ReadString('\n'); line != "begun\n" {
		t.Errorf("the writer said %q, %v", line, err)
	}
	<-time.NewTimer(rand.N(4 * time.Millisecond)).C
	_ = child.Process.Kill()
	_ = child.Wait() // it was killed
}

// listed are the files of a folder; no other account may read them.
func listed(t *testing.T, folder string) string {
	t.Helper()
	entries, err := os.ReadDir(folder)
	if err != nil {
		t.Fatal(err)
	}
	var names []string
	for _, e := range entries {
		info, err := e.Info()
		if err != nil || info.Mode().Perm() != 0o600 {
			t.Errorf("%s: %v, %v", e.Name(), info.Mode(), err)
		}
		names = append(names, e.Name())
	}
	return strings.Join(names, " ")
}

func TestAProcessThatIsKilledWhileItSavesLeavesAWholeSession(t *testing.T) {
	t.Parallel()
	const rounds = 20
	path := filepath.Join(t.TempDir(), "session.json")
	left := 0
	for range rounds {
		killed(t, path)
		switch names := listed(t, filepath.Dir(path)); names {
		case "session.json session.json.lock":
		case "session.json session.json.lock session.json.tmp":
			left++
		default:
			t.Fatalf("left behind: %s", names)
		}
		got, err := creds.NewFileStore(path).Load(t.Context())
		if err != nil || got.Refresh == "" || got.Access.Value[1:] != got.Refresh[1:] {
			t.Fatalf("%+v, %v", got, err)
		}
	}
	t.Logf("%d of %d were killed in the middle", left, rounds)
	if err := creds.NewFileStore(path).Save(t.Context(), pair(1)); err != nil {
		t.Fatal(err)
	}
	if names := listed(t, filepath.Dir(path)); names != "session.json session.json.lock" {
		t.Errorf("after the next save: %s", names)
	}
}

// Somebody may have made it readable, or a link to elsewhere.
func TestWhatACrashLeftIsNotWrittenInto(t *testing.T) {
	t.Parallel()
	elsewhere := filepath.Join(t.TempDir(), "elsewhere")
	for name, leave := range map[string]func(temp string) error{
		"readable for others": func(temp string) error { return os.WriteFile(temp, []byte("{"), 0o644) },
		"a link":              func(temp string) error { return os.Symlink(elsewhere, temp) },
	} {
		for what, next := range map[string]creds.Pair{"saved": pair(1), "signed out": {}} {
			path := filepath.Join(t.TempDir(), "session.json")
			if err := leave(path + ".tmp"); err != nil {
				t.Fatal(err)
			}
			if err := creds.NewFileStore(path).Save(t.Context(), next); err != nil {
				t.Errorf("%s, %s: %v", name, what, err)
			}
			if names := listed(t, filepath.Dir(path)); strings.Contains(names, ".tmp") {
				t.Errorf("%s, %s: left behind: %s", name, what, names)
			}
		}
	}
	if _, err := os.Lstat(elsewhere); err == nil {
		t.Error("the session was written elsewhere")
	}
}
