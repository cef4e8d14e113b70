// Package issuer revokes an external identity provider to the end: one call of
// RevokeExternalIssuer ends as many sessions as it has time for, and has to be
// repeated.
package issuer

import (
	"context"
	"errors"
	"fmt"
	"io"

	"google.golang.org/grpc"

	"github.com/curfew-platform/curfew/cmd/curfew/internal/operator"
	"github.com/curfew-platform/curfew/pkg/lifecycle"
	authv1 "github.com/curfew-platform/curfew/proto/gen/curfew/auth/v1"
)

// Flags of `curfew revoke-issuer`. The variables are those that `curfew dev`
// exports.
type Flags struct {
	operator.Flags

	Issuer       string `arg:"" help:"iss of its tokens, byte for byte."`
	AuthAddr     string `env:"CURFEW_AUTH_ADDR" required:"" help:"Address of a replica of services/auth." placeholder:"HOST:PORT"`
	AllowMissing bool   `help:"Do it also if auth knows nothing of the issuer, for services that verify its tokens themselves."`
}

// Main revokes the issuer, says on stdout how far it is, and returns the exit
// status: 0 if and only if the whole is done and in force everywhere.
func Main(flags *Flags, stdout, stderr io.Writer) int {
	group, err := lifecycle.New(lifecycle.WithReportWriter(io.Discard))
	if err == nil {
		err = flags.run(group, stdout)
	}
	if err != nil {
		fmt.Fprintln(stderr, "curfew revoke-issuer:", err)
	}
	return lifecycle.ExitCode(err)
}

func (f *Flags) run(group *lifecycle.Group, stdout io.Writer) error {
	// Every answer counts, so none is swallowed by a retry below.
	conn, err := f.Dial(f.AuthAddr, grpc.WithDisableRetry())
	if err != nil {
		return &lifecycle.UsageError{Err: err}
	}
	defer func() { _ = conn.Close() }()
	r := revocation{flags: f, admin: authv1.NewUserAdminServiceClient(conn), out: stdout}
	var last error
	group.Go("revocation", func(ctx context.Context) error {
		last = r.finish(ctx)
		group.Shutdown(nil)
		return nil
	})
	return errors.Join(group.Run(context.Background()), last)
}
