package certfile_test

import (
	"bytes"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/curfew-platform/curfew/pkg/interceptors/certfile"
)

const loopback = "127.0.0.1"

func TestFilesThatCannotBeUsedAreRefusedAtTheStart(t *testing.T) {
	t.Parallel()
	ca, other := newAuthority(t, "ca", hour), newAuthority(t, "other", hour)
	over, later := newAuthority(t, "over", life{-2 * time.Hour, -time.Hour}), life{time.Hour, 2 * time.Hour}
	cert, key := ca.issue(t, loopback, hour)
	_, otherKey := ca.issue(t, loopback, hour)
	overCert, overKey := ca.issue(t, loopback, life{-2 * time.Hour, -time.Hour})
	laterCert, laterKey := ca.issue(t, loopback, later)
	for name, c := range map[string]struct {
		files map[string]string
		want  string // empty: accepted
	}{
		"what cert-manager writes":          {secret(cert, key, ca.pem), ""},
		"a chain, and words between":        {secret(cert+"the authority:\n"+ca.pem, key, ca.pem), ""},
		"two authorities":                   {secret(cert, key, ca.pem+other.pem), ""},
		"two authorities, one of them over": {secret(cert, key, over.pem+ca.pem), ""},
		"no certificate file":               {map[string]string{"tls.key": key, "ca.crt": ca.pem}, "no such file"},
		"no key file":                       {map[string]string{"tls.crt": cert, "ca.crt": ca.pem}, "no such file"},
		"no authorities file":               {map[string]string{"tls.crt": cert, "tls.key": key}, "no such file"},
		"no certificate":                    {secret("", key, ca.pem), "holds no certificate"},
		"a key as certificate":              {secret(key, key, ca.pem), "holds no certificate"},
		"no authority":                      {secret(cert, key, "\n"), "holds no certificate"},
		"no key":                            {secret(cert, cert, ca.pem), "private key"},
		"the key of another":                {secret(cert, otherKey, ca.pem), "does not match"},
		"half a certificate":                {secret(cert[:len(cert)/2], key, ca.pem), "cut off"},
		"half a chain":                      {secret(cert+ca.pem[:len(ca.pem)/2], key, ca.pem), "cut off"},
		"half of the authorities":           {secret(cert, key, ca.pem+other.pem[:len(other.pem)/2]), "cut off"},
		"a broken authority":                {secret(cert, key, strings.Replace(ca.pem, "\nMII", "\nMIX", 1)), "ca.crt"},
		"a certificate that is over":        {secret(overCert, overKey, ca.pem), "not valid after"},
		"an intermediate that is over":      {secret(cert+over.pem, key, ca.pem), "not valid after"},
		"a certificate of tomorrow":         {secret(laterCert, laterKey, ca.pem), "not valid before"},
		"authorities that are over":         {secret(cert, key, over.pem), "not valid after"},
		"a file without end":                {secret(cert, key, ca.pem+strings.Repeat("\n", 1<<20)), "longer than"},
	} {
		dir := t.TempDir()
		paths := certfile.Paths{Cert: filepath.Join(dir, "tls.crt"), Key: filepath.Join(dir, "tls.key"), CA: filepath.Join(dir, "ca.crt")}
		for file, content := range c.files {
			if err := os.WriteFile(filepath.Join(dir, file), []byte(content), 0o600); err != nil {
				t.Fatal(err)
			}
		}
		err := paths.Check()
		switch {
		case c.want == "" && err != nil:
			t.Errorf("%s: %v", name, err)
		case c.want != "" && (err == nil || !strings.Contains(err.Error(), c.want)):
			t.Errorf("%s: got %v, want %q", name, err, c.want)
		case err != nil && strings.Contains(err.Error(), key[30:60]):
			t.Errorf("%s: the error quotes the key: %v", name, err)
		}
	}
	if err := (certfile.Paths{Cert: "x"}).Check(); err == nil {
		t.Error("a certificate without a key is accepted")
	}
	if err := (certfile.Paths{}).Check(); err != nil {
		t.Errorf("the authorities of the system: %v", err)
	}
}

func TestAKeyThatEveryUserCanReadIsRefused(t *testing.T) {
	t.Parallel()
	ca := newAuthority(t, "ca", hour)
	cert, key := ca.issue(t, loopback, hour)
	v := newVolume(t, secret(cert, key, ca.pem))
	for mode, want := range map[os.FileMode]bool{0o600: true, 0o640: true, 0o644: false, 0o604: false} {
		if err := os.Chmod(v.paths().Key, mode); err != nil {
			t.Fatal(err)
		}
		if err := v.paths().Check(); (err == nil) != want {
			t.Errorf("mode %04o: %v", mode, err)
		}
	}
}

func TestFilesThatBreakNeverReplaceThoseThatWork(t *testing.T) {
	t.Parallel()
	ca := newAuthority(t, "ca", hour)
	cert, key := ca.issue(t, loopback, hour)
	_, otherKey := ca.issue(t, loopback, hour)
	next, nextKey := ca.issue(t, loopback, hour)
	overCert, overKey := ca.issue(t, loopback, life{-2 * time.Hour, -time.Hour})
	good := secret(cert, key, ca.pem)
	v := newVolume(t, good)
	var log bytes.Buffer
	files, err := certfile.Open(v.paths(), slog.New(slog.NewTextHandler(&log, nil)))
	if err != nil {
		t.Fatal(err)
	}
	shown := cert
	for _, step := range []struct {
		files map[string]string
		level string // empty: nothing is said
		about string
		shown string // empty: as before
	}{
		{good, "", "", ""},
		{secret(cert, key, ca.pem[:len(ca.pem)/2]), "WARN", "cut off", ""},
		{secret(cert, key, ca.pem[:len(ca.pem)/2]), "", "", ""},
		{secret(cert, otherKey, ca.pem), "WARN", "does not match", ""},
		{map[string]string{"tls.crt": cert}, "WARN", "no such file", ""},
		{good, "INFO", "used again", ""},
		{good, "", "", ""},
		{secret(overCert, overKey, ca.pem), "WARN", "not valid after", ""},
		{secret(next, nextKey, ca.pem), "INFO", "replaced", next},
		{secret(next, nextKey, ca.pem), "", "", ""},
	} {
		v.put(t, step.files)
		log.Reset()
		if step.shown != "" {
			shown = step.shown
		}
		cfg, err := files.Client()
		if err != nil || cfg.RootCAs == nil || encode("CERTIFICATE", cfg.Certificates[0].Certificate[0]) != shown {
			t.Errorf("%s: not the files that work are used: %v", step.about, err)
		}
		if got := log.String(); (step.level == "") != (got == "") || !strings.Contains(got, step.level) || !strings.Contains(got, step.about) {
			t.Errorf("want %s about %q, got %q", step.level, step.about, got)
		}
		if strings.Count(log.String(), "\n") > 1 || strings.Contains(log.String(), key[30:60]) {
			t.Errorf("the log: %s", log.String())
		}
	}
}

func TestValidityIsThatOfTheWholeChainAndOfTheLastAuthority(t *testing.T) {
	t.Parallel()
	short, long := newAuthority(t, "short", life{-time.Minute, time.Minute}), newAuthority(t, "long", hour)
	cert, key := short.issue(t, loopback, hour)
	files, err := certfile.Open(newVolume(t, secret(cert+short.pem, key, short.pem+long.pem)).paths(), nil)
	if err != nil {
		t.Fatal(err)
	}
	chain, authorities := files.Validity()
	if !chain.From.Equal(short.cert.NotBefore) || !chain.Until.Equal(short.cert.NotAfter) {
		t.Errorf("the chain is valid %v", chain)
	}
	if !authorities.From.Equal(long.cert.NotBefore) || !authorities.Until.Equal(long.cert.NotAfter) {
		t.Errorf("the authorities are valid %v", authorities)
	}
}
