package guard

import (
	"errors"
	"fmt"
	"log/slog"
	"os"
	"slices"
	"time"

	"github.com/curfew-platform/curfew/pkg/interceptors/certfile"
	"github.com/curfew-platform/curfew/pkg/interceptors/creds"
)

// The sources of revocations that a service may be run with.
const (
	// Feed is the leased feed of services/auth: a revoked token is refused
	// before the revoking call returns.
	Feed = "feed"
	// Introspection asks services/auth about the token of every call (RFC 7662):
	// a round trip each, and nothing to follow. Running calls are not cancelled.
	Introspection = "introspection"
	// None lets a token live until it expires. For comparison, not for a shop.
	None = "none"
)

// Settings are the flags of a service that is guarded by services/auth. Embed
// them in its configuration.
type Settings struct {
	AuthAddr         string `help:"gRPC target of services/auth, or the addresses of its replicas with commas between: the feed of revocations then moves between them when one is silent or stops." placeholder:"HOST:PORT"`
	AuthTLSCA        string `name:"auth-tls-ca" help:"Certificates that services/auth must chain to (PEM); empty is plaintext, on loopback only. Read again for each connection." type:"path"`
	AuthTLSCert      string `name:"auth-tls-cert" help:"Certificate chain that is shown to services/auth (PEM), if it demands one (--tls-client-ca). Read again for each connection." type:"path"`
	AuthTLSKey       string `name:"auth-tls-key" help:"Private key of that certificate (PEM), which only this service may read." type:"path"`
	AuthPlaintext    bool   `help:"Allow plaintext to services/auth on other hosts than this."`
	ServiceKeyFile   string `help:"Ed25519 key (PKCS #8 PEM) that this service proves itself with." type:"path"`
	ServiceTokenFile string `help:"Token that the platform keeps in a file and that services/auth accepts as proof instead of a key: the projected service-account token of a pod." type:"path"`
	Issuer           string `help:"Issuer of the access tokens." default:"https://auth.curfew.dev"`
	Revocation       string `help:"Source of revocations: feed; introspection, which asks services/auth about the token of every call; or none." enum:"feed,introspection,none" default:"feed"`

	IntrospectionMaxAge time.Duration `help:"With --revocation introspection: how old an answer may be that admits a call, and so how long a revocation may go unnoticed; 0 asks for every call." default:"0s"`

	ReplicaID string `help:"Name of this replica, for people; the host name if empty." placeholder:"NAME"`
}

// Validate returns everything that is wrong with the settings.
func (s *Settings) Validate() error {
	var errs []error
	if slices.Contains(s.authAddresses(), "") {
		errs = append(errs, errors.New("--auth-addr is required, and no address of a list is empty"))
	}
	if (s.ServiceKeyFile == "") == (s.ServiceTokenFile == "") {
		errs = append(errs, errors.New("one of --service-key-file and --service-token-file is required"))
	}
	if (s.AuthTLSCert == "") != (s.AuthTLSKey == "") {
		errs = append(errs, errors.New("--auth-tls-cert and --auth-tls-key go together"))
	}
	if s.IntrospectionMaxAge < 0 || s.IntrospectionMaxAge > 0 && s.Revocation != Introspection {
		errs = append(errs, errors.New("--introspection-max-age is not negative, and belongs to --revocation introspection"))
	}
	if s.Issuer == "" {
		errs = append(errs, errors.New("--issuer is required"))
	}
	if len(s.ReplicaID) > maxReplicaID {
		errs = append(errs, fmt.Errorf("--replica-id is longer than %d bytes", maxReplicaID))
	}
	if err := errors.Join(errs...); err != nil {
		return err
	}
	return errors.Join(s.validateKey(), s.validateTarget())
}

// maxReplicaID is what the feed takes.
const maxReplicaID = 200

// validateKey tries the key. A token of the platform may still be on its way
// into its file.
func (s *Settings) validateKey() error {
	if s.ServiceKeyFile == "" {
		return nil
	}
	if _, err := (creds.Assertion{KeyFile: s.ServiceKeyFile}).Sign(time.Now()); err != nil {
		return fmt.Errorf("--service-key-file: %w", err)
	}
	return nil
}

// validateTarget makes the connections to services/auth, and nothing of them
// leaves this process.
func (s *Settings) validateTarget() error {
	files, err := s.files(slog.New(slog.DiscardHandler))
	if err != nil {
		return fmt.Errorf("--auth-tls-ca, --auth-tls-cert and --auth-tls-key: %w", err)
	}
	d := &dialer{files: files, plaintext: s.AuthPlaintext}
	_, err = d.all(s.authAddresses(), nil)
	switch err := errors.Join(err, d.close()); {
	case err == nil:
		return nil
	case files == nil && !s.AuthPlaintext:
		return fmt.Errorf("--auth-addr, without --auth-tls-ca and --auth-plaintext: %w", err)
	default:
		return fmt.Errorf("--auth-addr: %w", err)
	}
}

// files are the certificates towards services/auth; nil for plaintext.
func (s *Settings) files(log *slog.Logger) (*certfile.Files, error) {
	paths := certfile.Paths{Cert: s.AuthTLSCert, Key: s.AuthTLSKey, CA: s.AuthTLSCA}
	if paths == (certfile.Paths{}) {
		return nil, nil //nolint:nilnil // No TLS is a value here.
	}
	return certfile.Open(paths, log)
}

// proof is how this service comes to its tokens.
func (s *Settings) proof(service string, issue creds.IssueFunc) creds.TokenSource {
	if s.ServiceTokenFile != "" {
		return creds.FileAssertion(s.ServiceTokenFile, issue)
	}
	return creds.ServiceAssertion(creds.Assertion{Service: service, Audience: s.Issuer, KeyFile: s.ServiceKeyFile}, issue)
}

func (s *Settings) replica() string {
	if s.ReplicaID != "" {
		return s.ReplicaID
	}
	host, err := os.Hostname()
	if err != nil {
		host = "unknown"
	}
	return fmt.Sprintf("%s/%d", host, os.Getpid())
}
