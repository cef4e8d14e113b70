// Package leak finds secrets in what programs write: tokens, passwords, keys.
//
// Test harnesses send the logs of what they run through a Writer, and what
// comes out of a whole run goes through `localenv scan`. What was found is kept
// for the process, so that the end of its tests can fail; it is reported
// without the secret.
package leak

import (
	"errors"
	"fmt"
	"regexp"
	"slices"
	"strings"
	"sync"
)

// kind is one kind of secret and how it is recognised.
type kind struct {
	name    string
	pattern *regexp.Regexp
	// hint is a part of every match, which is looked for first: most lines have none.
	hint string
	// harmless is a text in a match that shows that it is none.
	harmless string
}

//nolint:gochecknoglobals // A table.
var kinds = []kind{
	// Header and payload of a JWT are JSON objects; a token without its
	// signature still tells what it says.
	{name: "JWT", hint: "eyJ", pattern: regexp.MustCompile(`eyJ[\w-]{8,}\.[\w-]{8,}`)},
	// 57 bytes, of which the first is the version, 1.
	{name: "refresh token", hint: "A", pattern: regexp.MustCompile(`(?:^|[^\w-])A[Q-Za-f][\w-]{74}(?:[^\w-]|$)`)},
	{name: "bearer token", hint: "earer ", pattern: regexp.MustCompile(`[Bb]earer [\w.~+/-]{20,}`)},
	{name: "private key", hint: "PRIVATE KEY", pattern: regexp.MustCompile(`-----BEGIN [A-Z ]*PRIVATE KEY-----`)},
	{name: "password hash", hint: "$argon2", pattern: regexp.MustCompile(`\$argon2i?d?\$v=`)},
	{name: "keyset", hint: "keyMaterialType", pattern: regexp.MustCompile(`"keyMaterialType"`)},
	{name: "URL with a password", hint: "://", pattern: regexp.MustCompile(`[a-z]+://[^\s:/@"]+:[^\s/@"]+@`), harmless: ":xxxxx@"},
	{name: "one-time password", hint: "otpauth://", pattern: regexp.MustCompile(`otpauth://\w`)},
	// What the test suites register users and brokers with.
	{name: "password of a test", hint: "correct", pattern: regexp.MustCompile(`correct[ -]horse`)},
	{name: "password of a test", hint: "a long enough", pattern: regexp.MustCompile(`a long enough passphrase`)},
}

// Finding is a secret that was written.
type Finding struct {
	// From says who wrote it.
	From string
	// Kind of secret.
	Kind string
	// Line is where, without the secret.
	Line string
}

// String describes the finding on one line.
func (f Finding) String() string { return fmt.Sprintf("%s wrote a %s: %s", f.From, f.Kind, f.Line) }

// maxLine is how much of a line a finding shows.
const maxLine = 300

// In returns the secrets in a text that from has written.
func In(from, text string) []Finding {
	var found []Finding
	for _, k := range known() {
		if !strings.Contains(text, k.hint) {
			continue
		}
		for _, at := range k.pattern.FindAllStringIndex(text, -1) {
			if k.harmless != "" && strings.Contains(text[at[0]:at[1]], k.harmless) {
				continue
			}
			found = append(found, Finding{From: from, Kind: k.name, Line: around(text, at[0], at[1])})
		}
	}
	return found
}

// around shows the line of a match without any secret.
func around(text string, begin, end int) string {
	from := strings.LastIndexByte(text[:begin], '\n') + 1
	to := len(text)
	if i := strings.IndexByte(text[end:], '\n'); i >= 0 {
		to = end + i
	}
	line := text[max(from, begin-maxLine/2):begin] + "[...]" + text[end:min(to, end+maxLine/2)]
	for _, k := range known() {
		line = k.pattern.ReplaceAllString(line, "[...]")
	}
	return line
}

// all is what this process knows.
//
//nolint:gochecknoglobals // The end of the tests has no other way to it.
var all struct {
	sync.Mutex

	findings []Finding
	told     []kind
}

// Secret adds a secret that is told by no pattern, a password for example.
func Secret(name, value string) {
	all.Lock()
	defer all.Unlock()
	all.told = append(all.told, kind{name: name, hint: value, pattern: regexp.MustCompile(regexp.QuoteMeta(value))})
}

func known() []kind {
	all.Lock()
	defer all.Unlock()
	return slices.Concat(all.told, kinds)
}

// maxFindings bounds what is kept: one is enough to fail.
const maxFindings = 100

func keep(found []Finding) {
	if len(found) == 0 {
		return
	}
	all.Lock()
	defer all.Unlock()
	all.findings = append(all.findings, found[:min(len(found), maxFindings-len(all.findings))]...)
}

// Text looks for secrets in a whole text.
func Text(from, text string) { keep(In(from, text)) }

// Found returns what was found in this process up to now, nil for nothing.
func Found() error {
	all.Lock()
	defer all.Unlock()
	errs := make([]error, 0, len(all.findings))
	for _, f := range all.findings {
		errs = append(errs, errors.New(f.String()))
	}
	return errors.Join(errs...)
}
