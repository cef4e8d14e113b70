package mutation

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"time"
)

// The ways in which a run says nothing about the test, or something bad.
var (
	// ErrSurvived says that the test passed although the code was changed.
	ErrSurvived = errors.New("the test does not notice the change")
	// ErrStale says that the text to be changed is not there, or not once.
	ErrStale = errors.New("the list does not fit the code")
	// ErrNoCode says that what the change makes is not a program.
	ErrNoCode = errors.New("the changed code does not compile")
	// ErrNoTest says that there is no such test.
	ErrNoTest = errors.New("there is no such test")
	// ErrFailsAnyway says that the test fails on the code as it is, so that its
	// failure on changed code would mean nothing.
	ErrFailsAnyway = errors.New("the test fails without the change")
)

const (
	// testTime bounds one test on mutated code, which may well hang.
	testTime = 3 * time.Minute
	// buildTime is what go test may take before that.
	buildTime = 3 * time.Minute
)

// Run makes the change and runs the test. The error is nil if the test failed, as
// it should, and the text says how. Files go to scratch, a folder that the caller
// removes.
func (m *Mutation) Run(ctx context.Context, scratch string) (way string, err error) {
	overlay, err := m.overlay(scratch)
	if err != nil {
		return "", err
	}
	ctx, cancel := context.WithTimeout(ctx, testTime+buildTime)
	defer cancel()
	// The test need not contain the package: it may build a program that does.
	build := exec.CommandContext(ctx, "go", "build", "-o", os.DevNull, "-overlay="+overlay, ".")
	build.Dir = filepath.Dir(filepath.Join(m.Dir, m.File))
	if out, err := build.CombinedOutput(); err != nil {
		return "", fmt.Errorf("%w:\n%s", ErrNoCode, out)
	}
	out, err := m.test(ctx, "GOFLAGS=-overlay="+overlay)
	if err := m.verdict(out, err); err != nil {
		return "", err
	}
	return how(out), nil
}

// Control runs the test on the code as it is: nil if it passes.
func (m *Mutation) Control(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, testTime+buildTime)
	defer cancel()
	out, err := m.test(ctx)
	switch {
	case err != nil:
		return fmt.Errorf("%w: %s: %w\n%s", ErrFailsAnyway, m.Test, err, out)
	case strings.Contains(out, "no tests to run"):
		return fmt.Errorf("%w: %s", ErrNoTest, m.Test)
	}
	return nil
}

func (m *Mutation) test(ctx context.Context, env ...string) (string, error) {
	cmd := exec.CommandContext(ctx, "go", "test", "-vet=off", "-count=1", "-failfast",
		"-timeout", testTime.String(), "-run", "^"+m.Test+"$", ".")
	cmd.Dir = m.Package
	// Programs that the test builds are of the mutated code too, and none that was
	// built before is used.
	cmd.Env = append(append(os.Environ(), "CURFEW_TEST_SIZE=ci", "CURFEW_BIN_DIR="), env...)
	cmd.WaitDelay = 10 * time.Second
	out, err := cmd.CombinedOutput()
	return string(out), err
}

// how says in which way a test failed: one that hangs or panics notices a change
// too, but its author may have meant something better.
func how(out string) string {
	switch {
	case strings.Contains(out, "panic: test timed out"):
		return "it hung"
	case strings.Contains(out, "panic: "), strings.Contains(out, "fatal error: "):
		return "it panicked"
	}
	return "it failed"
}

// verdict reads the output of go test.
func (m *Mutation) verdict(out string, failed error) error {
	var exit *exec.ExitError
	switch {
	case failed == nil && strings.Contains(out, "no tests to run"):
		return fmt.Errorf("%w: %s", ErrNoTest, m.Test)
	case failed == nil:
		return fmt.Errorf("%w: %s", ErrSurvived, m.Test)
	case !errors.As(failed, &exit):
		return fmt.Errorf("run go test: %w", failed)
	case strings.Contains(out, "[build failed]"), strings.Contains(out, "[setup failed]"):
		return fmt.Errorf("%w:\n%s", ErrNoCode, out)
	case !regexp.MustCompile(`(?m)(^\s*--- FAIL: |running tests:\s+|^FAIL.*)`+m.Test+`\b`).MatchString(out) && !strings.Contains(out, m.Test):
		return fmt.Errorf("go test failed for a reason of its own: %w\n%s", failed, out)
	}
	return nil
}

// Fits returns ErrStale unless the text to be changed is in the code, once.
func (m *Mutation) Fits() error {
	code, err := os.ReadFile(filepath.Join(m.Dir, m.File))
	if err != nil {
		return fmt.Errorf("mutate: %w", err)
	}
	_, err = m.change(string(code))
	return err
}

// overlay writes the mutated file and the overlay that puts it in place.
func (m *Mutation) overlay(scratch string) (string, error) {
	original, err := filepath.Abs(filepath.Join(m.Dir, m.File))
	if err != nil {
		return "", fmt.Errorf("mutate: %w", err)
	}
	code, err := os.ReadFile(original)
	if err != nil {
		return "", fmt.Errorf("mutate: %w", err)
	}
	changed, err := m.change(string(code))
	if err != nil {
		return "", err
	}
	mutant := filepath.Join(scratch, "mutant.go")
	if err := os.WriteFile(mutant, []byte(changed), 0o600); err != nil {
		return "", fmt.Errorf("mutate: %w", err)
	}
	data, err := json.Marshal(map[string]map[string]string{"Replace": {original: mutant}})
	if err != nil {
		return "", fmt.Errorf("mutate: %w", err)
	}
	overlay := filepath.Join(scratch, "overlay.json")
	if err := os.WriteFile(overlay, data, 0o600); err != nil {
		return "", fmt.Errorf("mutate: %w", err)
	}
	return overlay, nil
}

// change replaces the text. Lines of From match whatever their indentation is.
func (m *Mutation) change(code string) (string, error) {
	lines := strings.Split(m.From, "\n")
	for i, l := range lines {
		lines[i] = regexp.QuoteMeta(l)
	}
	found := regexp.MustCompile(strings.Join(lines, `\n\s*`)).FindAllStringIndex(code, -1)
	if len(found) != 1 {
		return "", fmt.Errorf("%w: %q is %d times in %s", ErrStale, m.From, len(found), m.File)
	}
	return code[:found[0][0]] + m.To + code[found[0][1]:], nil
}
