package kafkaconn_test

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/curfew-platform/curfew/pkg/localenv/authority"
	"github.com/curfew-platform/curfew/pkg/server/kafkaconn"
)

const password = "correct-horse"

func TestUnsafeOrUnfinishedSettingsAreRefused(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	ca := authority.New(t, dir, "ca")
	cert, key := ca.Issue(t, dir, "client")
	_, otherKey := ca.Issue(t, dir, "other")
	secret, open, empty := filepath.Join(dir, "secret"), filepath.Join(dir, "open"), filepath.Join(dir, "empty")
	write(t, secret, password+"\n")
	write(t, empty, "\n")
	write(t, open, password)
	if err := os.Chmod(open, 0o644); err != nil {
		t.Fatal(err)
	}
	login := func(s kafkaconn.Settings) kafkaconn.Settings {
		s.SASLMechanism, s.SASLUsername = "SCRAM-SHA-512", "alice"
		return s
	}
	for name, c := range map[string]struct {
		settings kafkaconn.Settings
		want     string // empty: accepted
	}{
		"nothing":                     {kafkaconn.Settings{}, ""},
		"TLS":                         {kafkaconn.Settings{TLS: true}, ""},
		"a certificate of its own":    {kafkaconn.Settings{TLSCA: ca.File, TLSCert: cert, TLSKey: key}, ""},
		"SCRAM":                       {login(kafkaconn.Settings{SASLPasswordFile: secret}), ""},
		"PLAIN over TLS":              {kafkaconn.Settings{TLS: true, SASLMechanism: "PLAIN", SASLUsername: "alice", SASLPasswordFile: secret}, ""},
		"PLAIN without TLS":           {kafkaconn.Settings{SASLMechanism: "PLAIN", SASLUsername: "alice", SASLPasswordFile: secret}, "unencrypted"},
		"another mechanism":           {kafkaconn.Settings{SASLMechanism: "OAUTHBEARER", SASLUsername: "alice", SASLPasswordFile: secret}, "want PLAIN"},
		"a password for nothing":      {kafkaconn.Settings{SASLPasswordFile: secret}, "need --kafka-sasl-mechanism"},
		"no password":                 {login(kafkaconn.Settings{}), "needs --kafka-sasl-username and --kafka-sasl-password-file"},
		"a missing password":          {login(kafkaconn.Settings{SASLPasswordFile: secret + "x"}), "no such file"},
		"an empty password":           {login(kafkaconn.Settings{SASLPasswordFile: empty}), "is empty"},
		"a password for everybody":    {login(kafkaconn.Settings{SASLPasswordFile: open}), "every user"},
		"a certificate without a key": {kafkaconn.Settings{TLSCert: cert}, "go together"},
		"the key of another":          {kafkaconn.Settings{TLSCert: cert, TLSKey: otherKey}, "does not match"},
		"a CA that is a key":          {kafkaconn.Settings{TLSCA: key}, "holds no certificate"},
		"a missing CA":                {kafkaconn.Settings{TLSCA: ca.File + "x"}, "no such file"},
	} {
		err := c.settings.Validate()
		switch {
		case c.want == "" && err != nil:
			t.Errorf("%s: %v", name, err)
		case c.want != "" && (err == nil || !strings.Contains(err.Error(), c.want)):
			t.Errorf("%s: got %v, want %q", name, err, c.want)
		case err != nil && strings.Contains(err.Error(), password):
			t.Errorf("%s: the error tells the password: %v", name, err)
		}
	}
}

// A worker process gets what its parent was started with.
func TestTheEnvironmentOfAChildHasEverySetting(t *testing.T) {
	t.Parallel()
	s := kafkaconn.Settings{
		TLS: true, TLSCA: "ca", TLSCert: "cert", TLSKey: "key", SASLMechanism: "PLAIN", SASLUsername: "alice", SASLPasswordFile: "file",
	}
	env := s.Environment("CURFEW_X")
	for name, want := range map[string]string{
		"TLS": "true", "TLS_CA": "ca", "TLS_CERT": "cert", "TLS_KEY": "key",
		"SASL_MECHANISM": "PLAIN", "SASL_USERNAME": "alice", "SASL_PASSWORD_FILE": "file",
	} {
		if got := env["CURFEW_X_KAFKA_"+name]; got != want {
			t.Errorf("%s is %q", name, got)
		}
	}
}
