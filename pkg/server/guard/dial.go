package guard

import (
	"context"
	"errors"
	"fmt"
	"net"
	"strings"

	"google.golang.org/grpc"
	"google.golang.org/grpc/resolver"
	"google.golang.org/grpc/resolver/manual"

	"github.com/curfew-platform/curfew/pkg/interceptors/certfile"
	"github.com/curfew-platform/curfew/pkg/interceptors/creds"
	"github.com/curfew-platform/curfew/pkg/lifecycle"
	"github.com/curfew-platform/curfew/pkg/server"
	authv1 "github.com/curfew-platform/curfew/proto/gen/curfew/auth/v1"
)

// dial returns a connection that carries the token of this service, balanced
// over all addresses of services/auth, and the ones for the feed: one for each
// address, so that a watcher goes elsewhere when one is silent or stops. Getting
// the token is itself a call, on a connection without one.
func dial(rt *server.Runtime, settings *Settings) (conn *grpc.ClientConn, feeds []*grpc.ClientConn, err error) {
	files, err := settings.files(rt.Log)
	if err != nil {
		return nil, nil, &lifecycle.UsageError{Err: fmt.Errorf("--auth-tls-ca, --auth-tls-cert and --auth-tls-key: %w", err)}
	}
	if err := server.MeasureCertificates(rt.Telemetry.Meters(), "auth", files); err != nil {
		return nil, nil, err
	}
	d := &dialer{files: files, plaintext: settings.AuthPlaintext}
	defer func() {
		if err != nil {
			err = errors.Join(err, d.close())
		}
	}()
	addresses := settings.authAddresses()
	bare, err := d.all(addresses, nil)
	if err != nil {
		return nil, nil, &lifecycle.UsageError{Err: err}
	}
	var options []creds.Option
	if files == nil {
		options = append(options, creds.WithPlaintext())
	}
	refreshing := creds.NewRefreshing(settings.proof(rt.Name, issue(authv1.NewAuthServiceClient(bare))), options...)
	if conn, err = d.all(addresses, refreshing); err != nil {
		return nil, nil, err
	}
	feeds = []*grpc.ClientConn{conn}
	if len(addresses) > 1 {
		feeds = feeds[:0]
		for _, address := range addresses {
			one, err := d.feed(address, refreshing)
			if err != nil {
				return nil, nil, err
			}
			feeds = append(feeds, one)
		}
	}
	return conn, feeds, rt.Group.Add(lifecycle.Part{
		Name: "auth connections", Phase: lifecycle.Close,
		Stop: func(context.Context) error {
			refreshing.Close()
			return d.close()
		},
	})
}

// dialer remembers what it opened.
type dialer struct {
	files     *certfile.Files
	plaintext bool
	opened    []*grpc.ClientConn
}

// one connects to one address.
func (d *dialer) one(address string, r *creds.Refreshing, more ...grpc.DialOption) (*grpc.ClientConn, error) {
	conn, err := creds.Dial(creds.Target{Address: address, Files: d.files, Plaintext: d.plaintext}, r, more...)
	if err != nil {
		return nil, fmt.Errorf("guard: %w", err)
	}
	d.opened = append(d.opened, conn)
	return conn, nil
}

// feed connects to one replica of a list, HOST:PORT. Its name is looked up for
// every connection: gRPC would keep what it found for 30 s, while a replica that
// is restarted comes back under its name with a new address.
func (d *dialer) feed(address string, r *creds.Refreshing) (*grpc.ClientConn, error) {
	return d.one("passthrough:///"+address, r)
}

// scheme of targets that are a list of addresses.
const scheme = "curfew"

// all connects to all addresses at once. A list is resolved here, for gRPC has
// no target that is one.
func (d *dialer) all(addresses []string, r *creds.Refreshing) (*grpc.ClientConn, error) {
	if len(addresses) == 1 {
		return d.one(addresses[0], r)
	}
	var list resolver.State
	for _, address := range addresses {
		// Whether plaintext is allowed is decided by the address, which the
		// list would hide.
		if probe, err := creds.Dial(creds.Target{Address: address, Files: d.files, Plaintext: d.plaintext}, nil); err != nil {
			return nil, fmt.Errorf("guard: %w", err)
		} else if err := probe.Close(); err != nil {
			return nil, fmt.Errorf("guard: %w", err)
		}
		host, _, err := net.SplitHostPort(address)
		if err != nil {
			return nil, fmt.Errorf("guard: address %q of a list is not HOST:PORT: %w", address, err)
		}
		list.Endpoints = append(list.Endpoints, resolver.Endpoint{Addresses: []resolver.Address{{Addr: address, ServerName: host}}})
	}
	builder := manual.NewBuilderWithScheme(scheme)
	builder.InitialState(list)
	listed := &dialer{files: d.files, plaintext: true}
	conn, err := listed.one(scheme+":///auth", r, grpc.WithResolvers(builder))
	d.opened = append(d.opened, listed.opened...)
	return conn, err
}

func (d *dialer) close() error {
	var errs []error
	for _, conn := range d.opened {
		errs = append(errs, conn.Close())
	}
	return errors.Join(errs...)
}

// authAddresses are the targets of --auth-addr.
func (s *Settings) authAddresses() []string {
	addresses := strings.Split(s.AuthAddr, ",")
	for i := range addresses {
		addresses[i] = strings.TrimSpace(addresses[i])
	}
	return addresses
}
