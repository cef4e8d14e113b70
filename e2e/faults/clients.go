package faults

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"strconv"
	"sync"
	"time"

	"google.golang.org/genproto/googleapis/rpc/errdetails"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	"github.com/curfew-platform/curfew/e2e/stand"
	authv1 "github.com/curfew-platform/curfew/proto/gen/curfew/auth/v1"
	revocationv1 "github.com/curfew-platform/curfew/proto/gen/curfew/revocation/v1"
)

// Tally is what clients did and saw.
type Tally struct {
	Tokens, Revocations, Unknown   int // unknown: revoking calls without an outcome
	Admitted, Refused, Unavailable int // calls
	Ticks                          int // of streams
	Refreshed, LoggedOut           int // logged out: refreshes that were refused while the session lived
	// Reasons says why revoking calls had no outcome.
	Reasons map[string]int
	// Longest is the longest wait of a receipt, without the time in which the
	// machine was starved.
	Longest time.Duration
	// Wrong are the histories that break the guarantee.
	Wrong []error
}

// Clients log in, call, stream and revoke.
type Clients struct {
	installation *Installation

	renewing chan struct{} // holds one element while the administrator logs in

	mu    sync.Mutex
	tally Tally
	token string    // access token of the administrator
	since time.Time // when it was made
}

// NewClients returns the clients of an installation.
func NewClients(ctx context.Context, i *Installation) (*Clients, error) {
	c := &Clients{installation: i, renewing: make(chan struct{}, 1)}
	ctx, cancel := context.WithTimeout(ctx, refreshLimit)
	defer cancel()
	_, err := c.adminToken(ctx)
	for err != nil && ctx.Err() == nil { // a server may have just started
		pause(ctx, 50*time.Millisecond)
		_, err = c.adminToken(ctx)
	}
	return c, err
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

// What clients do.
const (
	callLimit    = 2 * time.Second
	loginLimit   = 5 * time.Second
	revokeLimit  = 9 * time.Second
	refreshLimit = 20 * time.Second // with all tries
	revokeTries  = 20

	// pipeline is how many tokens of one user are being revoked at a time.
	pipeline = 5
	// endOneOf sessions ends with the token, and one of streamOneOf tokens has
	// a stream.
	endOneOf, streamOneOf = 40, 4
	adminLife             = 2 * time.Minute
)

// Run lets the users log in, call, stream and revoke until ctx ends. What they
// have begun is finished all the same.
func (c *Clients) Run(ctx context.Context, users []stand.User) {
	var running sync.WaitGroup
	for _, u := range users {
		running.Go(func() {
			for ctx.Err() == nil {
				if session, ok := c.login(ctx, u); ok {
					c.use(ctx, session)
				}
			}
		})
	}
	running.Wait()
}

// use takes one token of the session after the other and revokes each, several
// at a time, until the session ends.
func (c *Clients) use(ctx context.Context, u *user) {
	var lives, seers sync.WaitGroup
	defer seers.Wait()
	defer lives.Wait()
	places := make(chan struct{}, pipeline)
	finish := context.WithoutCancel(ctx)
	l := u.life(c)
	for ctx.Err() == nil {
		if rand.IntN(endOneOf) == 0 {
			lives.Wait() // a revocation of the user would end this token too early
			if l = c.refreshed(ctx, u); l == nil {
				return
			}
			l.live(finish, []Revoking{Logout, EndSession}[rand.IntN(2)], &seers)
			return
		}
		select {
		case places <- struct{}{}:
		case <-ctx.Done():
			return
		}
		one := l
		lives.Go(func() {
			one.live(finish, ChangeRoles, &seers)
			<-places
		})
		if l = c.refreshed(ctx, u); l == nil {
			return
		}
	}
}

// refreshed gets the next token of the session, nil if there is none.
func (c *Clients) refreshed(ctx context.Context, u *user) *Life {
	l := u.life(c)
	if !c.refresh(ctx, u) {
		u.judged(l) // there is nothing to judge
		return nil
	}
	l.token = u.access
	return l
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

// register makes a user.
func (c *Clients) register(ctx context.Context) (stand.User, error) {
	auth := &stand.Auth{Auth: authv1.NewAuthServiceClient(anyOf(c.installation.Auths).Conn)}
	return auth.Register(ctx)
}

// Token logs somebody new in, however often that takes until ctx ends.
func (c *Clients) Token(ctx context.Context) (*Life, error) {
	for {
		someone, err := c.register(ctx)
		if err == nil {
			if u, ok := c.login(ctx, someone); ok {
				return u.life(c), nil
			}
		}
		if ctx.Err() != nil {
			return nil, errors.Join(context.Cause(ctx), err)
		}
		pause(ctx, 50*time.Millisecond)
	}
}

// likely is a server that nothing is wrong with, most of the time.
func (c *Clients) likely() *Server {
	s := anyOf(c.installation.Auths)
	for tries := 0; s.faultCount()%2 == 1 && tries < 2; tries++ {
		s = anyOf(c.installation.Auths)
	}
	return s
}

// adminToken returns an access token of the administrator. One caller gets the
// next one, while the others go on with the one before.
func (c *Clients) adminToken(ctx context.Context) (string, error) {
	token, fresh := c.admin()
	if fresh {
		return token, nil
	}
	select {
	case c.renewing <- struct{}{}:
		defer func() { <-c.renewing }()
	default:
		if token != "" {
			return token, nil // it lives for some minutes more
		}
		return "", fmt.Errorf("%w: the administrator logs in", errUndone)
	}
	admin := c.installation.secrets.admin
	r, err := authv1.NewAuthServiceClient(c.likely().Conn).Login(ctx, &authv1.LoginRequest{Email: admin.Email, Password: admin.Password})
	if err != nil {
		if token != "" {
			return token, nil
		}
		return "", fmt.Errorf("%w: administrator: %w", errUndone, err)
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	c.token, c.since = r.GetAccessToken(), time.Now()
	return c.token, nil
}

// admin is the token that there is, and whether it is young.
func (c *Clients) admin() (token string, fresh bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.token, time.Since(c.since) < adminLife
}

// await waits for a revocation that is committed, at whichever server answers.
func (c *Clients) await(ctx context.Context, pending error) (*revocationv1.Receipt, error) {
	seq, err := sequence(pending)
	for tries := 0; err == nil && tries < 3; tries++ {
		var admin string
		if admin, err = c.adminToken(ctx); err != nil {
			break
		}
		call, cancel := context.WithTimeout(stand.Bearer(ctx, admin), revokeLimit)
		var r *revocationv1.AwaitRevocationResponse
		r, err = revocationv1.NewRevocationServiceClient(anyOf(c.installation.Auths).Conn).AwaitRevocation(call, &revocationv1.AwaitRevocationRequest{Seq: seq})
		cancel()
		if err == nil {
			return r.GetRevocation(), nil
		}
		if status.Code(err) == codes.Unavailable {
			err = nil // another server may answer
		}
	}
	return nil, errors.Join(pending, err)
}

// sequence reads the position out of a REVOCATION_PENDING.
func sequence(err error) (int64, error) {
	for _, d := range status.Convert(err).Details() {
		if info, ok := d.(*errdetails.ErrorInfo); ok {
			return strconv.ParseInt(info.GetMetadata()["seq"], 10, 64)
		}
	}
	return 0, fmt.Errorf("no position in: %w", err)
}

func anyOf(servers []*Server) *Server { return servers[rand.IntN(len(servers))] }

// pause waits; a client has no better event.
func pause(ctx context.Context, d time.Duration) {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-t.C:
	case <-ctx.Done():
	}
}
