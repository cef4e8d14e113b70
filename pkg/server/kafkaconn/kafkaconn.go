// Package kafkaconn says how the Kafka clients of a service reach their brokers:
// TLS, and a user name with a password over SASL. Every client of a service gets
// its options here, so that none of them speaks plaintext by an oversight.
//
// Certificates and passwords are files that are read again for every new
// connection: they can be replaced while the service runs. Files that cannot be
// used never replace those that can; at the start there is nothing before, and
// [Settings.Validate] refuses them. A file that is written in place may be read
// in the middle, so replace it by a rename: the beginning of a password is another
// password. Connections that are open keep what they began with; a broker ends
// them by connections.max.reauth.ms.
package kafkaconn

import (
	"context"
	"errors"
	"fmt"
	"log/slog"

	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/sasl"
	"github.com/twmb/franz-go/pkg/sasl/plain"
	"github.com/twmb/franz-go/pkg/sasl/scram"

	"github.com/curfew-platform/curfew/pkg/interceptors/certfile"
)

// Mechanisms of SASL.
const (
	mechanismPlain    = "PLAIN"
	mechanismScram256 = "SCRAM-SHA-256"
	mechanismScram512 = "SCRAM-SHA-512"
)

// Settings are flags, to be embedded with the prefix kafka-. They hold for all
// Kafka clients of the service. The zero value is plaintext without a user.
type Settings struct {
	TLS     bool   `name:"tls" help:"Speak TLS to Kafka. Without --kafka-tls-ca the certificates of the system are trusted."`
	TLSCA   string `name:"tls-ca" help:"Certificates that those of the Kafka brokers must chain to (PEM); turns TLS on. Read again for each connection." type:"path"`
	TLSCert string `name:"tls-cert" help:"Certificate chain that is shown to the Kafka brokers (PEM); turns TLS on. Read again for each connection." type:"path"`
	TLSKey  string `name:"tls-key" help:"Private key of that certificate (PEM), which only this service may read." type:"path"`

	SASLMechanism    string `name:"sasl-mechanism" help:"How to log in to Kafka: SCRAM-SHA-256, SCRAM-SHA-512, or PLAIN, which needs TLS." enum:",PLAIN,SCRAM-SHA-256,SCRAM-SHA-512" default:"" placeholder:"NAME"`
	SASLUsername     string `name:"sasl-username" help:"User name for Kafka." placeholder:"NAME"`
	SASLPasswordFile string `name:"sasl-password-file" help:"File with the password for Kafka, which only this service may read. Read again for each connection." type:"path"`
}

// Validate returns everything that is wrong with the settings, files included.
func (s *Settings) Validate() error {
	var errs []error
	if (s.TLSCert == "") != (s.TLSKey == "") {
		errs = append(errs, errors.New("--kafka-tls-cert and --kafka-tls-key go together"))
	} else if err := s.certificates().Check(); err != nil {
		errs = append(errs, fmt.Errorf("--kafka-tls-ca, --kafka-tls-cert and --kafka-tls-key: %w", err))
	}
	switch s.SASLMechanism {
	case "":
		if s.SASLUsername != "" || s.SASLPasswordFile != "" {
			errs = append(errs, errors.New("--kafka-sasl-username and --kafka-sasl-password-file need --kafka-sasl-mechanism"))
		}
		return errors.Join(errs...)
	case mechanismPlain:
		if !s.secure() {
			errs = append(errs, errors.New("--kafka-sasl-mechanism PLAIN would send the password unencrypted: set --kafka-tls or --kafka-tls-ca"))
		}
	case mechanismScram256, mechanismScram512:
	default:
		errs = append(errs, fmt.Errorf("--kafka-sasl-mechanism %q: want PLAIN, SCRAM-SHA-256 or SCRAM-SHA-512", s.SASLMechanism))
	}
	if s.SASLUsername == "" || s.SASLPasswordFile == "" {
		errs = append(errs, errors.New("--kafka-sasl-mechanism needs --kafka-sasl-username and --kafka-sasl-password-file"))
	} else if _, err := s.password(); err != nil {
		errs = append(errs, err)
	}
	return errors.Join(errs...)
}

// Options returns what every Kafka client of the service is made with, beside
// its brokers; none for plaintext without a user. The settings must be valid.
// The log, which must not go over Kafka itself, is told about files that cannot
// be read any more.
func (s *Settings) Options(log *slog.Logger) []kgo.Opt {
	var opts []kgo.Opt
	if files := s.Certificates(log); files != nil {
		opts = append(opts, kgo.Dialer(dialer(files)))
	}
	if m := s.mechanism(log); m != nil {
		opts = append(opts, kgo.SASL(m))
	}
	return opts
}

// Certificates are the files of TLS; nil for plaintext. The settings must be valid.
func (s *Settings) Certificates(log *slog.Logger) *certfile.Files {
	if !s.secure() {
		return nil
	}
	return certfile.New(s.certificates(), log)
}

// Environment returns the settings as the variables of a child process, by the
// prefix of the service's variables such as CURFEW_LOGPROC.
func (s *Settings) Environment(prefix string) map[string]string {
	env := map[string]string{
		prefix + "_KAFKA_TLS_CA":             s.TLSCA,
		prefix + "_KAFKA_TLS_CERT":           s.TLSCert,
		prefix + "_KAFKA_TLS_KEY":            s.TLSKey,
		prefix + "_KAFKA_SASL_MECHANISM":     s.SASLMechanism,
		prefix + "_KAFKA_SASL_USERNAME":      s.SASLUsername,
		prefix + "_KAFKA_SASL_PASSWORD_FILE": s.SASLPasswordFile,
	}
	if s.TLS {
		env[prefix+"_KAFKA_TLS"] = "true"
	}
	return env
}

// secure says whether TLS is spoken.
func (s *Settings) secure() bool { return s.TLS || s.TLSCA != "" || s.TLSCert != "" }

func (s *Settings) mechanism(log *slog.Logger) sasl.Mechanism {
	if s.SASLMechanism == "" {
		return nil
	}
	file := &latest{settings: s, log: log}
	_, _ = file.get() // for the first login, which says what is wrong if this does
	login := func(context.Context) (scram.Auth, error) {
		password, err := file.get()
		return scram.Auth{User: s.SASLUsername, Pass: password}, err
	}
	switch s.SASLMechanism {
	case mechanismPlain:
		return plain.Plain(func(context.Context) (plain.Auth, error) {
			password, err := file.get()
			return plain.Auth{User: s.SASLUsername, Pass: password}, err
		})
	case mechanismScram256:
		return scram.Sha256(login)
	case mechanismScram512:
		return scram.Sha512(login)
	default:
		return nil
	}
}
