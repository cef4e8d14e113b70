package interceptors

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"buf.build/go/protovalidate"
	"github.com/grpc-ecosystem/go-grpc-middleware/v2/interceptors/recovery"
	"google.golang.org/grpc"
	"google.golang.org/protobuf/proto"
)

// Chain is the sequence of links that a server runs in front of its handlers.
// It is immutable, safe for concurrent use, and may serve several servers.
type Chain struct {
	config Config
	links  []link
}

// New returns the chain of cfg. Its error lists everything that is missing or
// contradictory.
func New(cfg Config) (*Chain, error) {
	cfg.Limits = cfg.Limits.withDefaults()
	if err := cfg.check(); err != nil {
		return nil, fmt.Errorf("chain: %w", err)
	}
	if cfg.Validator == nil {
		v, err := protovalidate.New()
		if err != nil {
			return nil, fmt.Errorf("chain: validator: %w", err)
		}
		cfg.Validator = v
	}
	addressRate, err := addressRateLink(cfg.Rates)
	if err != nil {
		return nil, err
	}
	identityRate, err := identityRateLink(cfg.Rates)
	if err != nil {
		return nil, err
	}
	return assemble(cfg, []link{
		recoveryLink(),
		requestIDLink(),
		loggingLink(cfg.Logger),
		metricsLink(cfg.Metrics),
		auditLink(cfg.Audit),
		errorsLink(cfg.Logger),
		limitsLink(cfg.Limits),
		addressRate,
		authenticationLink(cfg.Verifier, cfg.Logger),
		revocationLink(cfg.Revocation, cfg.Introspector),
		identityRate,
		authorizationLink(),
		validationLink(cfg.Validator),
	})
}

func assemble(cfg Config, links []link) (*Chain, error) {
	if err := checkOrder(links); err != nil {
		return nil, err
	}
	return &Chain{config: cfg, links: links}, nil
}

// ServerOptions returns the options that install the chain: interceptors, codec
// and limits of the transport. Pass them to grpc.NewServer before any
// interceptors of your own; those then run inside the chain, after the caller
// was authorized.
func (ch *Chain) ServerOptions() []grpc.ServerOption {
	outermost := recovery.WithRecoveryHandlerContext(recovered(ch.config.Logger))
	return []grpc.ServerOption{
		grpc.ChainUnaryInterceptor(recovery.UnaryServerInterceptor(outermost), ch.unary),
		grpc.ChainStreamInterceptor(recovery.StreamServerInterceptor(outermost), ch.stream),
		grpc.ForceServerCodecV2(newCodec(ch.config.Limits.MessageBytes)),
		grpc.MaxRecvMsgSize(transportMessageBytes(ch.config.Limits.MessageBytes)),
		grpc.MaxHeaderListSize(transportHeaderBytes),
		grpc.MaxConcurrentStreams(ch.config.Limits.ConcurrentStreams),
	}
}

// Links describes the links of the chain, outermost first.
func (ch *Chain) Links() []Link {
	out := make([]Link, len(ch.links))
	for i, l := range ch.links {
		out[i] = l.Link
	}
	return out
}

// Describe prints the effective chain for people, as --check does: one line for
// each link, then one for each accepted issuer. The text holds no secret.
func (ch *Chain) Describe() string {
	var b strings.Builder
	for i, l := range ch.links {
		fmt.Fprintf(&b, "%2d %-15s %s\n", i+1, l.Name, l.Does)
	}
	if d, ok := ch.config.Verifier.(interface{ Describe() string }); ok {
		for line := range strings.SplitSeq(d.Describe(), "\n") {
			fmt.Fprintf(&b, "   %-15s %s\n", "issuer", line)
		}
	}
	return b.String()
}

// Check returns an error that lists the methods of server that have no rule,
// reflection included unless Config.Reflection is set. Call it after all
// services are registered and before Serve. A method that Check would refuse is
// denied at run time, too.
func (ch *Chain) Check(server interface {
	GetServiceInfo() map[string]grpc.ServiceInfo
},
) error {
	var errs []error
	for service, info := range server.GetServiceInfo() {
		for _, m := range info.Methods {
			method := "/" + service + "/" + m.Name
			if _, ok := ch.config.Policy.Rule(method); !ok && !ch.infrastructure(method) {
				errs = append(errs, fmt.Errorf("%s has no authorization rule", method))
			}
		}
	}
	slices.SortFunc(errs, func(a, b error) int { return strings.Compare(a.Error(), b.Error()) })
	if err := errors.Join(errs...); err != nil {
		return fmt.Errorf("chain: %w", err)
	}
	return nil
}

// infrastructure tells whether a method is served without token and rule. These
// and no others: a server may pass on what it does not know.
func (ch *Chain) infrastructure(method string) bool {
	switch method {
	case "/grpc.reflection.v1.ServerReflection/ServerReflectionInfo", "/grpc.reflection.v1alpha.ServerReflection/ServerReflectionInfo":
		return ch.config.Reflection
	default:
		return health(method)
	}
}

// health tells whether a method is one of grpc.health.v1.
func health(method string) bool {
	switch method {
	case "/grpc.health.v1.Health/Check", "/grpc.health.v1.Health/List", "/grpc.health.v1.Health/Watch":
		return true
	default:
		return false
	}
}

func (ch *Chain) newCall(method string, streamed bool) *call {
	rule, _ := ch.config.Policy.Rule(method)
	return &call{
		method: method, streamed: streamed, rule: rule,
		infrastructure: ch.infrastructure(method), started: time.Now(),
	}
}

func (ch *Chain) unary(ctx context.Context, req any, info *grpc.UnaryServerInfo, handler grpc.UnaryHandler) (resp any, err error) {
	c := ch.newCall(info.FullMethod, false)
	defer func() {
		err = ch.leave(c, err, recover())
		if err != nil {
			resp = nil
		}
	}()
	if err := ch.enter(ctx, c); err != nil {
		return nil, err
	}
	if err := ch.message(c, req); err != nil {
		return nil, err
	}
	return handler(c.ctx, req)
}

func (ch *Chain) stream(srv any, ss grpc.ServerStream, info *grpc.StreamServerInfo, handler grpc.StreamHandler) (err error) {
	c := ch.newCall(info.FullMethod, true)
	defer func() { err = ch.leave(c, err, recover()) }()
	if err := ch.enter(ss.Context(), c); err != nil {
		return err
	}
	s := newServerStream(ch, c, ss)
	defer s.close()
	err = handler(srv, s)
	if refusal := s.refused(); refusal != nil {
		return refusal
	}
	return err
}

// enter takes the call through all links, up to the one that refuses.
func (ch *Chain) enter(ctx context.Context, c *call) error {
	c.Begin(ctx)
	c.ctx, c.transport = ctx, ctx
	for i := range ch.links {
		if before := ch.links[i].before; before != nil {
			next, err := before(c.ctx, c)
			if err != nil {
				return err
			}
			c.ctx = next //nolint:fatcontext // one layer for each link, by design
		}
		c.entered++
	}
	return nil
}

// message shows one received message to all links.
func (ch *Chain) message(c *call, m any) error {
	pm, ok := m.(proto.Message)
	if !ok {
		return fmt.Errorf("received %T, which is no message", m)
	}
	for i := range ch.links {
		if f := ch.links[i].message; f != nil {
			if err := f(c.ctx, c, pm); err != nil {
				return err
			}
		}
	}
	return nil
}

// leave takes the call back out through the links that it entered. panicked is
// what recover returned.
func (ch *Chain) leave(c *call, err error, panicked any) error {
	if panicked != nil {
		err = newPanicError(panicked)
	}
	c.ended = cmp.Or(c.transport.Err(), c.ctx.Err())
	for i := c.entered - 1; i >= 0; i-- {
		if after := ch.links[i].after; after != nil {
			err = after(c, err)
		}
	}
	return err
}
