package authz

import (
	"fmt"
	"slices"
	"strings"
)

// Access says on which resources a role may call a method.
type Access int

const (
	// Denied is on none.
	Denied Access = iota
	// Own is on the caller's own resources.
	Own
	// Any is on every resource.
	Any
)

// String returns the word used in the matrix.
func (a Access) String() string {
	switch a {
	case Own:
		return "own"
	case Any:
		return "any"
	default:
		return "-"
	}
}

// Access returns what role may do if the login is recent and strong enough and
// the knowledge about revocations is fresh. A public method is [Any] for every
// role, also for "".
func (r *Rule) Access(role string) Access {
	switch {
	case r.Public:
		return Any
	case !slices.Contains(r.holders, role):
		return Denied
	case r.OwnerOnly && !slices.Contains(r.crossHolders, role):
		return Own
	default:
		return Any
	}
}

// Matrix returns the authorization matrix as a Markdown table: one row for each
// method, one column for each role, then the permission and the other demands
// of the rule. The same policy always gives the same text, so it can be kept in
// the docs and compared by a test.
func (p *Policy) Matrix() string {
	roles := p.perms.names()
	var b strings.Builder
	columns := append([]string{"method", "no token"}, roles...)
	columns = append(columns, "permission", "demands")
	row(&b, columns)
	row(&b, slices.Repeat([]string{"---"}, len(columns)))
	for _, r := range p.Rules() {
		anonymous := Denied
		if r.Public {
			anonymous = Any
		}
		cells := []string{"`" + strings.TrimPrefix(r.Method, "/") + "`", anonymous.String()}
		for _, role := range roles {
			cells = append(cells, r.Access(role).String())
		}
		row(&b, append(cells, code(r.Permission), r.demands()))
	}
	return b.String()
}

func (r *Rule) demands() string {
	var out []string
	if r.Public {
		out = append(out, "public")
	} else if r.Staleness != Bounded {
		out = append(out, r.Staleness.String())
	}
	if r.Staleness == Bounded {
		out = append(out, fmt.Sprintf("bounded %s", r.MaxStaleness))
	}
	if r.MaxAuthAge > 0 {
		out = append(out, fmt.Sprintf("authenticated within %s", r.MaxAuthAge))
	}
	if r.CrossOwnerMaxAuthAge > 0 {
		out = append(out, fmt.Sprintf("authenticated within %s for others' resources", r.CrossOwnerMaxAuthAge))
	}
	if r.RequiredACR != "" {
		out = append(out, "acr "+r.RequiredACR)
	}
	if r.RequestIDRequired {
		out = append(out, "request_id")
	}
	if r.Audited {
		out = append(out, "audited")
	}
	return strings.Join(out, ", ")
}

func code(s string) string {
	if s == "" {
		return ""
	}
	return "`" + s + "`"
}

func row(b *strings.Builder, cells []string) {
	b.WriteString("| " + strings.Join(cells, " | ") + " |\n")
}
