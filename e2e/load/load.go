// Package load is everybody who uses a platform at once, for as long as
// somebody breaks it: customers who read and order through the retry policy of
// a normal client, thieves whose tokens end, and a producer of numbered log
// records. It says what it saw; Check compares that with what the databases hold.
package load

import (
	"context"
	"crypto/rand"
	"encoding/hex"
	"errors"
	"fmt"
	"sync"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/resolver/dns"

	"github.com/curfew-platform/curfew/e2e/stand"
	"github.com/curfew-platform/curfew/pkg/interceptors/creds"
	authv1 "github.com/curfew-platform/curfew/proto/gen/curfew/auth/v1"
)

// Config says whom to call and how much.
type Config struct {
	Auth   []string // gRPC targets of auth; thieves take turns
	Orders []string // gRPC targets of orders; customers take turns
	// Replicas are the gRPC targets of single replicas: each is asked whether it admits a token that has ended.
	Replicas Replicas

	AdminEmail, AdminPassword string

	Customers int           // who read and order, each over a connection of their own
	Pause     time.Duration // of a customer between two calls
	Thieves   int           // who log in and have their token ended, one after the other
	// ThiefPause is what a thief waits after a round: logins cost a processor 20 ms and more.
	ThiefPause time.Duration

	Brokers []string // Kafka
	Topic   string   // that logproc reads
	Rate    int      // log records per second; 0 produces none
}

// Replicas are gRPC targets of single replicas.
type Replicas struct{ Auth, Orders, Logproc []string }

const (
	// resolveEvery is how soon a name is looked up again after a connection has ended. The default of gRPC is 30 s: longer
	// than a rolling restart of three replicas, after which a client would know no address that is left.
	resolveEvery = time.Second
	// callLimit bounds a call of a customer with all its repetitions.
	callLimit = 10 * time.Second
	// settleLimit bounds how long a customer repeats an order whose outcome is unknown.
	settleLimit = 60 * time.Second
	// endLimit bounds what goes on after the load was told to stop.
	endLimit = 90 * time.Second
	// pieces are on hand: more than any run orders.
	pieces = 1_000_000_000
)

// Load is a run.
type Load struct {
	config Config
	run    string // 32 hexadecimal digits: the trace id of its log records
	sku    string
	admin  string // access token
	thefts
	tally
}

// Run calls until ctx ends, lets everybody finish what they do, and returns
// what they saw. The error says why it could not begin. Begun is called once the first calls were answered.
func Run(ctx context.Context, c Config, begun func()) (Verdict, error) {
	dns.SetMinResolutionInterval(resolveEvery)
	var id [16]byte
	_, _ = rand.Read(id[:]) // never fails
	l := &Load{config: c, run: hex.EncodeToString(id[:])}
	l.sku = "load-" + l.run[:12]
	start := time.Now()
	from, err := l.ends(ctx)
	if err != nil {
		return Verdict{}, err
	}
	var auths []*stand.Auth
	for _, target := range c.Auth {
		conn, err := dial(target)
		if err != nil {
			return Verdict{}, err
		}
		defer conn.Close()
		auths = append(auths, &stand.Auth{
			Auth: authv1.NewAuthServiceClient(conn), Account: authv1.NewAccountServiceClient(conn), Users: authv1.NewUserAdminServiceClient(conn),
		})
	}
	if err := l.stock(ctx, auths[0]); err != nil {
		return Verdict{}, err
	}
	customers, err := l.customers(ctx, auths[0])
	if err != nil {
		return Verdict{}, err
	}
	defer func() {
		for _, c := range customers {
			c.close()
		}
	}()
	witnesses, err := l.witnesses()
	if err != nil {
		return Verdict{}, err
	}
	begun()

	// What has begun is finished, even after ctx has ended.
	finish, cancel := context.WithCancel(context.WithoutCancel(ctx))
	defer cancel()
	context.AfterFunc(ctx, func() { time.AfterFunc(endLimit, cancel) })
	var running sync.WaitGroup
	for _, customer := range customers {
		running.Go(func() { customer.shop(ctx, finish) })
	}
	for n := range c.Thieves {
		running.Go(func() { l.steal(ctx, finish, auths[n%len(auths)], witnesses) })
	}
	if c.Thieves > 0 {
		running.Go(func() { l.tryOld(ctx, finish, witnesses) })
	}
	if c.Rate > 0 {
		running.Go(func() { l.produce(ctx, finish) })
	}
	running.Wait()
	for _, w := range witnesses {
		w.conn.Close()
	}
	v := l.verdict()
	v.Run, v.Seconds, v.From = l.run, time.Since(start).Seconds(), from
	for _, c := range customers {
		v.Customers = append(v.Customers, c.user.Name)
	}
	return v, nil
}

// dial connects as the documentation of the platform says, with what it
// repeats by itself.
func dial(target string, more ...grpc.DialOption) (*grpc.ClientConn, error) {
	conn, err := creds.Dial(creds.Target{Address: target, Plaintext: true}, nil, more...)
	if err != nil {
		return nil, fmt.Errorf("dial: %w", err)
	}
	return conn, nil
}

// patiently repeats what a person would click again: a call that nothing
// repeats by itself, because its outcome is unknown, and that may be done twice.
func patiently(ctx context.Context, call func(context.Context) error) error {
	ctx, cancel := context.WithTimeout(ctx, settleLimit)
	defer cancel()
	for {
		limited, done := context.WithTimeout(ctx, callLimit)
		err := call(limited)
		done()
		if err == nil || !transient(err) {
			return err
		}
		if !pause(ctx, 200*time.Millisecond) {
			return errors.Join(fmt.Errorf("not within %v", settleLimit), err)
		}
	}
}

// pause waits, and reports whether there is time left.
func pause(ctx context.Context, d time.Duration) bool {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-t.C:
		return true
	case <-ctx.Done():
		return false
	}
}

// login opens a session, as often as it takes.
func login(ctx context.Context, auth *stand.Auth, u stand.User) (session session, err error) {
	err = patiently(ctx, func(ctx context.Context) error {
		r, err := auth.Login(ctx, u)
		if err == nil {
			session.access, session.refresh, session.name = r.GetAccessToken(), r.GetRefreshToken(), r.GetSession()
			session.expires = r.GetAccessExpiresAt().AsTime()
		}
		return err
	})
	return session, err
}

// session is what a login gives.
type session struct {
	name, access, refresh string
	expires               time.Time
}
