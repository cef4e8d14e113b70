package refresh_test

import (
	"bytes"
	"crypto/hmac"
	"crypto/sha256"
	"errors"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/uuid"

	"github.com/curfew-platform/curfew/services/auth/internal/refresh"
)

var errNoKey = errors.New("no such key")

// keys is a keyset in memory: ids and secrets, the first id is primary.
type keys struct {
	primary uint32
	secrets map[uint32]string
}

func (k keys) PrimaryMACKey() uint32 { return k.primary }

func (k keys) MAC(id uint32, data []byte) ([]byte, error) {
	secret, ok := k.secrets[id]
	if !ok {
		return nil, errNoKey
	}
	m := hmac.New(sha256.New, []byte(secret))
	m.Write(data)
	return m.Sum(nil), nil
}

func codec(primary uint32, ids ...uint32) *refresh.Codec {
	k := keys{primary: primary, secrets: map[uint32]string{}}
	for _, id := range ids {
		k.secrets[id] = string(rune('a' + id))
	}
	return refresh.NewCodec(k)
}

var session = uuid.MustParse("01890000-0000-7000-8000-000000000001")

func encode(t testing.TB, c *refresh.Codec, tok refresh.Token) string {
	t.Helper()
	text, err := c.Encode(tok)
	if err != nil {
		t.Fatal(err)
	}
	return text
}

func TestATokenComesBackAndIsTheSameBytesAtEveryReplica(t *testing.T) {
	want := refresh.Token{KeyID: 1, Session: session, Generation: 3}
	text := encode(t, codec(1, 1), want)
	if other := encode(t, codec(2, 1, 2), want); other != text {
		t.Error("a replica with another primary key made other bytes")
	}
	got, err := codec(2, 1, 2).Decode(text)
	if diff := cmp.Diff(want, got); diff != "" || err != nil {
		t.Errorf("%v %s", err, diff)
	}
}

// K AB_ONE_PHASE, AB_DROP_EARLY: a key is known everywhere before it is primary
// anywhere, and is kept while a live generation has it.
func TestATokenOfAKeyThatAReplicaDoesNotHaveIsNotAuthentic(t *testing.T) {
	text := encode(t, codec(2, 1, 2), refresh.Token{KeyID: 2, Session: session, Generation: 1})
	if _, err := codec(1, 1).Decode(text); !errors.Is(err, refresh.ErrInvalid) {
		t.Errorf("err = %v", err)
	}
	if _, err := codec(1, 1, 2).Decode(text); err != nil {
		t.Errorf("known and not primary: %v", err)
	}
}

func TestTheHashOfARetryKeyIsBoundToItsSessionAndIsNoToken(t *testing.T) {
	c := codec(1, 1)
	a := refresh.Token{KeyID: 1, Session: session, Generation: 1}
	b := refresh.Token{KeyID: 1, Session: uuid.Max, Generation: 1}
	hash := func(tok refresh.Token, key string) []byte {
		t.Helper()
		h, err := c.RetryHash(tok, []byte(key))
		if err != nil {
			t.Fatal(err)
		}
		return h
	}
	if hash(a, "") != nil {
		t.Error("no key has a hash")
	}
	if !bytes.Equal(hash(a, "key"), hash(a, "key")) || bytes.Equal(hash(a, "key"), hash(b, "key")) || bytes.Equal(hash(a, "key"), hash(a, "other")) {
		t.Error("the hash does not tell sessions and keys apart")
	}
}

func TestGenerationsBelowOneAreNeverEncoded(t *testing.T) {
	for _, g := range []int32{0, -1} {
		if _, err := codec(1, 1).Encode(refresh.Token{KeyID: 1, Session: session, Generation: g}); err == nil {
			t.Errorf("generation %d was encoded", g)
		}
	}
}

func FuzzDecodeAcceptsOnlyWhatWasEncoded(f *testing.F) {
	c := codec(1, 1)
	text := encode(f, c, refresh.Token{KeyID: 1, Session: session, Generation: 1})
	f.Add(text)
	f.Add("")
	f.Add(text + "A")
	f.Add(text[:len(text)-1] + "B")
	f.Fuzz(func(t *testing.T, in string) {
		tok, err := c.Decode(in)
		if err != nil {
			if !errors.Is(err, refresh.ErrInvalid) {
				t.Fatal(err)
			}
			return
		}
		if again := encode(t, c, tok); again != in {
			t.Fatalf("%q was accepted as %q", in, again)
		}
	})
}
