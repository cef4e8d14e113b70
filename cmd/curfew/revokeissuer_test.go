package main

import (
	"bytes"
	"context"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/metadata"
	"google.golang.org/protobuf/types/known/timestamppb"

	"github.com/curfew-platform/curfew/pkg/interceptors/status"
	authv1 "github.com/curfew-platform/curfew/proto/gen/curfew/auth/v1"
)

const issuerName = "https://id.example.com"

// admin answers RevokeExternalIssuer with one answer after the other, and with
// the last one nobody until the caller is gone.
type admin struct {
	authv1.UnimplementedUserAdminServiceServer

	answers []func() (*authv1.RevokeExternalIssuerResponse, error)
	calls   atomic.Int32
	hangs   chan struct{}
}

func (a *admin) RevokeExternalIssuer(ctx context.Context, r *authv1.RevokeExternalIssuerRequest) (*authv1.RevokeExternalIssuerResponse, error) {
	sent, _ := metadata.FromIncomingContext(ctx)
	if r.GetIssuer() != issuerName || strings.Join(sent["authorization"], " ") != "Bearer opaque" {
		return nil, status.Plain(codes.Internal, fmt.Sprintf("the request is %v", r))
	}
	n := int(a.calls.Add(1))
	if n > len(a.answers) {
		close(a.hangs)
		<-ctx.Done()
		return nil, ctx.Err()
	}
	return a.answers[n-1]()
}

func ended(n int64) func() (*authv1.RevokeExternalIssuerResponse, error) {
	return func() (*authv1.RevokeExternalIssuerResponse, error) {
		at := time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)
		return &authv1.RevokeExternalIssuerResponse{Ended: n, ExternalIssuer: &authv1.ExternalIssuer{
			Issuer: issuerName, RevokeTime: timestamppb.New(at), RefuseUntil: timestamppb.New(at.AddDate(0, 0, 7)),
		}}, nil
	}
}

func fails(code codes.Code, reason authv1.ErrorReason, message string, info map[string]string) func() (*authv1.RevokeExternalIssuerResponse, error) {
	return func() (*authv1.RevokeExternalIssuerResponse, error) {
		return nil, status.NewWithMetadata(code, "auth.curfew.dev", reason, message, info, status.Retry(time.Millisecond))
	}
}

// revokeIssuer starts the command against such a server.
func revokeIssuer(t *testing.T, a *admin) (cmd *exec.Cmd, stdout, stderr *bytes.Buffer) {
	t.Helper()
	lis, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	a.hangs = make(chan struct{})
	server := grpc.NewServer()
	authv1.RegisterUserAdminServiceServer(server, a)
	served := make(chan error, 1)
	go func() { served <- server.Serve(lis) }()
	t.Cleanup(func() {
		server.Stop()
		if err := <-served; err != nil {
			t.Error(err)
		}
	})
	file := filepath.Join(t.TempDir(), "token")
	if err := os.WriteFile(file, []byte("opaque\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	t.Cleanup(cancel)
	cmd = exec.CommandContext(ctx, binary, "revoke-issuer", "--auth-addr", lis.Addr().String(), "--token-file", file, issuerName)
	stdout, stderr = &bytes.Buffer{}, &bytes.Buffer{}
	cmd.Stdout, cmd.Stderr = stdout, stderr
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	return cmd, stdout, stderr
}

func TestAnIssuerIsRevokedToTheEndOrItIsSaidWhatIsLeft(t *testing.T) {
	t.Parallel()
	goesOn := func(n string) func() (*authv1.RevokeExternalIssuerResponse, error) {
		return fails(codes.Unavailable, authv1.ErrorReason_ERROR_REASON_EXTERNAL_ISSUER_UNFINISHED, "repeat", map[string]string{"ended": n})
	}
	busy := fails(codes.Unavailable, authv1.ErrorReason_ERROR_REASON_BUSY, "too many wait", nil)
	late := fails(codes.DeadlineExceeded, authv1.ErrorReason_ERROR_REASON_REVOCATION_PENDING, "committed", map[string]string{"seq": "7", "in_force_by": "2026-01-02T03:04:10Z"})
	denied := fails(codes.PermissionDenied, authv1.ErrorReason_ERROR_REASON_USER_DEACTIVATED, "not you", nil)
	const done = "done: https://id.example.com is refused since 2026-01-02T03:04:05Z, its own tokens until 2026-01-09T03:04:05Z; "
	type answers = []func() (*authv1.RevokeExternalIssuerResponse, error)
	for name, c := range map[string]struct {
		answers     answers
		interrupted bool
		status      int
		out, err    string
	}{
		"one call is enough": {answers{ended(3)}, false, 0, done + "3 sessions are ended, in force at every replica\n", ""},
		"many sessions": {
			answers{goesOn("7000"), goesOn("6000"), ended(5)},
			false, 0,
			"7000 sessions ended so far\n13000 sessions ended so far\n" + done + "13005 sessions are ended, in force at every replica\n", "",
		},
		"a busy server": {
			answers{goesOn("7000"), busy, busy, ended(5)},
			false, 0,
			"7000 sessions ended so far\ntoo many wait; trying again\n" + done + "at least 7005 sessions are ended, in force at every replica\n", "",
		},
		"a replica that is slow to know": {
			answers{late, ended(0)},
			false, 0,
			"all sessions are ended; waiting until every replica knows, 2026-01-02T03:04:10Z at the latest\n" + done + "at least 0 sessions are ended, in force at every replica\n", "",
		},
		"somebody who may not": {answers{denied}, false, 1, "", "not you: nothing of https://id.example.com is revoked by this\n"},
		"somebody whose own session it was": {
			answers{goesOn("7000"), denied},
			false, 1, "7000 sessions ended so far\n",
			"not you: https://id.example.com is refused, no token of it is exchanged, and 7000 sessions are ended; OTHERS MAY LIVE until this is run again to its end\n",
		},
		"interrupted at once": {nil, true, 1, "", "interrupted: IT IS NOT KNOWN whether https://id.example.com is refused and whether sessions are ended; run this again\n"},
		"interrupted later": {
			answers{goesOn("7000")},
			true, 1, "7000 sessions ended so far\n",
			"interrupted: https://id.example.com is refused, no token of it is exchanged, and at least 7000 sessions are ended; OTHERS MAY LIVE until this is run again to its end\n",
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			a := &admin{answers: c.answers}
			cmd, stdout, stderr := revokeIssuer(t, a)
			if c.interrupted {
				<-a.hangs
				if err := cmd.Process.Signal(syscall.SIGINT); err != nil {
					t.Fatal(err)
				}
			}
			_ = cmd.Wait() // its exit status says more
			want := ""
			if c.err != "" {
				want = "curfew revoke-issuer: " + c.err
			}
			if got := cmd.ProcessState.ExitCode(); got != c.status || stdout.String() != c.out || stderr.String() != want {
				t.Errorf("exit status %d\n%s\n%s", got, stdout.String(), stderr.String())
			}
			if got := int(a.calls.Load()); !c.interrupted && got != len(c.answers) {
				t.Errorf("%d calls", got)
			}
		})
	}
}
