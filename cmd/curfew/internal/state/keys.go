package state

import (
	"crypto/ed25519"
	"crypto/rand"
	"crypto/x509"
	"encoding/json"
	"encoding/pem"
	"errors"
	"fmt"
	"io/fs"
	"os"

	"github.com/curfew-platform/curfew/pkg/interceptors/creds"
	"github.com/curfew-platform/curfew/pkg/server/keyset"
)

// Keyset returns the path of the service's keyset file, which is generated on
// the first call.
func (f *Folder) Keyset(service string) (string, error) {
	name := service + ".keyset.json"
	if _, err := os.Stat(f.Path(name)); err == nil {
		return f.Path(name), nil
	}
	content, err := keyset.Generate()
	if err != nil {
		return "", err
	}
	return f.Path(name), f.Write(name, content)
}

// ServiceKey is the public half of the key with which a service proves itself
// to auth, in the form of auth's key file.
type ServiceKey struct {
	Service   string `json:"service"`
	KeyID     string `json:"kid"`
	PublicKey []byte `json:"public_key"` // base64 of the raw 32 bytes
}

// ServiceKey returns the path of the service's private key (PKCS #8, PEM),
// which is generated on the first call, and its public half.
func (f *Folder) ServiceKey(service string) (string, ServiceKey, error) {
	name := service + ".key.pem"
	private, err := f.readKey(name)
	if errors.Is(err, fs.ErrNotExist) {
		private, err = f.makeKey(name)
	}
	if err != nil {
		return "", ServiceKey{}, err
	}
	public := private.Public().(ed25519.PublicKey) //nolint:forcetypeassert // By the documentation of crypto/ed25519.
	return f.Path(name), ServiceKey{Service: service, KeyID: creds.KeyID(public), PublicKey: public}, nil
}

// ServiceKeys writes the public keys for auth and returns the file's path.
func (f *Folder) ServiceKeys(keys []ServiceKey) (string, error) {
	const name = "service-keys.json"
	encoded, err := json.MarshalIndent(keys, "", "  ")
	if err != nil {
		return "", fmt.Errorf("write the service keys: %w", err)
	}
	return f.Path(name), f.Write(name, encoded)
}

func (f *Folder) readKey(name string) (ed25519.PrivateKey, error) {
	raw, err := os.ReadFile(f.Path(name))
	if err != nil {
		return nil, fmt.Errorf("read a service key: %w", err)
	}
	damaged := fmt.Errorf("%s is damaged: remove it, a new one is made", f.Path(name))
	block, _ := pem.Decode(raw)
	if block == nil {
		return nil, damaged
	}
	parsed, err := x509.ParsePKCS8PrivateKey(block.Bytes)
	if err != nil {
		return nil, damaged
	}
	key, ok := parsed.(ed25519.PrivateKey)
	if !ok {
		return nil, damaged
	}
	return key, nil
}

func (f *Folder) makeKey(name string) (ed25519.PrivateKey, error) {
	_, key, err := ed25519.GenerateKey(rand.Reader)
	if err != nil {
		return nil, fmt.Errorf("make a service key: %w", err)
	}
	der, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		return nil, fmt.Errorf("make a service key: %w", err)
	}
	return key, f.Write(name, pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: der}))
}
