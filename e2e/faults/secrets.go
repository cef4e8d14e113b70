package faults

import (
	"crypto/ed25519"
	"crypto/rand"
	"crypto/x509"
	"encoding/json"
	"encoding/pem"
	"fmt"
	"os"
	"path/filepath"

	"github.com/curfew-platform/curfew/e2e/faults/replica"
	"github.com/curfew-platform/curfew/e2e/stand"
	"github.com/curfew-platform/curfew/pkg/interceptors/creds"
	"github.com/curfew-platform/curfew/pkg/server/keyset"
)

// secrets are the files that the processes are given.
type secrets struct {
	keyset, serviceKeys, probeKey, users string

	admin stand.User
}

func newSecrets(dir string) (secrets, error) {
	s := secrets{
		keyset: filepath.Join(dir, "keyset.json"), serviceKeys: filepath.Join(dir, "services.json"),
		probeKey: filepath.Join(dir, "probe.pem"), users: filepath.Join(dir, "users.json"),
		admin: stand.User{Email: "root@example.com", Password: rand.Text()},
	}
	keys, err := keyset.Generate()
	if err != nil {
		return s, err
	}
	public, private, err := ed25519.GenerateKey(rand.Reader)
	if err != nil {
		return s, fmt.Errorf("make a key: %w", err)
	}
	der, err := x509.MarshalPKCS8PrivateKey(private)
	if err != nil {
		return s, fmt.Errorf("make a key: %w", err)
	}
	services, err := json.Marshal([]map[string]any{{"service": replica.Name, "kid": creds.KeyID(public), "public_key": []byte(public)}})
	if err != nil {
		return s, fmt.Errorf("write the keys: %w", err)
	}
	users, err := json.Marshal([]map[string]any{{"email": s.admin.Email, "password": s.admin.Password, "roles": []string{"admin"}}})
	if err != nil {
		return s, fmt.Errorf("write the users: %w", err)
	}
	for name, content := range map[string][]byte{
		s.keyset: keys, s.serviceKeys: services, s.users: users,
		s.probeKey: pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: der}),
	} {
		if err := os.WriteFile(name, content, 0o600); err != nil {
			return s, fmt.Errorf("write the secrets: %w", err)
		}
	}
	return s, nil
}

// env is for services/auth.
func (s *secrets) env() []string {
	return []string{"CURFEW_AUTH_KEYSET_FILE=" + s.keyset, "CURFEW_AUTH_SERVICE_KEYS_FILE=" + s.serviceKeys}
}

// probe is for the replicas.
func (s *secrets) probe() []string {
	return []string{"CURFEW_PROBE_SERVICE_KEY_FILE=" + s.probeKey}
}
