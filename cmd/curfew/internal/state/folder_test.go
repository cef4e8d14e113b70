package state_test

import (
	"errors"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/curfew-platform/curfew/cmd/curfew/internal/state"
)

func open(t *testing.T, dir string, reset bool) *state.Folder {
	t.Helper()
	f, err := state.Open(dir, reset)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = f.Close() })
	return f
}

func reopen(t *testing.T, f *state.Folder, reset bool) *state.Folder {
	t.Helper()
	if err := f.Close(); err != nil {
		t.Fatal(err)
	}
	return open(t, f.Path(), reset)
}

func TestSecretsAndKeysAreMadeOnceAndAnewAfterAReset(t *testing.T) {
	read := func(f *state.Folder) [3]string {
		t.Helper()
		secrets, err := f.Secrets("orders")
		if err != nil {
			t.Fatal(err)
		}
		_, key, err := f.ServiceKey("orders")
		if err != nil {
			t.Fatal(err)
		}
		file, err := f.Keyset("orders")
		if err != nil {
			t.Fatal(err)
		}
		keyset, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		return [3]string{secrets.Roles["orders"] + secrets.Customer, string(key.PublicKey), string(keyset)}
	}
	f := open(t, filepath.Join(t.TempDir(), "state"), false)
	first := read(f)
	f = reopen(t, f, false)
	if again := read(f); again != first {
		t.Error("the second run has other secrets")
	}
	f = reopen(t, f, true)
	for i, value := range read(f) {
		if value == first[i] {
			t.Errorf("secret %d survived the reset", i)
		}
	}
}

func TestEverythingSecretIsReadableByTheOwnerOnly(t *testing.T) {
	f := open(t, filepath.Join(t.TempDir(), "state"), false)
	if _, err := f.Secrets("a"); err != nil {
		t.Fatal(err)
	}
	if _, err := f.Keyset("a"); err != nil {
		t.Fatal(err)
	}
	if _, _, err := f.ServiceKey("a"); err != nil {
		t.Fatal(err)
	}
	if err := f.Write("env", []byte("x")); err != nil {
		t.Fatal(err)
	}
	err := filepath.WalkDir(f.Path(), func(path string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		info, err := d.Info()
		if err == nil && info.Mode().Perm() != 0o600 {
			t.Errorf("%s has mode %v", path, info.Mode())
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
}

func TestDamagedSecretsAreNamedWithoutTheirContent(t *testing.T) {
	f := open(t, filepath.Join(t.TempDir(), "state"), false)
	if err := f.Write("secrets.json", []byte(`{"customer": hunter2`)); err != nil {
		t.Fatal(err)
	}
	_, err := f.Secrets()
	if err == nil || !strings.Contains(err.Error(), "--reset") || strings.Contains(err.Error(), "hunter2") {
		t.Errorf("got %v", err)
	}
}

func TestAHeldFolderIsRefused(t *testing.T) {
	f := open(t, filepath.Join(t.TempDir(), "state"), false)
	if _, err := state.Open(f.Path(), true); !errors.Is(err, state.ErrInUse) {
		t.Errorf("got %v", err)
	}
}

func TestAShellReadsBackWhatWasExported(t *testing.T) {
	var env state.Env
	awkward := "it's $HOME `id` \"x\" \\ \n;"
	env.Set("CURFEW_X", "first")
	env.Set("CURFEW_X", awkward)
	file := filepath.Join(t.TempDir(), "env")
	if err := os.WriteFile(file, env.Shell(), 0o600); err != nil {
		t.Fatal(err)
	}
	out, err := exec.CommandContext(t.Context(), "sh", "-c", `. "$0"; printf %s "$CURFEW_X"`, file).Output()
	if err != nil || string(out) != awkward {
		t.Errorf("got %q, %v", out, err)
	}
}

func TestAChildDoesNotInheritTheSettingsOfAnotherEnvironment(t *testing.T) {
	t.Setenv("CURFEW_AUTH_LISTEN", "127.0.0.1:1")
	t.Setenv("CURFEW_TEST_SIZE", "ci")
	var env state.Env
	env.Set("CURFEW_AUTH_ADDR", "127.0.0.1:2")
	got := strings.Join(env.Environ(), "\n")
	if strings.Contains(got, "CURFEW_AUTH_LISTEN") || !strings.Contains(got, "CURFEW_TEST_SIZE=ci") || !strings.Contains(got, "CURFEW_AUTH_ADDR=127.0.0.1:2") {
		t.Errorf("got %s", got)
	}
}
