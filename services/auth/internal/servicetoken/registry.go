// Package servicetoken gives services tokens for themselves: a service signs an
// assertion (RFC 7523) with a key whose public half is registered here, or
// presents the one that its platform made for it.
package servicetoken

import (
	"crypto/ed25519"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"regexp"

	"github.com/curfew-platform/curfew/services/auth/internal/issuer"
)

// Role of every service.
const Role = "service"

var kidShape = regexp.MustCompile(`^[A-Za-z0-9_.-]{1,128}$`)

// Registry is the public keys of services. It is immutable and safe for
// concurrent use; the zero Registry has none.
type Registry struct {
	keys map[registered]ed25519.PublicKey
}

type registered struct{ service, kid string }

// registration is one element of the file.
type registration struct {
	Service   string `json:"service"`
	KeyID     string `json:"kid"`
	PublicKey []byte `json:"public_key"`
}

// LoadRegistry reads a JSON file: a list of {"service", "kid", "public_key"},
// the key as base64 of the 32 raw bytes of an Ed25519 key. A service may have
// several keys, so that they can be replaced with overlap.
func LoadRegistry(path string) (Registry, error) {
	content, err := os.ReadFile(path)
	if err != nil {
		return Registry{}, fmt.Errorf("service keys: %w", err)
	}
	r, err := ParseRegistry(content)
	if err != nil {
		return Registry{}, fmt.Errorf("service keys %s: %w", path, err)
	}
	return r, nil
}

// ParseRegistry reads the content of such a file.
func ParseRegistry(content []byte) (Registry, error) {
	var list []registration
	if err := json.Unmarshal(content, &list); err != nil {
		return Registry{}, errors.New(`expected a JSON list of {"service", "kid", "public_key"}`)
	}
	r := Registry{keys: make(map[registered]ed25519.PublicKey, len(list))}
	for i, e := range list {
		switch {
		case !issuer.ServiceName(e.Service):
			return Registry{}, fmt.Errorf("element %d: service %q is not a name", i, e.Service)
		case !kidShape.MatchString(e.KeyID):
			return Registry{}, fmt.Errorf("element %d: kid is not 1 to 128 of A-Z a-z 0-9 _ . -", i)
		case len(e.PublicKey) != ed25519.PublicKeySize:
			return Registry{}, fmt.Errorf("element %d: public_key is not base64 of %d bytes", i, ed25519.PublicKeySize)
		}
		k := registered{service: e.Service, kid: e.KeyID}
		if _, twice := r.keys[k]; twice {
			return Registry{}, fmt.Errorf("element %d: %s/%s is listed twice", i, e.Service, e.KeyID)
		}
		r.keys[k] = ed25519.PublicKey(e.PublicKey)
	}
	return r, nil
}

func (r Registry) lookup(service, kid string) (ed25519.PublicKey, bool) {
	k, ok := r.keys[registered{service: service, kid: kid}]
	return k, ok
}
