package main

import (
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

// The recipes of the Makefile, with programs in place of the real ones that show
// what they are told to and end as they are told to.
func TestWhatATargetOfMakeShowsIsPassedOnAndFailsItWhereItHoldsASecret(t *testing.T) {
	makefile, err := filepath.Abs("../../../../Makefile")
	if err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	for name, content := range map[string]string{
		"bin/curfew": "#!/bin/sh\n" + `echo "$SHOWN"; exit "$STATUS"`, "tools/kubernetes/with": "#!/bin/sh\n" + `echo "$SHOWN" >&2; exit "$STATUS"`,
		"bin/localenv":  "#!/bin/sh\n" + `if [ "$1" = scan ]; then exec "` + binary + `" scan; fi; echo "$SHOWN"; exit "$STATUS"`,
		"tools/require": "#!/bin/sh\n",
	} {
		path := filepath.Join(dir, name)
		if err := os.MkdirAll(filepath.Dir(path), 0o750); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, []byte(content), 0o750); err != nil { //nolint:gosec // It is run.
			t.Fatal(err)
		}
	}
	for _, target := range []string{"demo", "test", "soak", "k8s-test", "k8s-demo"} {
		for what, c := range map[string]struct {
			shown, status string
			good          bool
		}{
			"all is well":      {"three stories", "0", true},
			"it failed":        {"three stories", "3", false},
			"it shows a token": {"token=" + planted, "0", false},
		} {
			t.Run(target+"/"+what, func(t *testing.T) {
				// Old are: what builds programs, and what is downloaded.
				cmd := exec.CommandContext(t.Context(), "make", "-f", makefile, "--no-print-directory",
					"-o", "build", "-o", "k8s-programs", "-o", ".bin/.prometheus", "MAKE=make -f "+makefile+" -o build -o k8s-programs -o k8s-test", target)
				cmd.Dir = dir
				cmd.Env = append(os.Environ(), "SHOWN="+c.shown, "STATUS="+c.status, "MAKEFLAGS=", "MAKELEVEL=0") // Of no make that runs the tests.
				out, err := cmd.CombinedOutput()
				if (err == nil) != c.good || !strings.Contains(string(out), c.shown) {
					t.Errorf("%v\n%s", err, out)
				}
			})
		}
	}
}
