package keyset

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"

	"github.com/tink-crypto/tink-go/v2/aead"
	"github.com/tink-crypto/tink-go/v2/insecurecleartextkeyset"
	"github.com/tink-crypto/tink-go/v2/keyset"
	"github.com/tink-crypto/tink-go/v2/prf"
	tinkpb "github.com/tink-crypto/tink-go/v2/proto/tink_go_proto"
)

// ErrNothingToDo says that a step of a rotation has been done already, or that
// the one before it has not.
var ErrNothingToDo = errors.New("keyset: nothing to do")

// Key is what may be known of a key of a set.
type Key struct {
	// Use is "aead" or "prf".
	Use string
	// ID addresses the key in what it made.
	ID uint32
	// Primary makes new data; the others only open what they made.
	Primary bool
}

// Keys lists the keys of a file's content, of each use the oldest first.
func Keys(content []byte) ([]Key, error) {
	var list []Key
	_, err := each(content, func(use string, h *keyset.Handle, _ *tinkpb.KeyTemplate) (*keyset.Handle, error) {
		info := h.KeysetInfo()
		for _, k := range info.GetKeyInfo() {
			list = append(list, Key{Use: use, ID: k.GetKeyId(), Primary: k.GetKeyId() == info.GetPrimaryKeyId()})
		}
		return h, nil
	})
	return list, err
}

// Add is the first step of a rotation: content with a new key of each use that
// opens and does not make anything yet. It is ErrNothingToDo if there is one.
func Add(content []byte) ([]byte, error) {
	return each(content, func(_ string, h *keyset.Handle, template *tinkpb.KeyTemplate) (*keyset.Handle, error) {
		if ids, primary := order(h); primary != len(ids)-1 {
			return nil, fmt.Errorf("%w: a key waits to become primary", ErrNothingToDo)
		}
		m := keyset.NewManagerFromHandle(h)
		if _, err := m.Add(template); err != nil {
			return nil, fmt.Errorf("generate key: %w", err)
		}
		return m.Handle()
	})
}

// Promote is the second step, once every replica has the result of the first:
// the newest key of each use becomes primary. It is ErrNothingToDo if it is.
func Promote(content []byte) ([]byte, error) {
	return each(content, func(_ string, h *keyset.Handle, _ *tinkpb.KeyTemplate) (*keyset.Handle, error) {
		ids, primary := order(h)
		if primary == len(ids)-1 {
			return nil, fmt.Errorf("%w: the newest key is primary", ErrNothingToDo)
		}
		m := keyset.NewManagerFromHandle(h)
		if err := m.SetPrimary(ids[len(ids)-1]); err != nil {
			return nil, fmt.Errorf("promote key: %w", err)
		}
		return m.Handle()
	})
}

// Retire is the last step, once nothing that the older keys made can come back:
// the keys before the primary are removed. It is ErrNothingToDo if there are none.
func Retire(content []byte) ([]byte, error) {
	return each(content, func(_ string, h *keyset.Handle, _ *tinkpb.KeyTemplate) (*keyset.Handle, error) {
		ids, primary := order(h)
		if primary == 0 {
			return nil, fmt.Errorf("%w: no key is older than the primary", ErrNothingToDo)
		}
		m := keyset.NewManagerFromHandle(h)
		for _, id := range ids[:primary] {
			if err := m.Delete(id); err != nil {
				return nil, fmt.Errorf("remove key: %w", err)
			}
		}
		return m.Handle()
	})
}

// order returns the ids of a keyset, the oldest first, and where the primary is.
func order(h *keyset.Handle) (ids []uint32, primary int) {
	info := h.KeysetInfo()
	for i, k := range info.GetKeyInfo() {
		ids = append(ids, k.GetKeyId())
		if k.GetKeyId() == info.GetPrimaryKeyId() {
			primary = i
		}
	}
	return ids, primary
}

// each applies a change to both keysets of a file. What comes out has to be one
// that services can load.
func each(content []byte, change func(use string, h *keyset.Handle, template *tinkpb.KeyTemplate) (*keyset.Handle, error)) ([]byte, error) {
	if _, err := Parse(content); err != nil {
		return nil, err
	}
	var f file
	if err := json.Unmarshal(content, &f); err != nil {
		return nil, errors.New("not a keyset")
	}
	for _, k := range []struct {
		use      string
		json     *json.RawMessage
		template *tinkpb.KeyTemplate
	}{{"aead", &f.AEAD, aead.AES256GCMKeyTemplate()}, {"prf", &f.PRF, prf.HMACSHA256PRFKeyTemplate()}} {
		h, err := insecurecleartextkeyset.Read(keyset.NewJSONReader(bytes.NewReader(*k.json)))
		if err != nil {
			return nil, fmt.Errorf("member %s is not a Tink keyset", k.use)
		}
		if h, err = change(k.use, h, k.template); err != nil {
			return nil, err
		}
		if *k.json, err = newJSON(func() (*keyset.Handle, error) { return h, nil }); err != nil {
			return nil, err
		}
	}
	out, err := encode(f)
	if err != nil {
		return nil, err
	}
	if _, err := Parse(out); err != nil {
		return nil, err
	}
	return out, nil
}
