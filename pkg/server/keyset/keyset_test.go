package keyset_test

import (
	"bytes"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/curfew-platform/curfew/pkg/server/keyset"
)

func generated(t *testing.T) []byte {
	t.Helper()
	content, err := keyset.Generate()
	if err != nil {
		t.Fatal(err)
	}
	return content
}

func TestReplicasWithTheSameFileOpenAndAuthenticateEachOthersData(t *testing.T) {
	content := generated(t)
	a, err := keyset.Parse(content)
	if err != nil {
		t.Fatal(err)
	}
	b, err := keyset.Parse(content)
	if err != nil {
		t.Fatal(err)
	}
	sealed, err := a.Seal([]byte("cursor"), []byte("list"))
	if err != nil {
		t.Fatal(err)
	}
	if plain, err := b.Open(sealed, []byte("list")); err != nil || string(plain) != "cursor" {
		t.Errorf("Open = %q, %v", plain, err)
	}
	if _, err := b.Open(sealed, []byte("another list")); err == nil {
		t.Error("Open accepted data that was sealed for another purpose")
	}
	ma, err := a.MAC(a.PrimaryMACKey(), []byte("x"))
	if err != nil || len(ma) != keyset.MACSize {
		t.Fatalf("MAC = %d bytes, %v", len(ma), err)
	}
	mb, err := b.MAC(a.PrimaryMACKey(), []byte("x"))
	if err != nil || !bytes.Equal(ma, mb) {
		t.Errorf("two replicas made different MACs: %v", err)
	}
}

func TestAnUnknownKeyIDIsAnError(t *testing.T) {
	s, err := keyset.Parse(generated(t))
	if err != nil {
		t.Fatal(err)
	}
	if _, err := s.MAC(s.PrimaryMACKey()+1, nil); !errors.Is(err, keyset.ErrUnknownKey) {
		t.Errorf("err = %v", err)
	}
}

func TestLoadRefusesAFileThatEverybodyCanRead(t *testing.T) {
	path := filepath.Join(t.TempDir(), "keyset.json")
	if err := os.WriteFile(path, generated(t), 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := keyset.Load(path); err != nil {
		t.Fatal(err)
	}
	if err := os.Chmod(path, 0o604); err != nil {
		t.Fatal(err)
	}
	if _, err := keyset.Load(path); !errors.Is(err, fs.ErrPermission) {
		t.Errorf("err = %v", err)
	}
}

func TestAnErrorNeverQuotesTheKeys(t *testing.T) {
	content := generated(t)
	for name, bad := range map[string][]byte{
		"truncated":    content[:len(content)/2],
		"no keys":      []byte(`{}`),
		"wrong member": bytes.Replace(content, []byte(`"prf"`), []byte(`"mac"`), 1),
		"swapped keys": []byte(`{"aead": {"primaryKeyId": 1, "key": "secret"}, "prf": {}}`),
	} {
		_, err := keyset.Parse(bad)
		if err == nil {
			t.Errorf("%s: accepted", name)
			continue
		}
		if strings.Contains(err.Error(), "secret") || len(err.Error()) > 120 {
			t.Errorf("%s: the error may quote the file: %v", name, err)
		}
	}
}

func TestTheFlagIsNamedWhenItsFileCannotBeUsed(t *testing.T) {
	good := filepath.Join(t.TempDir(), "keyset.json")
	if err := os.WriteFile(good, generated(t), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := keyset.Validate(good); err != nil {
		t.Error(err)
	}
	for path, want := range map[string]string{
		"": "is required", good + "x": "no such file", filepath.Dir(good): "is a directory", os.DevNull: "lets everybody read it",
	} {
		if err := keyset.Validate(path); err == nil || !strings.HasPrefix(err.Error(), "--keyset-file") || !strings.Contains(err.Error(), want) {
			t.Errorf("%q: %v", path, err)
		}
	}
}
