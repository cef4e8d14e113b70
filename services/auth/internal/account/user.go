// Package account is users, their passwords and their sessions: what may
// happen to them, in which order, and what has to be revoked with it.
//
// It knows neither gRPC nor SQL. Every use case is one file; what it needs of
// the database it declares beside itself, and Store is all of that together.
package account

import (
	"errors"
	"net/mail"
	"slices"
	"strings"
	"time"

	"github.com/google/uuid"
	"golang.org/x/text/unicode/norm"
)

// Roles of users. The role of services is not among them.
const (
	RoleCustomer = "customer"
	RoleAdmin    = "admin"
	RoleOperator = "operator"
)

// Roles lists every role that a user can have, sorted.
func Roles() []string { return []string{RoleAdmin, RoleCustomer, RoleOperator} }

// Refusals that concern users.
var (
	ErrEmailInvalid       = errors.New("address is not valid")
	ErrEmailTaken         = errors.New("address belongs to another user")
	ErrUserNotFound       = errors.New("no such user")
	ErrUserDeactivated    = errors.New("user is deactivated")
	ErrRoleInvalid        = errors.New("role does not exist")
	ErrCredentialsInvalid = errors.New("address or password is wrong")
	ErrPasswordUnchanged  = errors.New("new password is the current one")
	ErrPasswordNotSet     = errors.New("user has no password")
	// ErrAccountChanged: what was verified was no longer true when it was to be used.
	ErrAccountChanged = errors.New("account changed meanwhile")
	// ErrStoreUnavailable: the database cannot be reached; a change may or may
	// not have been made.
	ErrStoreUnavailable = errors.New("database is unavailable")
	// ErrBusy: too many revocations wait for their turn; nothing was done.
	ErrBusy = errors.New("too many revocations wait")
)

// User is a person who can log in.
type User struct {
	ID        uuid.UUID
	Email     string // as NormalizeEmail returns it; empty if the user has none
	Roles     []string
	Active    bool
	CreatedAt time.Time
	UpdatedAt time.Time
}

// maxEmail is the longest path of RFC 5321 section 4.5.3.1.3 in octets, without its brackets.
const maxEmail = 254

// NormalizeEmail returns the form in which addresses are stored and compared:
// NFC and lower case. The error is ErrEmailInvalid.
func NormalizeEmail(email string) (string, error) {
	e := strings.ToLower(norm.NFC.String(strings.TrimSpace(email)))
	if len(e) > maxEmail || strings.ContainsFunc(e, func(r rune) bool { return r < ' ' || r == 0x7f }) {
		return "", ErrEmailInvalid
	}
	a, err := mail.ParseAddress(e)
	if err != nil || a.Address != e || a.Name != "" {
		return "", ErrEmailInvalid
	}
	return e, nil
}

// normalizeRoles sorts and deduplicates. The error is ErrRoleInvalid.
func normalizeRoles(roles []string) ([]string, error) {
	out := slices.Clone(roles)
	slices.Sort(out)
	out = slices.Compact(out)
	for _, r := range out {
		if !slices.Contains(Roles(), r) {
			return nil, ErrRoleInvalid
		}
	}
	if out == nil {
		out = []string{}
	}
	return out, nil
}
