// Package operator is how an operator's commands reach services/auth: over TLS,
// with an access token from a file.
package operator

import (
	"context"
	"fmt"
	"os"
	"strings"

	"google.golang.org/grpc"
	"google.golang.org/grpc/metadata"

	"github.com/curfew-platform/curfew/pkg/interceptors/certfile"
	"github.com/curfew-platform/curfew/pkg/interceptors/creds"
)

// Flags are to be embedded in those of a command. The variable is one that
// `curfew dev` exports.
type Flags struct {
	AuthTLSCA     string `name:"auth-tls-ca" help:"Certificates that services/auth must chain to (PEM); empty is plaintext, on loopback only." type:"path"`
	AuthTLSCert   string `name:"auth-tls-cert" help:"Certificate chain that is shown to services/auth (PEM), if it demands one." type:"path"`
	AuthTLSKey    string `name:"auth-tls-key" help:"Private key of that certificate (PEM)." type:"path"`
	AuthPlaintext bool   `help:"Allow plaintext to services/auth on other hosts than this."`
	TokenFile     string `env:"CURFEW_ADMIN_TOKEN_FILE" required:"" help:"File with the access token of an operator; it is read again before each call." type:"path"`
}

// Dial returns a lazy connection to one replica.
func (f *Flags) Dial(address string, more ...grpc.DialOption) (*grpc.ClientConn, error) {
	target := creds.Target{Address: strings.TrimSpace(address), Plaintext: f.AuthPlaintext}
	if paths := (certfile.Paths{Cert: f.AuthTLSCert, Key: f.AuthTLSKey, CA: f.AuthTLSCA}); paths != (certfile.Paths{}) {
		files, err := certfile.Open(paths, nil)
		if err != nil {
			return nil, fmt.Errorf("--auth-tls-ca, --auth-tls-cert and --auth-tls-key: %w", err)
		}
		target.Files = files
	}
	conn, err := creds.Dial(target, nil, more...)
	switch {
	case err == nil:
		return conn, nil
	case target.Files == nil && !f.AuthPlaintext:
		return nil, fmt.Errorf("--auth-addr, without --auth-tls-ca and --auth-plaintext: %w", err)
	default:
		return nil, fmt.Errorf("--auth-addr: %w", err)
	}
}

// Bearer returns ctx with the token as it is now.
func (f *Flags) Bearer(ctx context.Context) (context.Context, error) {
	raw, err := os.ReadFile(f.TokenFile)
	if err != nil {
		return nil, fmt.Errorf("read the token: %w", err)
	}
	return metadata.AppendToOutgoingContext(ctx, "authorization", "Bearer "+strings.TrimSpace(string(raw))), nil
}
