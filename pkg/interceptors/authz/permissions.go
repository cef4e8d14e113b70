package authz

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"maps"
	"regexp"
	"slices"
)

var (
	roleName       = regexp.MustCompile(`^[a-z][a-z0-9-]{0,62}$`)
	permissionName = regexp.MustCompile(`^[a-z][a-zA-Z0-9]*\.[a-z][a-zA-Z0-9]*\.[a-z][a-zA-Z0-9]*$`)
)

// Permissions say which role holds which permission. Immutable, safe for
// concurrent use.
type Permissions struct {
	roles map[string][]string // role -> sorted permissions
}

// ParsePermissions reads a permissions file:
//
//	{"roles": {"customer": ["orders.orders.get"], "admin": []}}
//
// Permissions are written service.resource.verb. It is an error if a member is
// unknown or occurs twice, a role has a permission twice, a name is malformed,
// or there is no role.
func ParsePermissions(data []byte) (*Permissions, error) {
	dec := json.NewDecoder(bytes.NewReader(data))
	if err := expect(dec, json.Delim('{'), "roles", json.Delim('{')); err != nil {
		return nil, err
	}
	p := &Permissions{roles: map[string][]string{}}
	for dec.More() {
		tok, err := dec.Token()
		if err != nil {
			return nil, fmt.Errorf("permissions: %w", err)
		}
		role, ok := tok.(string)
		if !ok || !roleName.MatchString(role) {
			return nil, fmt.Errorf("permissions: %v is no name of a role", tok)
		}
		if _, dup := p.roles[role]; dup {
			return nil, fmt.Errorf("permissions: role %s twice", role)
		}
		var list []string
		if err := dec.Decode(&list); err != nil {
			return nil, fmt.Errorf("permissions of role %s: %w", role, err)
		}
		if p.roles[role], err = checked(list); err != nil {
			return nil, fmt.Errorf("permissions of role %s: %w", role, err)
		}
	}
	if err := expect(dec, json.Delim('}'), json.Delim('}')); err != nil {
		return nil, err
	}
	if _, err := dec.Token(); !errors.Is(err, io.EOF) {
		return nil, errors.New("permissions: trailing data")
	}
	if len(p.roles) == 0 {
		return nil, errors.New("permissions: no role")
	}
	return p, nil
}

func expect(dec *json.Decoder, want ...json.Token) error {
	for _, w := range want {
		tok, err := dec.Token()
		if err != nil {
			return fmt.Errorf("permissions: %w", err)
		}
		if tok != w {
			return fmt.Errorf("permissions: %v where %v belongs", tok, w)
		}
	}
	return nil
}

func checked(list []string) ([]string, error) {
	for _, name := range list {
		if !permissionName.MatchString(name) {
			return nil, fmt.Errorf("%q is no name of a permission", name)
		}
	}
	slices.Sort(list)
	if unique := slices.Compact(slices.Clone(list)); len(unique) != len(list) {
		return nil, errors.New("a permission twice")
	}
	return list, nil
}

// names returns the names of all roles, sorted.
func (p *Permissions) names() []string { return slices.Sorted(maps.Keys(p.roles)) }

// has tells whether role holds permission.
func (p *Permissions) has(role, permission string) bool {
	_, found := slices.BinarySearch(p.roles[role], permission)
	return found
}

// holders returns the roles that hold permission, sorted.
func (p *Permissions) holders(permission string) []string {
	var out []string
	for _, role := range p.names() {
		if p.has(role, permission) {
			out = append(out, role)
		}
	}
	return out
}

// all returns every permission that some role holds, sorted.
func (p *Permissions) all() []string {
	set := map[string]struct{}{}
	for _, list := range p.roles {
		for _, name := range list {
			set[name] = struct{}{}
		}
	}
	return slices.Sorted(maps.Keys(set))
}
