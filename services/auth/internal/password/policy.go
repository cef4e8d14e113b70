package password

import (
	_ "embed"
	"errors"
	"strings"
	"unicode/utf8"

	"golang.org/x/text/unicode/norm"
)

// Bounds of a new password in characters. NIST SP 800-63B section 5.1.1.2 asks
// for at least 8, admits at least 64, and forbids rules of composition.
const (
	MinLength = 8
	MaxLength = 128
)

// Why a new password is refused.
var (
	ErrTooShort = errors.New("password is shorter than 8 characters")
	ErrTooLong  = errors.New("password is longer than 128 characters")
	ErrBreached = errors.New("password is one that attackers try first")
)

//go:embed breached.txt
var breachedFile string

// breached holds lower-case passwords of at least MinLength characters.
var breached = func() map[string]struct{} {
	set := map[string]struct{}{}
	for line := range strings.Lines(breachedFile) {
		if line = strings.TrimSpace(line); line != "" && !strings.HasPrefix(line, "#") {
			set[line] = struct{}{}
		}
	}
	return set
}()

// Judge says whether somebody with this address may take this password. The
// error is ErrTooShort, ErrTooLong or ErrBreached; the list is compared
// without case, and the address and its local part count as listed.
func Judge(password, email string) error {
	p := normalize(password)
	switch n := utf8.RuneCountInString(p); {
	case n < MinLength:
		return ErrTooShort
	case n > MaxLength:
		return ErrTooLong
	}
	p = strings.ToLower(p)
	local, _, _ := strings.Cut(strings.ToLower(email), "@")
	if _, listed := breached[p]; listed || p == strings.ToLower(email) || p == local {
		return ErrBreached
	}
	if strings.Count(p, p[:1]) == len(p) {
		return ErrBreached // one character over and over
	}
	return nil
}

// normalize makes the same password of what different keyboards send for it:
// NFKC, as NIST SP 800-63B section 5.1.1.2 recommends.
func normalize(password string) string { return norm.NFKC.String(password) }
