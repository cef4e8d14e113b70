package faults_test

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"testing"

	"github.com/curfew-platform/curfew/e2e/faults"
	"github.com/curfew-platform/curfew/e2e/faults/replica"
	"github.com/curfew-platform/curfew/pkg/localenv/leak"
	"github.com/curfew-platform/curfew/pkg/server"
)

// programVariable makes this program a replica.
const programVariable = "CURFEW_FAULTS_PROGRAM"

func TestMain(m *testing.M) {
	if os.Getenv(programVariable) == replica.Name {
		os.Exit(server.Main(replica.Command(), os.Args[1:]))
	}
	code, err := run(m)
	if err != nil {
		fmt.Fprintln(os.Stderr, "faults:", err)
		code = 1
	}
	os.Exit(leak.Exit(code, os.Stderr))
}

func run(m *testing.M) (code int, err error) {
	dir, err := os.MkdirTemp("", "curfew-faults-*")
	if err != nil {
		return 0, err
	}
	defer os.RemoveAll(dir)
	if err := os.Chmod(dir, 0o755); err != nil { // PostgreSQL runs as another user
		return 0, err
	}
	installations.dir = dir
	if installations.options, err = programs(dir); err != nil {
		return 0, err
	}
	code = m.Run()
	return code, installations.close()
}

// programs finds or builds services/auth; this program is the replica.
func programs(dir string) (faults.Options, error) {
	self, err := os.Executable()
	if err != nil {
		return faults.Options{}, err
	}
	o := faults.Options{
		Auths: 3, Replicas: 6, Bin: os.Getenv("CURFEW_BIN_DIR"),
		Self: self, SelfEnv: []string{programVariable + "=" + replica.Name},
	}
	if o.Bin != "" {
		return o, nil
	}
	o.Bin = filepath.Join(dir, "bin")
	build := exec.Command("go", "build", "-o", filepath.Join(o.Bin, "auth"), "github.com/curfew-platform/curfew/services/auth/cmd/auth")
	if out, err := build.CombinedOutput(); err != nil {
		return o, fmt.Errorf("build auth: %w\n%s", err, out)
	}
	return o, nil
}
