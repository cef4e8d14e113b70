package kafkaconn_test

import (
	"context"
	"log/slog"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/curfew-platform/curfew/pkg/localenv/authority"
	"github.com/curfew-platform/curfew/pkg/localenv/kafka"
	"github.com/curfew-platform/curfew/pkg/server/kafkaconn"
)

const (
	wrong = "wrong-password"
	// answerLimit bounds one question to the broker, for a busy machine.
	answerLimit = 30 * time.Second
)

// startBroker starts a real Kafka with a listener for TLS and passwords.
func startBroker(t *testing.T, ca *authority.Authority, reauth time.Duration) *kafka.Cluster {
	t.Helper()
	dir := t.TempDir()
	cert, key := ca.Issue(t, dir, "broker")
	keystore := filepath.Join(dir, "keystore.pem")
	write(t, keystore, read(t, key)+read(t, cert))
	ctx, cancel := context.WithTimeout(t.Context(), 3*time.Minute)
	defer cancel()
	cluster, err := kafka.Prepare(ctx, kafka.Config{Dir: dir, Heap: "256m", Secure: &kafka.Secure{
		Keystore: keystore, Truststore: ca.File, Reauth: reauth, Users: map[string]string{"alice": password},
	}})
	if err != nil {
		t.Fatal(err)
	}
	if err := cluster.Start(ctx); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		ctx, cancel := context.WithTimeout(context.Background(), 30*time.Second)
		defer cancel()
		if err := cluster.Stop(ctx); err != nil {
			t.Error(err)
		}
	})
	return cluster
}

func connect(t *testing.T, address string, s kafkaconn.Settings) *kgo.Client {
	t.Helper()
	if err := s.Validate(); err != nil {
		t.Fatal(err)
	}
	client, err := kgo.NewClient(append(s.Options(slog.New(slog.DiscardHandler)), kgo.SeedBrokers(address), kgo.RequestRetries(0))...)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(client.Close)
	return client
}

func ping(t *testing.T, client *kgo.Client) error {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), answerLimit)
	defer cancel()
	return client.Ping(ctx)
}

func TestARealKafkaIsReachedOverTLSWithAPassword(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	ca, stranger := authority.New(t, dir, "ca"), authority.New(t, dir, "stranger")
	cert, key := ca.Issue(t, dir, "client")
	secret, mistyped := filepath.Join(dir, "secret"), filepath.Join(dir, "mistyped")
	write(t, secret, password+"\n")
	write(t, mistyped, wrong)
	address := startBroker(t, ca, 0).SecureAddress()
	for _, mechanism := range []string{"PLAIN", "SCRAM-SHA-256", "SCRAM-SHA-512"} {
		right := kafkaconn.Settings{TLSCA: ca.File, TLSCert: cert, TLSKey: key, SASLMechanism: mechanism, SASLUsername: "alice", SASLPasswordFile: secret}
		if err := ping(t, connect(t, address, right)); err != nil {
			t.Errorf("%s: %v", mechanism, err)
		}
		bad := right
		bad.SASLPasswordFile = mistyped
		refused(t, mechanism+", another password", ping(t, connect(t, address, bad)), "SASL_AUTHENTICATION_FAILED")
		bad = right
		bad.TLSCA = stranger.File
		refused(t, mechanism+", another authority", ping(t, connect(t, address, bad)), "see --kafka-tls-ca")
		bad = right
		bad.TLSCert, bad.TLSKey = "", ""
		refused(t, mechanism+", no certificate of its own", ping(t, connect(t, address, bad)), "certificate")
	}
	filesAreReadAgain(t, address, kafkaconn.Settings{TLSCert: cert, TLSKey: key, SASLMechanism: "SCRAM-SHA-512", SASLUsername: "alice"}, ca, stranger)
}

// Files are read for every connection: one client that fails with the old ones
// works with the new ones.
func filesAreReadAgain(t *testing.T, address string, s kafkaconn.Settings, ca, stranger *authority.Authority) {
	t.Helper()
	dir := t.TempDir()
	roots, secret := filepath.Join(dir, "roots.pem"), filepath.Join(dir, "secret")
	s.TLSCA, s.SASLPasswordFile = roots, secret
	write(t, roots, read(t, stranger.File))
	write(t, secret, wrong)
	client := connect(t, address, s)
	refused(t, "old files", ping(t, client), "see --kafka-tls-ca")
	write(t, roots, "half a fi")
	refused(t, "a file that is being written", ping(t, client), "see --kafka-tls-ca")
	write(t, roots, read(t, ca.File))
	refused(t, "the old password", ping(t, client), "SASL_AUTHENTICATION_FAILED")
	write(t, secret, password)
	if err := ping(t, client); err != nil {
		t.Errorf("new files: %v", err)
	}
}

// refused checks that the error says what is wrong and no secret.
func refused(t *testing.T, name string, err error, want string) {
	t.Helper()
	if err == nil || !strings.Contains(err.Error(), want) {
		t.Errorf("%s: got %v, want %q", name, err, want)
		return
	}
	if strings.Contains(err.Error(), password) || strings.Contains(err.Error(), wrong) {
		t.Errorf("%s: the error tells a password: %v", name, err)
	}
}
