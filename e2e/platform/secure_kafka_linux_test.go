package platform

import (
	"bytes"
	"context"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/curfew-platform/curfew/e2e/stand"
	"github.com/curfew-platform/curfew/pkg/localenv/authority"
	"github.com/curfew-platform/curfew/pkg/localenv/kafka"
)

// secureKafka is a broker that services may only reach over TLS, with a
// certificate and a password. The test itself speaks plaintext to it.
type secureKafka struct {
	plain, address string
	flags          []string
	password       string // the file of the services
}

func newSecureKafka(t *testing.T) *secureKafka {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), readyLimit)
	defer cancel()
	dir := t.TempDir()
	ca := authority.New(t, dir, "ca")
	cert, key := ca.Issue(t, dir, "broker")
	keystore, password := filepath.Join(dir, "keystore.pem"), filepath.Join(dir, "password")
	var pair bytes.Buffer
	for _, file := range []string{key, cert} {
		content, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		pair.Write(content)
	}
	for file, content := range map[string][]byte{keystore: pair.Bytes(), password: []byte("correct-horse\n")} {
		if err := os.WriteFile(file, content, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	cluster, err := kafka.Prepare(ctx, kafka.Config{Dir: dir, Heap: "256m", Secure: &kafka.Secure{
		Keystore: keystore, Truststore: ca.File, Users: map[string]string{"curfew": "correct-horse"}, Reauth: 3 * time.Second,
	}})
	if err != nil {
		t.Fatal(err)
	}
	start(t, cluster.Spec(), cluster.Ready)
	cert, key = ca.Issue(t, dir, "service")
	return &secureKafka{plain: cluster.Address(), address: cluster.SecureAddress(), password: password, flags: []string{
		"--kafka-tls-ca", ca.File, "--kafka-tls-cert", cert, "--kafka-tls-key", key,
		"--kafka-sasl-mechanism", "SCRAM-SHA-512", "--kafka-sasl-username", "curfew", "--kafka-sasl-password-file", password,
	}}
}

// The Kafka clients of the services go the secure way: the shop's events,
// shipped log lines, the group member and the workers of the log pipeline. When
// the password is changed they go on, without a restart.
func TestServicesReachAKafkaThatAsksForTLSAndAPassword(t *testing.T) {
	broker := newSecureKafka(t)
	name := fmt.Sprintf("secure-%d", time.Now().UnixNano())
	events, lines := name+".events", name+".lines"
	createTopic(t, broker.plain, name)
	createTopic(t, broker.plain, lines)
	client, err := kgo.NewClient(kgo.SeedBrokers(broker.plain))
	if err != nil {
		t.Fatal(err)
	}
	defer client.Close()
	produce := func() {
		t.Helper()
		if err := client.ProduceSync(t.Context(), &kgo.Record{Topic: name, Value: []byte("level=info msg=one")}).FirstErr(); err != nil {
			t.Fatal(err)
		}
	}
	produce()
	running := map[string]*stand.Process{}
	for service, flags := range map[string][]string{
		"orders":  {"--events-topic", events},
		"logproc": {"--topics", name, "--group", name, "--instance-id", name, "--dead-letter-topic", name + ".dlq"},
	} {
		flags = append(append(flags, broker.flags...), "--kafka-brokers", broker.address, "--log-kafka-brokers", broker.address, "--log-kafka-topic", lines)
		p, err := platform.StartService(t.Context(), service, nil, flags...)
		if err != nil {
			t.Fatal(err)
		}
		running[service] = p
		t.Cleanup(p.Kill)
		t.Cleanup(func() {
			if t.Failed() {
				t.Logf("%s:\n%s", service, p.Stderr())
			}
		})
	}
	db, err := stand.Connect(t.Context(), platform.LogprocDatabase)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = db.Close(context.Background()) })
	stored := func(want int) func() bool {
		return func() bool {
			var n int
			return db.QueryRow(t.Context(), `SELECT count(*) FROM logs WHERE kafka_topic = $1`, name).Scan(&n) == nil && n == want
		}
	}
	eventually(t, "the record of the topic is stored", stored(1))
	admin := kadm.NewClient(client)
	eventually(t, "a line of the services is shipped", func() bool {
		ends, err := admin.ListEndOffsets(t.Context(), lines)
		var records int64
		ends.Each(func(o kadm.ListedOffset) { records += max(o.Offset, 0) })
		return err == nil && records > 0
	})
	// Other replicas may hold the outbox: what every relay does first is its topic.
	eventually(t, "the topic of the shop's events is made", func() bool {
		topics, err := admin.ListTopics(t.Context(), events)
		return err == nil && topics.Has(events)
	})
	broker.changePassword(t, admin)
	eventually(t, "the log pipeline cannot log in any more", func() bool {
		return strings.Contains(running["logproc"].Stderr(), "SASL_AUTHENTICATION_FAILED")
	})
	produce()
	if err := os.WriteFile(broker.password, []byte("battery-staple\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	eventually(t, "a record that came meanwhile is stored", stored(2))
}

// changePassword changes it at the broker, which lets connections log in again every 3 s.
func (k *secureKafka) changePassword(t *testing.T, admin *kadm.Client) {
	t.Helper()
	altered, err := admin.AlterUserSCRAMs(t.Context(), nil, []kadm.UpsertSCRAM{{
		User: "curfew", Mechanism: kadm.ScramSha512, Iterations: 4096, Password: "battery-staple",
	}})
	if err == nil {
		err = altered.Error()
	}
	if err != nil {
		t.Fatal(err)
	}
}
