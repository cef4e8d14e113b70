package interceptors_test

import (
	"flag"
	"fmt"
	"os"
	"regexp"
	"testing"

	"go.uber.org/goleak"
)

// secret matches what must never be logged: the head of any JWT, and the words
// that tests plant in panics, errors and metadata.
var secret = regexp.MustCompile(`eyJ[A-Za-z0-9_-]{8,}|Bearer |s3cr3t`)

func TestMain(m *testing.M) {
	code := m.Run()
	if found := secret.FindString(suite.String()); found != "" {
		fmt.Fprintf(os.Stderr, "the logs of the suite contain a secret: %.12s...\n", found)
		code = 1
	}
	whole := flag.Lookup("test.run").Value.String() == "" && flag.Lookup("test.fuzz").Value.String() == ""
	if suite.String() == "" && code == 0 && whole {
		fmt.Fprintln(os.Stderr, "the suite logged nothing: the scan for secrets proves nothing")
		code = 1
	}
	if err := goleak.Find(); err != nil && code == 0 {
		fmt.Fprintln(os.Stderr, err)
		code = 1
	}
	os.Exit(code)
}
