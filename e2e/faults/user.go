package faults

import (
	"context"
	"crypto/rand"
	"sync"
	"time"

	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	"github.com/curfew-platform/curfew/e2e/stand"
	authv1 "github.com/curfew-platform/curfew/proto/gen/curfew/auth/v1"
)

// user is somebody with one session.
type user struct {
	name    string
	session string // its name
	access  string
	refresh string
	retry   []byte // of a refresh that has no answer yet

	mu       sync.Mutex
	lives    map[*Life]struct{}     // that are not judged yet
	revoking map[time.Time]struct{} // when revocations of all tokens began
}

// life begins that of the next access token. Every revocation of the user that
// has not ended, and every later one, may concern it; so it begins before the
// token is asked for.
func (u *user) life(c *Clients) *Life {
	l := &Life{clients: c, user: u, token: u.access}
	u.mu.Lock()
	defer u.mu.Unlock()
	u.lives[l] = struct{}{}
	for begun := range u.revoking {
		l.history.MayBeRevoked(begun)
	}
	return l
}

func (u *user) judged(l *Life) {
	u.mu.Lock()
	defer u.mu.Unlock()
	delete(u.lives, l)
}

// revokes notes the beginning of a revocation of all tokens.
func (u *user) revokes() (begun time.Time) {
	u.mu.Lock()
	defer u.mu.Unlock()
	begun = time.Now()
	u.revoking[begun] = struct{}{}
	for l := range u.lives {
		l.history.MayBeRevoked(begun)
	}
	return begun
}

// revoked notes that it is over and will do nothing any more.
func (u *user) revoked(begun time.Time) {
	u.mu.Lock()
	defer u.mu.Unlock()
	delete(u.revoking, begun)
}

func (c *Clients) login(ctx context.Context, someone stand.User) (*user, bool) {
	call, cancel := context.WithTimeout(ctx, loginLimit)
	defer cancel()
	r, err := authv1.NewAuthServiceClient(c.likely().Conn).Login(call, &authv1.LoginRequest{Email: someone.Email, Password: someone.Password})
	if err != nil {
		pause(ctx, 100*time.Millisecond)
		return nil, false
	}
	return &user{
		name: someone.Name, session: r.GetSession(), access: r.GetAccessToken(), refresh: r.GetRefreshToken(),
		lives: map[*Life]struct{}{}, revoking: map[time.Time]struct{}{},
	}, true
}

// tryRefresh asks once for the next pair. A try that has no answer is repeated
// with the same key.
func (u *user) tryRefresh(ctx context.Context, server *Server) error {
	if u.retry == nil {
		u.retry = make([]byte, 16)
		_, _ = rand.Read(u.retry) // never fails
	}
	r, err := authv1.NewAuthServiceClient(server.Conn).RefreshTokens(ctx, &authv1.RefreshTokensRequest{RefreshToken: u.refresh, RetryKey: u.retry})
	if err == nil {
		u.access, u.refresh, u.retry = r.GetAccessToken(), r.GetRefreshToken(), nil
	}
	return err
}

// refresh gets the next pair, however often that takes within a time in which
// nobody may be logged out. It returns false if there is none.
func (c *Clients) refresh(ctx context.Context, u *user) bool {
	ctx, cancel := context.WithTimeout(ctx, refreshLimit)
	defer cancel()
	for ctx.Err() == nil {
		call, cancel := context.WithTimeout(ctx, callLimit)
		err := u.tryRefresh(call, c.likely())
		cancel()
		switch status.Code(err) {
		case codes.OK:
			c.count(func(t *Tally) { t.Refreshed++ })
			return true
		case codes.Unauthenticated, codes.PermissionDenied, codes.InvalidArgument:
			c.count(func(t *Tally) {
				t.LoggedOut++
				t.Wrong = append(t.Wrong, err)
			})
			return false
		}
		pause(ctx, 50*time.Millisecond)
	}
	return false
}
