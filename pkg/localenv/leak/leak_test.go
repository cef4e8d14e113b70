package leak

import (
	"bytes"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

const (
	jwt     = "eyJhbGciOiJFZERTQSJ9.eyJzdWIiOiJ1MSJ9.c2lnbmF0dXJl"
	refresh = "AaAAAAGfPz8_Pz8_Pz8_Pz8_Pz8_AAAAAz8_Pz8_Pz8_Pz8_Pz8_Pz8_Pz8_Pz8_Pz8_Pz8_Pz8_"
)

func TestSecretsAreFoundWhereverTheyStand(t *testing.T) {
	for name, text := range map[string]string{
		"a token in a log line":        `{"level":"INFO","msg":"call failed","error":"parse ` + jwt + `: bad"}`,
		"a token without signature":    "claims " + jwt[:strings.LastIndexByte(jwt, '.')],
		"a header":                     "map[authorization:[Bearer 0123456789abcdef0123]]",
		"a refresh token":              `refresh_token:"` + refresh + `"`,
		"a refresh token alone":        refresh,
		"a private key":                "-----BEGIN EC PRIVATE KEY-----\nMHcC\n",
		"a password hash":              "hash=$argon2id$v=19$m=65536",
		"a keyset":                     `{"keyData":{"typeUrl":"x","keyMaterialType":"SYMMETRIC"}}`,
		"the password of a database":   "connect to postgres://app:hunter2@db:5432/x failed",
		"a provisioning address":       "otpauth://totp/x?secret=ABC",
		"the password of a test":       `panic: login u1 "correct horse ABC"`,
		"the password of another test": "a long enough passphrase",
	} {
		found := In("x", "before\n"+text+"\nafter")
		if len(found) == 0 {
			t.Errorf("%s: not found", name)
		}
		for _, f := range found {
			if again := In("report", f.String()); len(again) > 0 || strings.Contains(f.String(), "hunter2") {
				t.Errorf("%s: the report shows it: %s", name, f)
			}
		}
	}
}

func TestWhatIsNoSecretIsNotTakenForOne(t *testing.T) {
	for _, text := range []string{
		"authorization: Bearer $TOKEN", "[redacted]", "Bearer [redacted]", "postgres://app:xxxxx@db/x", "http://127.0.0.1:7303/auth",
		"eyJ", "sha256:AQIDBA", "ok  	github.com/curfew-platform/curfew/pkg/interceptors/token	0.379s", "-----BEGIN CERTIFICATE-----",
	} {
		if found := In("x", text); len(found) > 0 {
			t.Errorf("%q: %v", text, found)
		}
	}
}

// alone lets a test see its own findings only, and removes them.
func alone(t *testing.T) {
	t.Helper()
	if err := Found(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { all.findings, all.told = nil, nil })
}

func TestASecretThatWasToldIsFound(t *testing.T) {
	alone(t)
	Text("before", "pass hunter2")
	Secret("password of dev", "hunter2")
	Text("after", "pass hunter2")
	if err := Found(); err == nil || err.Error() != "after wrote a password of dev: pass [...]" {
		t.Errorf("found %v", err)
	}
}

func TestASecretThatComesInPiecesIsFound(t *testing.T) {
	alone(t)
	var out bytes.Buffer
	w := Writer("pieces", &out)
	for _, b := range []byte(strings.Repeat("x", 200<<10) + " " + jwt) {
		if _, err := w.Write([]byte{b}); err != nil {
			t.Fatal(err)
		}
	}
	if Found() != nil {
		t.Error("found before it was whole")
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	if err := Found(); err == nil || !strings.Contains(err.Error(), "pieces wrote a JWT") {
		t.Errorf("found %v", err)
	}
	if out.Len() != 200<<10+1+len(jwt) {
		t.Errorf("%d bytes were passed on", out.Len())
	}
}

func TestTestsFailIfASecretWasWritten(t *testing.T) {
	alone(t)
	var out bytes.Buffer
	if code := Exit(0, &out); code != 0 || out.Len() > 0 {
		t.Errorf("without a finding: %d, %q", code, out.String())
	}
	path := filepath.Join(t.TempDir(), "log")
	if err := os.WriteFile(path, []byte("level=ERROR token="+jwt), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := File(path); err != nil {
		t.Fatal(err)
	}
	if code := Exit(0, &out); code != 1 || !strings.Contains(out.String(), "a JWT") || strings.Contains(out.String(), jwt) {
		t.Errorf("%d, %q", code, out.String())
	}
	if code := Exit(3, &out); code != 3 {
		t.Errorf("%d", code)
	}
	for range 2 * maxFindings {
		Text("many", jwt)
	}
	if n := len(all.findings); n != maxFindings {
		t.Errorf("%d findings are kept", n)
	}
}
