package provision

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/url"
	"os"

	"github.com/curfew-platform/curfew/cmd/curfew/internal/database"
	"github.com/curfew-platform/curfew/cmd/curfew/internal/state"
)

// list is a List of Secrets.
type list struct {
	APIVersion string   `json:"apiVersion"`
	Kind       string   `json:"kind"`
	Items      []secret `json:"items"`
}

type secret struct {
	APIVersion string            `json:"apiVersion"`
	Kind       string            `json:"kind"`
	Metadata   metadata          `json:"metadata"`
	Type       string            `json:"type"`
	StringData map[string]string `json:"stringData"`
}

type metadata struct {
	Name      string            `json:"name"`
	Namespace string            `json:"namespace"`
	Labels    map[string]string `json:"labels"`
}

// secrets are two for each service: NAME-secrets is for the process that
// serves, NAME-migrate for the one that owns the schema, and only for it.
func (f *Flags) secrets(folder *state.Folder, admin string, databases []database.Service) (*list, error) {
	l := &list{APIVersion: "v1", Kind: "List"}
	for _, db := range databases {
		role, err := db.RoleURL(admin)
		if err != nil {
			return nil, err
		}
		owner, err := db.OwnerURL(admin)
		if err != nil {
			return nil, err
		}
		file, err := folder.Keyset(db.Name)
		if err != nil {
			return nil, err
		}
		keyset, err := os.ReadFile(file)
		if err != nil {
			return nil, fmt.Errorf("read the keyset of %s: %w", db.Name, err)
		}
		if role, err = f.move(role); err != nil {
			return nil, err
		}
		if owner, err = f.move(owner); err != nil {
			return nil, err
		}
		l.Items = append(l.Items,
			f.secret(db.Name, "secrets", map[string]string{"database-url": role, "keyset.json": string(keyset)}),
			f.secret(db.Name, "migrate", map[string]string{"database-url": owner}))
	}
	return l, nil
}

func (f *Flags) secret(service, what string, data map[string]string) secret {
	labels := map[string]string{"app.kubernetes.io/name": service, "app.kubernetes.io/part-of": "curfew"}
	return secret{
		APIVersion: "v1", Kind: "Secret", Type: "Opaque", StringData: data,
		Metadata: metadata{Name: service + "-" + what, Namespace: f.Namespace, Labels: labels},
	}
}

// move puts the address of --database-host into the URL.
func (f *Flags) move(address string) (string, error) {
	u, err := url.Parse(address)
	if err != nil {
		return "", errors.New("the database URL makes no sense") // The parser would quote the password.
	}
	if f.DatabaseHost != "" {
		u.Host = f.DatabaseHost
	}
	return u.String(), nil
}

func (l *list) write(w io.Writer) error {
	encoder := json.NewEncoder(w)
	encoder.SetIndent("", "  ")
	if err := encoder.Encode(l); err != nil {
		return fmt.Errorf("print the secrets: %w", err)
	}
	return nil
}
