package state

import (
	"crypto/rand"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"strings"
)

// Secrets are the random values of an environment. Treat the struct as a
// password: it prints itself redacted.
type Secrets struct {
	// ID tells environments on one shared database server apart.
	ID string `json:"id"`
	// Passwords of database roles, by role.
	Roles map[string]string `json:"roles"`
	// Passwords of the seeded users.
	Customer string `json:"customer"`
	Admin    string `json:"admin"`
}

// String hides the values.
func (*Secrets) String() string { return "[secrets]" }

// GoString hides the values.
func (s *Secrets) GoString() string { return s.String() }

// Secrets returns the environment's secrets, made on the first call, with a
// password for each of the roles.
func (f *Folder) Secrets(roles ...string) (*Secrets, error) {
	file := f.Path("secrets.json")
	raw, err := os.ReadFile(file)
	s := &Secrets{}
	switch {
	case errors.Is(err, fs.ErrNotExist):
		s.ID = strings.ToLower(rand.Text()[:8])
		s.Customer, s.Admin = rand.Text(), rand.Text()
	case err != nil:
		return nil, fmt.Errorf("read the secrets: %w", err)
	default:
		// The decoder's own error may quote what it read.
		if json.Unmarshal(raw, s) != nil || s.ID == "" {
			return nil, fmt.Errorf("%s is damaged: start anew with --reset", file)
		}
	}
	if s.Roles == nil {
		s.Roles = map[string]string{}
	}
	for _, role := range roles {
		if s.Roles[role] == "" {
			s.Roles[role] = rand.Text()
		}
	}
	encoded, err := json.MarshalIndent(s, "", "  ")
	if err != nil {
		return nil, fmt.Errorf("write the secrets: %w", err)
	}
	return s, f.Write("secrets.json", encoded)
}

// Write puts a file with mode 0600 into the folder, whole or not at all.
func (f *Folder) Write(name string, content []byte) error {
	part, err := os.CreateTemp(f.path, "."+name+"-*")
	if err != nil {
		return fmt.Errorf("write %s: %w", name, err)
	}
	_, err = part.Write(content)
	if err = errors.Join(err, part.Close()); err == nil {
		err = os.Rename(part.Name(), f.Path(name))
	}
	if err != nil {
		_ = os.Remove(part.Name()) // The first error counts.
		return fmt.Errorf("write %s: %w", name, err)
	}
	return nil
}
