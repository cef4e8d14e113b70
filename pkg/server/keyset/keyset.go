// Package keyset holds the secret keys that the replicas of one service share:
// what seals page tokens and encrypts keys at rest (AEAD), and what
// authenticates refresh tokens (HMAC-SHA-256, addressed by key id).
//
// A keyset file is JSON with two Tink keysets, each a primary key and older
// ones that still open what they sealed. Rotation is two deploys: first add a
// key that is not primary to every replica, then make it primary. An old key
// stays until nothing that it sealed can come back. [Add], [Promote] and [Retire]
// make the file of each step.
package keyset

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"

	"github.com/tink-crypto/tink-go/v2/aead"
	"github.com/tink-crypto/tink-go/v2/insecurecleartextkeyset"
	"github.com/tink-crypto/tink-go/v2/keyset"
	"github.com/tink-crypto/tink-go/v2/prf"
	"github.com/tink-crypto/tink-go/v2/tink"
)

// ErrUnknownKey says that no key of the set has the asked id.
var ErrUnknownKey = errors.New("keyset: unknown key id")

// MACSize is the length of a MAC in bytes.
const MACSize = 32

// file is the form on disk.
type file struct {
	AEAD json.RawMessage `json:"aead"`
	PRF  json.RawMessage `json:"prf"`
}

// Set is a loaded keyset file. It is safe for concurrent use and prints
// nothing of its keys.
type Set struct {
	aead tink.AEAD
	prf  *prf.Set
}

// Generate returns the content of a new keyset file, with one random key of
// each kind.
func Generate() ([]byte, error) {
	a, err := newJSON(func() (*keyset.Handle, error) { return keyset.NewHandle(aead.AES256GCMKeyTemplate()) })
	if err != nil {
		return nil, err
	}
	p, err := newJSON(func() (*keyset.Handle, error) { return keyset.NewHandle(prf.HMACSHA256PRFKeyTemplate()) })
	if err != nil {
		return nil, err
	}
	return encode(file{AEAD: a, PRF: p})
}

func encode(f file) ([]byte, error) {
	out, err := json.MarshalIndent(f, "", "  ")
	if err != nil {
		return nil, fmt.Errorf("encode keyset: %w", err)
	}
	return append(out, '\n'), nil
}

func newJSON(generate func() (*keyset.Handle, error)) (json.RawMessage, error) {
	h, err := generate()
	if err != nil {
		return nil, fmt.Errorf("generate key: %w", err)
	}
	var buf bytes.Buffer
	if err := insecurecleartextkeyset.Write(h, keyset.NewJSONWriter(&buf)); err != nil {
		return nil, fmt.Errorf("encode key: %w", err)
	}
	return buf.Bytes(), nil
}

// Validate returns what is wrong with the value of --keyset-file, the file included.
func Validate(path string) error {
	if path == "" {
		return errors.New("--keyset-file is required")
	}
	if _, err := Load(path); err != nil {
		return fmt.Errorf("--keyset-file: %w", err)
	}
	return nil
}

// Load reads a keyset file. It refuses a file that others than its owner and
// group can read. Errors name the path and never quote the content.
func Load(path string) (*Set, error) {
	info, err := os.Stat(path)
	if err != nil {
		return nil, fmt.Errorf("keyset file: %w", err)
	}
	if info.IsDir() {
		return nil, fmt.Errorf("keyset file %s: is a directory", path)
	}
	if mode := info.Mode().Perm(); mode&0o007 != 0 {
		return nil, fmt.Errorf("keyset file %s: mode %v lets everybody read it: %w", path, mode, fs.ErrPermission)
	}
	content, err := os.ReadFile(path)
	if err != nil {
		return nil, fmt.Errorf("keyset file: %w", err)
	}
	s, err := Parse(content)
	if err != nil {
		return nil, fmt.Errorf("keyset file %s: %w", path, err)
	}
	return s, nil
}

// Parse reads the content of a keyset file.
func Parse(content []byte) (*Set, error) {
	var f file
	if err := json.Unmarshal(content, &f); err != nil {
		return nil, errors.New("not a keyset: expected JSON with the members aead and prf")
	}
	if len(f.AEAD) == 0 || len(f.PRF) == 0 {
		return nil, errors.New("not a keyset: the members aead and prf are both required")
	}
	ah, err := insecurecleartextkeyset.Read(keyset.NewJSONReader(bytes.NewReader(f.AEAD)))
	if err != nil {
		return nil, errors.New("member aead is not a Tink keyset")
	}
	a, err := aead.New(ah)
	if err != nil {
		return nil, errors.New("member aead holds no usable AEAD key")
	}
	ph, err := insecurecleartextkeyset.Read(keyset.NewJSONReader(bytes.NewReader(f.PRF)))
	if err != nil {
		return nil, errors.New("member prf is not a Tink keyset")
	}
	p, err := prf.NewPRFSet(ph)
	if err != nil {
		return nil, errors.New("member prf holds no usable PRF key")
	}
	return &Set{aead: a, prf: p}, nil
}

// Seal encrypts with the primary key. Open needs the same associated data,
// which is authenticated and not part of the result.
func (s *Set) Seal(plain, associated []byte) ([]byte, error) {
	return s.aead.Encrypt(plain, associated)
}

// Open decrypts what Seal made with any key of the set.
func (s *Set) Open(sealed, associated []byte) ([]byte, error) {
	return s.aead.Decrypt(sealed, associated)
}

// PrimaryMACKey is the id of the key that new MACs are made with.
func (s *Set) PrimaryMACKey() uint32 { return s.prf.PrimaryID }

// MAC computes the MACSize bytes of HMAC-SHA-256 (RFC 2104) over data with the
// named key; the same input always gives the same bytes. The error is
// ErrUnknownKey if the set has no such key. Compare with hmac.Equal.
func (s *Set) MAC(keyID uint32, data []byte) ([]byte, error) {
	p, ok := s.prf.PRFs[keyID]
	if !ok {
		return nil, ErrUnknownKey
	}
	return p.ComputePRF(data, MACSize)
}
