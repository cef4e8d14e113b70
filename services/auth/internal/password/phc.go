package password

import (
	"encoding/base64"
	"fmt"
	"strings"

	"golang.org/x/crypto/argon2"
)

const (
	saltLength = 16 // bytes, RFC 9106 section 3.1
	keyLength  = 32 // bytes
	algorithm  = "argon2id"
)

// Params are the costs of one hash.
type Params struct {
	MemoryKiB uint32
	Passes    uint32
	Lanes     uint8
}

// Recommended returns 19 MiB, 2 passes and 1 lane: the second row of the table
// in the OWASP Password Storage Cheat Sheet.
func Recommended() Params { return Params{MemoryKiB: 19 * 1024, Passes: 2, Lanes: 1} }

// validate also bounds what a stored hash may ask of the process.
func (p Params) validate() error {
	switch {
	case p.MemoryKiB < 8*uint32(p.Lanes) || p.MemoryKiB > 1<<20:
		return fmt.Errorf("argon2id: memory of %d KiB is not between 8 KiB a lane and 1 GiB", p.MemoryKiB)
	case p.Passes < 1 || p.Passes > 16:
		return fmt.Errorf("argon2id: %d passes are not between 1 and 16", p.Passes)
	case p.Lanes < 1 || p.Lanes > 16:
		return fmt.Errorf("argon2id: %d lanes are not between 1 and 16", p.Lanes)
	}
	return nil
}

// hash is a parsed PHC string:
// https://github.com/P-H-C/phc-string-format/blob/master/phc-sf-spec.md
type hash struct {
	params Params
	salt   []byte
	key    []byte
}

// String returns the PHC form.
func (h hash) String() string {
	b64 := base64.RawStdEncoding.EncodeToString
	return fmt.Sprintf("$%s$v=%d$m=%d,t=%d,p=%d$%s$%s", algorithm, argon2.Version,
		h.params.MemoryKiB, h.params.Passes, h.params.Lanes, b64(h.salt), b64(h.key))
}

// parse accepts only what String makes, with any parameters in range.
func parse(s string) (hash, error) {
	var h hash
	var version int
	fields := strings.Split(s, "$")
	if len(fields) != 6 || fields[0] != "" || fields[1] != algorithm {
		return hash{}, ErrHashInvalid
	}
	if _, err := fmt.Sscanf(fields[2], "v=%d", &version); err != nil || version != argon2.Version {
		return hash{}, ErrHashInvalid
	}
	if _, err := fmt.Sscanf(fields[3], "m=%d,t=%d,p=%d", &h.params.MemoryKiB, &h.params.Passes, &h.params.Lanes); err != nil {
		return hash{}, ErrHashInvalid
	}
	if h.params.validate() != nil {
		return hash{}, ErrHashInvalid
	}
	var err error
	if h.salt, err = base64.RawStdEncoding.Strict().DecodeString(fields[4]); err != nil {
		return hash{}, ErrHashInvalid
	}
	if h.key, err = base64.RawStdEncoding.Strict().DecodeString(fields[5]); err != nil || len(h.key) != keyLength {
		return hash{}, ErrHashInvalid
	}
	if h.String() != s {
		return hash{}, ErrHashInvalid
	}
	return h, nil
}
