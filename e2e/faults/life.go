package faults

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"sync"
	"time"

	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/types/known/emptypb"
	"google.golang.org/protobuf/types/known/timestamppb"

	"github.com/curfew-platform/curfew/e2e/faults/history"
	"github.com/curfew-platform/curfew/e2e/faults/replica"
	"github.com/curfew-platform/curfew/e2e/stand"
	authv1 "github.com/curfew-platform/curfew/proto/gen/curfew/auth/v1"
	revocationv1 "github.com/curfew-platform/curfew/proto/gen/curfew/revocation/v1"
)

// Life is that of one access token, and what was seen of it.
type Life struct {
	clients *Clients
	user    *user
	token   string
	history history.Token
}

// Revoking is a way to revoke the token of a life. It returns after the commit
// and the wait for all replicas.
type Revoking func(ctx context.Context, server *Server, l *Life) (*revocationv1.Receipt, error)

// The ways to revoke.
var (
	// Logout ends the session by its own token.
	Logout Revoking = func(ctx context.Context, server *Server, l *Life) (*revocationv1.Receipt, error) {
		r, err := authv1.NewAuthServiceClient(server.Conn).Logout(stand.Bearer(ctx, l.token), &authv1.LogoutRequest{})
		return r.GetRevocation(), err
	}
	// EndSession ends the session by its name.
	EndSession Revoking = func(ctx context.Context, server *Server, l *Life) (*revocationv1.Receipt, error) {
		r, err := authv1.NewAccountServiceClient(server.Conn).RevokeSession(stand.Bearer(ctx, l.token), &authv1.RevokeSessionRequest{Name: l.user.session})
		return r.GetRevocation(), err
	}
	// ChangeRoles ends all tokens of the user, and no session.
	ChangeRoles Revoking = func(ctx context.Context, server *Server, l *Life) (*revocationv1.Receipt, error) {
		admin, err := l.clients.adminToken(ctx)
		if err != nil {
			return nil, err
		}
		begun := l.user.revokes()
		r, err := authv1.NewUserAdminServiceClient(server.Conn).SetUserRoles(stand.Bearer(ctx, admin), &authv1.SetUserRolesRequest{
			Name: l.user.name, Roles: []string{"customer"},
		})
		if err == nil || refused(err) {
			l.user.revoked(begun) // else it may yet happen
		}
		return r.GetRevocation(), err
	}
)

// Context carries the token.
func (l *Life) Context(ctx context.Context) context.Context { return stand.Bearer(ctx, l.token) }

// Look calls a replica once and notes what it said.
func (l *Life) Look(ctx context.Context, s *Server) error {
	before, start := s.Process(), time.Now()
	err := Look(l.Context(ctx), s)
	process := ""
	if s.Process() == before {
		process = before
	}
	l.judge(err, process, start)
	return err
}

// LookAtAll calls every replica at once and waits for each, as long as limit.
func (l *Life) LookAtAll(ctx context.Context, limit time.Duration) {
	ctx, cancel := context.WithTimeout(ctx, limit)
	defer cancel()
	var all sync.WaitGroup
	for _, s := range l.clients.installation.Replicas {
		all.Go(func() { _ = l.Look(ctx, s) })
	}
	all.Wait()
}

// Look calls a replica once.
func Look(ctx context.Context, s *Server) error { return Call(ctx, s, replica.Look) }

// Call makes a call of a method of package replica.
func Call(ctx context.Context, s *Server, method string) error {
	return s.Conn.Invoke(ctx, method, &emptypb.Empty{}, &timestamppb.Timestamp{})
}

// Follow reads a stream to its end. Each message is a moment at which the
// handler ran and would have been let do its work.
func (l *Life) Follow(ctx context.Context, s *Server) {
	process := s.Process()
	stream, err := s.Conn.NewStream(l.Context(ctx), &replica.FollowDesc, replica.Follow)
	if err != nil {
		return
	}
	if stream.SendMsg(&emptypb.Empty{}) != nil || stream.CloseSend() != nil {
		return
	}
	started := false
	for {
		moment := &timestamppb.Timestamp{}
		start := time.Now()
		err := stream.RecvMsg(moment)
		if err != nil {
			l.judge(err, process, start)
			return
		}
		if !started && s.Process() != process {
			process = "" // whichever it is, it stays
		}
		started = true
		l.history.Saw(history.Admitted, process, moment.AsTime(), time.Now())
		l.clients.count(func(t *Tally) { t.Ticks++ })
	}
}

// judge notes what a call came to.
func (l *Life) judge(err error, process string, start time.Time) {
	switch {
	case err == nil:
		l.history.Saw(history.Admitted, process, start, time.Now())
	case stand.Reason(err) == "TOKEN_REVOKED":
		l.history.Saw(history.Refused, process, start, time.Now())
	case status.Code(err) == codes.Unavailable:
		l.clients.count(func(t *Tally) { t.Unavailable++ })
	}
}

// errUndone says that a revoking call has certainly done nothing.
var errUndone = errors.New("nothing was revoked")

// Revoke revokes the token, and notes the outcome.
func (l *Life) Revoke(ctx context.Context, server *Server, how Revoking) (*revocationv1.Receipt, error) {
	c := l.clients
	call, cancel := context.WithTimeout(ctx, revokeLimit)
	defer cancel()
	before, starved := server.faultCount(), c.installation.Starved()
	start := time.Now()
	receipt, err := how(call, server, l)
	if stand.Reason(err) == "REVOCATION_PENDING" {
		receipt, err = c.await(ctx, err)
	}
	if refused(err) {
		return nil, fmt.Errorf("%w: %w", errUndone, err)
	}
	if err != nil {
		l.history.MayBeRevoked(start)
		c.count(func(t *Tally) {
			t.Unknown++
			if t.Reasons == nil {
				t.Reasons = map[string]int{}
			}
			t.Reasons[reason(err)]++
		})
		return nil, fmt.Errorf("revoke at %s: %w", server.Name, err)
	}
	l.history.Revoked(start, time.Now())
	undisturbed := before%2 == 0 && server.faultCount() == before
	c.count(func(t *Tally) {
		t.Revocations++
		if undisturbed {
			t.Longest = max(t.Longest, receipt.GetWaited().AsDuration()-(c.installation.Starved()-starved))
		}
	})
	return receipt, nil
}

// refused says whether a call ended before it did anything: in the chain of a
// server that knows no revocations now, or for want of a place.
func refused(err error) bool {
	reason := stand.Reason(err)
	return errors.Is(err, errUndone) || reason == "REVOCATION_UNKNOWN" || reason == "BUSY"
}

// reason says in a word why a call failed.
func reason(err error) string {
	return cmp.Or(stand.Reason(err), status.Code(err).String())
}

// Judge returns what is wrong with the history, and counts it.
func (l *Life) Judge() error {
	l.user.judged(l)
	err := l.history.Check()
	l.clients.count(func(t *Tally) {
		t.Tokens++
		t.Admitted += l.history.Count(history.Admitted)
		t.Refused += l.history.Count(history.Refused)
		if err != nil {
			t.Wrong = append(t.Wrong, err)
		}
	})
	return err
}

// live uses and revokes the token. What is left to be seen of it afterwards is
// seen and judged in the background, by one of seers.
func (l *Life) live(ctx context.Context, how Revoking, seers *sync.WaitGroup) {
	c := l.clients
	using, stop := context.WithCancel(ctx)
	var users sync.WaitGroup
	users.Go(func() {
		for using.Err() == nil {
			call, cancel := context.WithTimeout(using, callLimit)
			_ = l.Look(call, anyOf(c.installation.Replicas))
			cancel()
			pause(using, time.Duration(100+rand.IntN(500))*time.Millisecond)
		}
	})
	if rand.IntN(streamOneOf) == 0 {
		users.Go(func() { l.Follow(using, anyOf(c.installation.Replicas)) })
	}
	pause(ctx, time.Duration(rand.IntN(50))*time.Millisecond)
	_, err := l.Revoke(ctx, c.likely(), how)
	for tries := 0; errors.Is(err, errUndone) && tries < revokeTries; tries++ {
		pause(ctx, 100*time.Millisecond)
		_, err = l.Revoke(ctx, c.likely(), how)
	}
	seers.Go(func() {
		// The guarantee is about every replica at this moment, and about one that
		// stands still when it wakes up: these calls are waited for.
		l.LookAtAll(ctx, longestPause+callLimit)
		pause(ctx, time.Duration(rand.IntN(200))*time.Millisecond)
		stop()
		users.Wait()
		_ = l.Judge() // it is in the tally
	})
}

// Refresh tries once to get the next pair of the session.
func (l *Life) Refresh(ctx context.Context, server *Server) error {
	ctx, cancel := context.WithTimeout(ctx, loginLimit)
	defer cancel()
	return l.user.tryRefresh(ctx, server)
}

// AwaitRefresh gets the next pair of the session, however often that takes
// until ctx ends; a refusal ends it, for it logs the user out.
func (l *Life) AwaitRefresh(ctx context.Context) error {
	if !l.clients.refresh(ctx, l.user) {
		return errors.New("the session was not refreshed")
	}
	return nil
}
