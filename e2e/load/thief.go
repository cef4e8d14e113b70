package load

import (
	"context"
	"fmt"
	"math/rand/v2"
	"sync"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/backoff"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	"github.com/curfew-platform/curfew/e2e/stand"
	authv1 "github.com/curfew-platform/curfew/proto/gen/curfew/auth/v1"
	logprocv1 "github.com/curfew-platform/curfew/proto/gen/curfew/logproc/v1"
	ordersv1 "github.com/curfew-platform/curfew/proto/gen/curfew/orders/v1"
)

const (
	// askLimit bounds one question to one replica.
	askLimit = 2 * time.Second
	// revokeLimit is above what a replica that died holding a lease can cost.
	revokeLimit = 20 * time.Second
	// mostEnded bounds the ended tokens that are tried again and again; they stay good in their own eyes for minutes.
	mostEnded = 256
	oldPause  = 20 * time.Millisecond
)

// thefts are the tokens that ended.
type thefts struct {
	mutex sync.Mutex
	ended []theft // the last mostEnded
	next  int
}

type theft struct {
	user, token string
	at          time.Time // when the call that ended it had returned
}

// witness is a replica that is asked by its own name.
type witness struct {
	name string
	conn *grpc.ClientConn
	ask  func(ctx context.Context, user string) error
}

// witnesses connects to every replica by its own name. Nothing is repeated here.
func (l *Load) witnesses() ([]*witness, error) {
	var all []*witness
	add := func(targets []string, ask func(*grpc.ClientConn) func(context.Context, string) error) error {
		for _, target := range targets {
			conn, err := dial(target, grpc.WithDisableRetry(), grpc.WithConnectParams(grpc.ConnectParams{
				Backoff:           backoff.Config{BaseDelay: 50 * time.Millisecond, Multiplier: 1.5, MaxDelay: 500 * time.Millisecond},
				MinConnectTimeout: time.Second,
			}))
			if err != nil {
				return err
			}
			all = append(all, &witness{name: target, conn: conn, ask: ask(conn)})
		}
		return nil
	}
	r := l.config.Replicas
	if err := add(r.Auth, func(conn *grpc.ClientConn) func(context.Context, string) error {
		client := authv1.NewAccountServiceClient(conn)
		return func(ctx context.Context, _ string) error {
			_, err := client.GetMe(ctx, &authv1.GetMeRequest{})
			return err
		}
	}); err != nil {
		return nil, err
	}
	if err := add(r.Orders, func(conn *grpc.ClientConn) func(context.Context, string) error {
		client := ordersv1.NewOrderQueryServiceClient(conn)
		return func(ctx context.Context, user string) error {
			_, err := client.ListOrders(ctx, &ordersv1.ListOrdersRequest{Parent: user})
			return err
		}
	}); err != nil {
		return nil, err
	}
	return all, add(r.Logproc, func(conn *grpc.ClientConn) func(context.Context, string) error {
		client := logprocv1.NewPipelineServiceClient(conn)
		return func(ctx context.Context, _ string) error {
			_, err := client.GetStatus(ctx, &logprocv1.GetStatusRequest{})
			return err
		}
	})
}

// steal logs somebody in, has the token end, and tries it at every replica,
// until ctx ends.
func (l *Load) steal(ctx, finish context.Context, auth *stand.Auth, witnesses []*witness) {
	var user stand.User
	for n := 0; pause(ctx, l.config.ThiefPause); n++ {
		var err error
		if user.Name == "" {
			err = patiently(finish, func(ctx context.Context) (err error) {
				user, err = auth.Register(ctx)
				return err
			})
		}
		var s session
		if err == nil {
			s, err = login(finish, auth, user)
		}
		if err != nil {
			continue // Nothing was stolen.
		}
		l.end(finish, auth, &user, s, n)
		l.askAll(finish, witnesses)
	}
}

// end ends the token in one of four ways and notes when that had returned.
func (l *Load) end(ctx context.Context, auth *stand.Auth, user *stand.User, s session, n int) {
	call, cancel := context.WithTimeout(ctx, revokeLimit)
	defer cancel()
	name, start := user.Name, time.Now()
	var err error
	switch owner := stand.Bearer(call, s.access); n % 4 {
	case 0:
		_, err = auth.Auth.Logout(owner, &authv1.LogoutRequest{})
	case 1:
		_, err = auth.Account.RevokeSession(owner, &authv1.RevokeSessionRequest{Name: s.name})
	case 2:
		next := "changed " + user.Password
		_, err = auth.Account.ChangePassword(owner, &authv1.ChangePasswordRequest{CurrentPassword: user.Password, NewPassword: next[:min(len(next), 60)]})
		*user = stand.User{} // Who knows which password it is, if the call failed.
	case 3:
		_, err = auth.Users.DeactivateUser(stand.Bearer(call, l.admin), &authv1.DeactivateUserRequest{Name: user.Name})
		*user = stand.User{}
	}
	at := time.Now()
	if err != nil {
		// Perhaps it has ended, perhaps not: nothing follows for anybody.
		l.note(func(v *Verdict) { v.Pending++ })
		return
	}
	l.note(func(v *Verdict) {
		v.Revocations++
		v.LongestMS = max(v.LongestMS, at.Sub(start).Milliseconds())
	})
	l.mutex.Lock()
	defer l.mutex.Unlock()
	t := theft{user: name, token: s.access, at: at}
	if len(l.ended) < mostEnded {
		l.ended = append(l.ended, t)
		return
	}
	l.ended[l.next] = t
	l.next = (l.next + 1) % mostEnded
}

// askAll tries the token that ended last at every replica.
func (l *Load) askAll(ctx context.Context, witnesses []*witness) {
	l.mutex.Lock()
	if len(l.ended) == 0 {
		l.mutex.Unlock()
		return
	}
	last := l.ended[(l.next+len(l.ended)-1)%len(l.ended)]
	l.mutex.Unlock()
	var asked sync.WaitGroup
	for _, w := range witnesses {
		asked.Go(func() { l.ask(ctx, w, last) })
	}
	asked.Wait()
}

// tryOld tries tokens that ended earlier at replicas that may have started since.
func (l *Load) tryOld(ctx, finish context.Context, witnesses []*witness) {
	for pause(ctx, oldPause) {
		l.mutex.Lock()
		var t theft
		if n := len(l.ended); n > 0 {
			t = l.ended[rand.IntN(n)]
		}
		l.mutex.Unlock()
		if t.token != "" && len(witnesses) > 0 {
			l.ask(finish, witnesses[rand.IntN(len(witnesses))], t)
		}
	}
}

// ask is the oracle: a replica that lets an ended token in, if only to say that
// it may not do this, leaks.
func (l *Load) ask(ctx context.Context, w *witness, t theft) {
	ctx, cancel := context.WithTimeout(stand.Bearer(ctx, t.token), askLimit)
	defer cancel()
	err := w.ask(ctx, t.user)
	l.note(func(v *Verdict) {
		switch code := status.Code(err); {
		case code == codes.Unauthenticated:
			v.Checks++
		case code == codes.OK, code == codes.PermissionDenied, code == codes.NotFound:
			v.Checks++
			v.Leaks++
			v.LeakSamples = sample(v.LeakSamples, fmt.Sprintf("%s admitted a token %v after it had ended: %v", w.name, time.Since(t.at).Round(time.Millisecond), code))
		default:
			v.Unreachable++
		}
	})
}
