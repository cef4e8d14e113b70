package kafka

import (
	"fmt"
	"maps"
	"net"
	"slices"
	"strconv"
	"strings"
	"time"
)

// Secure is a listener for SASL_SSL, with certificates of clients and the mechanisms PLAIN, SCRAM-SHA-256
// and SCRAM-SHA-512. All fields but Reauth are required. For tests: the passwords are
// arguments of a command and lines of a file.
type Secure struct {
	// Keystore is a PEM file with the certificate chain of 127.0.0.1 and its
	// private key (PKCS 8).
	Keystore string
	// Truststore is a PEM file with what the certificates of clients chain to;
	// every client needs one.
	Truststore string
	// Reauth is after how long a connection has to log in again; 0 is never.
	Reauth time.Duration
	// Users are the passwords by user name, without quotes and brackets.
	Users map[string]string
}

// SecureAddress is the host:port of Config.Secure.
func (c *Cluster) SecureAddress() string {
	return net.JoinHostPort("127.0.0.1", strconv.Itoa(c.securePort))
}

// properties of the broker; none without the listener.
func (s *Secure) properties() []string {
	if s == nil {
		return nil
	}
	plain := []string{"org.apache.kafka.common.security.plain.PlainLoginModule", "required"}
	for _, user := range slices.Sorted(maps.Keys(s.Users)) {
		plain = append(plain, fmt.Sprintf("user_%s=%q", user, s.Users[user]))
	}
	const listener = "listener.name.sasl_ssl."
	scram := "org.apache.kafka.common.security.scram.ScramLoginModule required;"
	return []string{
		listener + "connections.max.reauth.ms=" + strconv.FormatInt(s.Reauth.Milliseconds(), 10),
		listener + "sasl.enabled.mechanisms=PLAIN,SCRAM-SHA-256,SCRAM-SHA-512",
		listener + "plain.sasl.jaas.config=" + strings.Join(plain, " ") + ";",
		listener + "scram-sha-256.sasl.jaas.config=" + scram,
		listener + "scram-sha-512.sasl.jaas.config=" + scram,
		listener + "ssl.keystore.type=PEM",
		listener + "ssl.keystore.location=" + s.Keystore,
		listener + "ssl.truststore.type=PEM",
		listener + "ssl.truststore.location=" + s.Truststore,
		listener + "ssl.client.auth=required",
	}
}

// scram are the arguments with which the log folder is formatted: users of
// SCRAM live in the cluster's metadata.
func (s *Secure) scram() []string {
	if s == nil {
		return nil
	}
	var args []string
	for _, user := range slices.Sorted(maps.Keys(s.Users)) {
		for _, mechanism := range []string{"SCRAM-SHA-256", "SCRAM-SHA-512"} {
			args = append(args, "--add-scram", fmt.Sprintf("%s=[name=%s,password=%s]", mechanism, user, s.Users[user]))
		}
	}
	return args
}
