package issuer

import (
	"context"
	"errors"
	"fmt"
	"io"
	"strconv"
	"time"

	"google.golang.org/genproto/googleapis/rpc/errdetails"
	"google.golang.org/grpc/codes"
	grpcstatus "google.golang.org/grpc/status"

	"github.com/curfew-platform/curfew/pkg/interceptors/status"
	authv1 "github.com/curfew-platform/curfew/proto/gen/curfew/auth/v1"
)

const (
	// callLimit bounds one call: what auth gives itself to commit, and to wait
	// until every replica knows it.
	callLimit = 20 * time.Second
	// pause is before the next call, if the answer names no other one.
	pause = time.Second
	// patience is how long nothing may be ended before this gives up.
	patience = 2 * time.Minute
)

// Answers that say how far the revocation is.
const (
	unfinished = "EXTERNAL_ISSUER_UNFINISHED"
	pending    = "REVOCATION_PENDING"
)

var (
	errInterrupted = errors.New("interrupted")
	errStuck       = fmt.Errorf("no progress for %v", patience)
)

// revocation is one, which takes several calls.
type revocation struct {
	flags *Flags
	admin authv1.UserAdminServiceClient
	out   io.Writer

	refused bool  // a call has said that the issuer is
	ended   int64 // sessions, as the calls that were answered have said
	unheard bool  // a call may have ended sessions and did not say how many
	said    string
}

// finish calls until the whole is done. The error says what is in force.
func (r *revocation) finish(ctx context.Context) error {
	for progress := time.Now(); ; {
		done, err := r.call(ctx)
		if err == nil {
			r.report(done)
			return nil
		}
		if ctx.Err() != nil {
			r.unheard = true
			return r.left(errInterrupted)
		}
		if !r.note(err) {
			return r.left(err)
		}
		if moved(err) > 0 {
			progress = time.Now()
		} else if time.Since(progress) > patience {
			return r.left(fmt.Errorf("%w: %w", errStuck, err))
		}
		select {
		case <-time.After(wait(err)):
		case <-ctx.Done():
			return r.left(errInterrupted)
		}
	}
}

func (r *revocation) call(ctx context.Context) (*authv1.RevokeExternalIssuerResponse, error) {
	ctx, err := r.flags.Bearer(ctx)
	if err != nil {
		return nil, err
	}
	ctx, cancel := context.WithTimeout(ctx, callLimit)
	defer cancel()
	done, err := r.admin.RevokeExternalIssuer(ctx, &authv1.RevokeExternalIssuerRequest{Issuer: r.flags.Issuer, AllowMissing: r.flags.AllowMissing})
	return done, err
}

// note takes down what an answer says and tells whether the call is to be
// repeated: it is harmless, and everything else is no outage.
func (r *revocation) note(err error) bool {
	line := message(err) + "; trying again"
	switch status.Reason(err) {
	case unfinished:
		r.refused = true
		r.ended += moved(err)
		line = fmt.Sprintf("%d sessions ended so far", r.ended)
	case pending:
		r.refused, r.unheard = true, true
		line = "all sessions are ended; waiting until every replica knows, " + info(err)["in_force_by"] + " at the latest"
	default:
		switch status.Code(err) {
		case codes.Unavailable, codes.DeadlineExceeded, codes.Aborted, codes.ResourceExhausted:
			r.unheard = true
		default:
			return false
		}
	}
	if line != r.said {
		fmt.Fprintln(r.out, line)
	}
	r.said = line
	return true
}

// left says what is in force after an end before the end.
func (r *revocation) left(err error) error {
	cause := message(err)
	switch {
	case r.refused:
		return fmt.Errorf("%s: %s is refused, no token of it is exchanged, and %s; OTHERS MAY LIVE until this is run again to its end",
			cause, r.flags.Issuer, r.sum())
	case r.unheard:
		return fmt.Errorf("%s: IT IS NOT KNOWN whether %s is refused and whether sessions are ended; run this again", cause, r.flags.Issuer)
	default:
		return fmt.Errorf("%s: nothing of %s is revoked by this", cause, r.flags.Issuer)
	}
}

func (r *revocation) report(done *authv1.RevokeExternalIssuerResponse) {
	r.ended += done.GetEnded()
	i := done.GetExternalIssuer()
	fmt.Fprintf(r.out, "done: %s is refused since %s, its own tokens until %s; %s, in force at every replica\n", r.flags.Issuer,
		i.GetRevokeTime().AsTime().Format(time.RFC3339), i.GetRefuseUntil().AsTime().Format(time.RFC3339), r.sum())
}

// sum is how many sessions were ended by this run.
func (r *revocation) sum() string {
	if r.unheard {
		return fmt.Sprintf("at least %d sessions are ended", r.ended)
	}
	return fmt.Sprintf("%d sessions are ended", r.ended)
}

// moved is how many sessions the call has ended that failed.
func moved(err error) int64 {
	n, _ := strconv.ParseInt(info(err)["ended"], 10, 64) // 0 if it does not say
	return n
}

func info(err error) map[string]string { return status.Info(err).GetMetadata() }

// wait is how long the server asks to wait.
func wait(err error) time.Duration {
	if asked := status.Detail[*errdetails.RetryInfo](err); asked != nil {
		return asked.GetRetryDelay().AsDuration()
	}
	return pause
}

// message is what is said of an error, for people.
func message(err error) string {
	if s, ok := grpcstatus.FromError(err); ok {
		return s.Message()
	}
	return err.Error()
}
