package faults

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"sync"
	"time"

	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	"github.com/curfew-platform/curfew/e2e/faults/history"
	"github.com/curfew-platform/curfew/e2e/stand"
	authv1 "github.com/curfew-platform/curfew/proto/gen/curfew/auth/v1"
	revocationv1 "github.com/curfew-platform/curfew/proto/gen/curfew/revocation/v1"
)

// Tally is what clients did and saw.
type Tally struct {
	Tokens, Revocations, Unknown   int // unknown: revoking calls without an outcome
	Admitted, Refused, Unavailable int // calls
	Ticks                          int // of streams
	// Longest is the longest wait of a receipt.
	Longest time.Duration
	// Wrong are the histories that break the guarantee.
	Wrong []error
}

// Clients log in, call, stream and revoke.
type Clients struct {
	installation *Installation

	mu    sync.Mutex
	tally Tally
	admin string // access token of the administrator
}

// NewClients returns the clients of an installation.
func NewClients(ctx context.Context, i *Installation) (*Clients, error) {
	r, err := authv1.NewAuthServiceClient(i.Auths[0].Conn).Login(ctx, &authv1.LoginRequest{Email: i.secrets.admin.Email, Password: i.secrets.admin.Password})
	if err != nil {
		return nil, fmt.Errorf("administrator: %w", err)
	}
	return &Clients{installation: i, admin: r.GetAccessToken()}, nil
}

// Tally returns what there is so far.
func (c *Clients) Tally() Tally {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.tally
}

func (c *Clients) count(change func(*Tally)) {
	c.mu.Lock()
	defer c.mu.Unlock()
	change(&c.tally)
}

// Time limits of a client.
const (
	callLimit   = 2 * time.Second
	loginLimit  = 3 * time.Second
	revokeLimit = 9 * time.Second
)

// Run lets the users log in, call, stream and revoke until ctx ends. Their last
// rounds are finished all the same.
func (c *Clients) Run(ctx context.Context, users []stand.User) {
	var running sync.WaitGroup
	for _, u := range users {
		running.Go(func() {
			for ctx.Err() == nil {
				if session, ok := c.login(ctx, u); ok {
					c.round(context.WithoutCancel(ctx), session)
				}
			}
		})
	}
	running.Wait()
}

// Register makes n users.
func (c *Clients) Register(ctx context.Context, n int) ([]stand.User, error) {
	users := make([]stand.User, n)
	for i := range users {
		var err error
		if users[i], err = c.register(ctx); err != nil {
			return nil, err
		}
	}
	return users, nil
}

// Round is the life of one session.
func (c *Clients) Round(ctx context.Context) error {
	u, err := c.register(ctx)
	if err != nil {
		return err
	}
	session, ok := c.login(ctx, u)
	if !ok {
		return errors.New("login failed")
	}
	c.round(ctx, session)
	return nil
}

// round uses and ends one session, and judges what was seen of its token.
func (c *Clients) round(ctx context.Context, session *authv1.LoginResponse) {
	h := &history.Token{}
	token := session.GetAccessToken()
	using, stop := context.WithCancel(stand.Bearer(ctx, token))
	var users sync.WaitGroup
	for range 3 {
		users.Go(func() {
			for using.Err() == nil {
				c.look(using, anyOf(c.installation.Replicas), h)
				pause(using, time.Duration(rand.IntN(10))*time.Millisecond)
			}
		})
	}
	for range 2 {
		users.Go(func() { c.follow(using, anyOf(c.installation.Replicas), h) })
	}
	pause(ctx, time.Duration(100+rand.IntN(300))*time.Millisecond)
	c.revoke(ctx, session, h)
	// The guarantee is about every replica at this moment, and about one that
	// stands still when it wakes up: these calls are waited for.
	var all sync.WaitGroup
	for _, s := range c.installation.Replicas {
		all.Go(func() { c.look(stand.Bearer(ctx, token), s, h) })
	}
	pause(ctx, time.Duration(50+rand.IntN(200))*time.Millisecond)
	stop()
	users.Wait()
	all.Wait()
	err := h.Check()
	c.count(func(t *Tally) {
		t.Tokens++
		t.Admitted += h.Count(history.Admitted)
		t.Refused += h.Count(history.Refused)
		if err != nil {
			t.Wrong = append(t.Wrong, err)
		}
	})
}

// register makes a user.
func (c *Clients) register(ctx context.Context) (stand.User, error) {
	auth := &stand.Auth{Auth: authv1.NewAuthServiceClient(anyOf(c.installation.Auths).Conn)}
	return auth.Register(ctx)
}

func (c *Clients) login(ctx context.Context, u stand.User) (*authv1.LoginResponse, bool) {
	call, cancel := context.WithTimeout(ctx, loginLimit)
	defer cancel()
	r, err := authv1.NewAuthServiceClient(c.likely().Conn).Login(call, &authv1.LoginRequest{Email: u.Email, Password: u.Password})
	if err != nil {
		pause(ctx, 100*time.Millisecond)
		return nil, false
	}
	return r, true
}

// likely is a server that nothing is wrong with, most of the time.
func (c *Clients) likely() *Server {
	s := anyOf(c.installation.Auths)
	for tries := 0; s.faultCount()%2 == 1 && tries < 2; tries++ {
		s = anyOf(c.installation.Auths)
	}
	return s
}

// revoke ends the session in one of three ways.
func (c *Clients) revoke(ctx context.Context, session *authv1.LoginResponse, h *history.Token) {
	server := c.likely()
	caller := stand.Bearer(ctx, session.GetAccessToken())
	call, cancel := context.WithTimeout(caller, revokeLimit)
	defer cancel()
	before := server.faultCount()
	start := time.Now()
	receipt, err := end(call, server, session)
	if stand.Reason(err) == "REVOCATION_PENDING" {
		receipt, err = c.await(ctx, err)
	}
	switch {
	case err == nil:
		h.Revoked(start, time.Now())
		undisturbed := before%2 == 0 && server.faultCount() == before
		c.count(func(t *Tally) {
			t.Revocations++
			if undisturbed {
				t.Longest = max(t.Longest, receipt.GetWaited().AsDuration())
			}
		})
	default:
		h.MayBeRevoked(start)
		c.count(func(t *Tally) { t.Unknown++ })
	}
}

func end(ctx context.Context, server *Server, session *authv1.LoginResponse) (*revocationv1.Receipt, error) {
	if rand.IntN(2) == 0 {
		r, err := authv1.NewAuthServiceClient(server.Conn).Logout(ctx, &authv1.LogoutRequest{})
		return r.GetRevocation(), err
	}
	r, err := authv1.NewAccountServiceClient(server.Conn).RevokeSession(ctx, &authv1.RevokeSessionRequest{Name: session.GetSession()})
	return r.GetRevocation(), err
}

// await waits for a revocation that is committed, at whichever server answers.
func (c *Clients) await(ctx context.Context, pending error) (*revocationv1.Receipt, error) {
	seq, err := sequence(pending)
	for tries := 0; err == nil && tries < 3; tries++ {
		call, cancel := context.WithTimeout(stand.Bearer(ctx, c.admin), revokeLimit)
		var r *revocationv1.AwaitRevocationResponse
		r, err = revocationv1.NewRevocationServiceClient(anyOf(c.installation.Auths).Conn).AwaitRevocation(call, &revocationv1.AwaitRevocationRequest{Seq: seq})
		cancel()
		if err == nil {
			return r.GetRevocation(), nil
		}
	}
	return nil, err
}

// judge notes what a call came to.
func (c *Clients) judge(err error, process string, start time.Time, h *history.Token) {
	switch {
	case err == nil:
		h.Saw(history.Admitted, process, start, time.Now())
	case stand.Reason(err) == "TOKEN_REVOKED":
		h.Saw(history.Refused, process, start, time.Now())
	case status.Code(err) == codes.Unavailable:
		c.count(func(t *Tally) { t.Unavailable++ })
	}
}

// Session logs somebody new in, however often that takes until ctx ends, and
// returns a context for calls with the token.
func (c *Clients) Session(ctx context.Context) (context.Context, error) {
	for {
		u, err := c.register(ctx)
		if err == nil {
			if session, ok := c.login(ctx, u); ok {
				return stand.Bearer(ctx, session.GetAccessToken()), nil
			}
		}
		if ctx.Err() != nil {
			return nil, errors.Join(context.Cause(ctx), err)
		}
		pause(ctx, 50*time.Millisecond)
	}
}
