package authztest

import (
	"context"
	"errors"
	"io"
	"net"
	"testing"

	"buf.build/go/protovalidate"
	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials/insecure"
	"google.golang.org/grpc/metadata"
	"google.golang.org/grpc/test/bufconn"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/reflect/protoreflect"
	"google.golang.org/protobuf/types/dynamicpb"

	"github.com/curfew-platform/curfew/pkg/interceptors"
)

// anything validates every message: requests here hold what authorization reads,
// and what else a method asks for is not the matter.
type anything struct{}

// Validate implements protovalidate.Validator.
func (anything) Validate(proto.Message, ...protovalidate.ValidationOption) error { return nil }

// serve starts a server with the chain of the service and handlers that note
// that they were reached.
func (w *walk) serve(t *testing.T, s Service, methods []protoreflect.MethodDescriptor) {
	t.Helper()
	logger := w.log.logger()
	cfg := interceptors.Config{
		Verifier: w.verifier, Revocation: w.source, Introspector: w.source, Policy: s.Policy,
		Logger: logger, Audit: interceptors.AuditLog(logger), Validator: anything{},
	}
	build := s.Chain
	if build == nil {
		build = interceptors.New
	}
	chain, err := build(cfg)
	if err != nil {
		t.Fatal(err)
	}
	server := grpc.NewServer(chain.ServerOptions()...)
	w.register(server, methods)
	if err := chain.Check(server); err != nil {
		t.Fatal(err)
	}
	listener := bufconn.Listen(1 << 20)
	served := make(chan error, 1)
	go func() { served <- server.Serve(listener) }()
	conn, err := grpc.NewClient("passthrough:///walk", grpc.WithTransportCredentials(insecure.NewCredentials()),
		grpc.WithContextDialer(func(ctx context.Context, _ string) (net.Conn, error) { return listener.DialContext(ctx) }))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		_ = conn.Close()
		server.Stop()
		if err := <-served; err != nil {
			t.Error(err)
		}
	})
	w.client = client{conn}
}

func (w *walk) register(server *grpc.Server, methods []protoreflect.MethodDescriptor) {
	services := map[protoreflect.FullName]*grpc.ServiceDesc{}
	for _, m := range methods {
		name := m.Parent().FullName()
		if services[name] == nil {
			services[name] = &grpc.ServiceDesc{ServiceName: string(name), HandlerType: (*any)(nil)}
		}
		desc := services[name]
		seen := w.log.of(m)
		if m.IsStreamingClient() || m.IsStreamingServer() {
			desc.Streams = append(desc.Streams, grpc.StreamDesc{
				StreamName: string(m.Name()), ClientStreams: m.IsStreamingClient(), ServerStreams: m.IsStreamingServer(),
				Handler: func(_ any, stream grpc.ServerStream) error {
					seen.entered.Add(1)
					if err := stream.RecvMsg(dynamicpb.NewMessage(m.Input())); err != nil {
						return err
					}
					seen.reached.Add(1)
					return nil
				},
			})
			continue
		}
		desc.Methods = append(desc.Methods, grpc.MethodDesc{MethodName: string(m.Name()), Handler: unary(m, seen)})
	}
	for _, desc := range services {
		server.RegisterService(desc, w)
	}
}

// unary is the handler of a method, as generated code has it.
func unary(m protoreflect.MethodDescriptor, seen *seen) grpc.MethodHandler {
	return func(srv any, ctx context.Context, decode func(any) error, interceptor grpc.UnaryServerInterceptor) (any, error) {
		in := dynamicpb.NewMessage(m.Input())
		if err := decode(in); err != nil {
			return nil, err
		}
		return interceptor(ctx, in, &grpc.UnaryServerInfo{Server: srv, FullMethod: path(m)}, func(context.Context, any) (any, error) {
			seen.entered.Add(1)
			seen.reached.Add(1)
			return dynamicpb.NewMessage(m.Output()), nil
		})
	}
}

// path is the method as it stands in a call.
func path(m protoreflect.MethodDescriptor) string {
	return "/" + string(m.Parent().FullName()) + "/" + string(m.Name())
}

type client struct{ conn *grpc.ClientConn }

// call makes one call. Of a stream it sends the request and waits for the end.
func (cl client) call(ctx context.Context, m protoreflect.MethodDescriptor, c caller, r request) error {
	if c.raw != "" {
		ctx = metadata.AppendToOutgoingContext(ctx, "authorization", "Bearer "+c.raw)
	}
	reply := dynamicpb.NewMessage(m.Output())
	if !m.IsStreamingClient() && !m.IsStreamingServer() {
		return cl.conn.Invoke(ctx, path(m), r.message(m), reply)
	}
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	stream, err := cl.conn.NewStream(ctx, &grpc.StreamDesc{ClientStreams: true, ServerStreams: true}, path(m))
	if err != nil {
		return err
	}
	if err := stream.SendMsg(r.message(m)); err != nil && !errors.Is(err, io.EOF) {
		return err
	}
	if err := stream.CloseSend(); err != nil {
		return err
	}
	if err := stream.RecvMsg(reply); !errors.Is(err, io.EOF) {
		return err
	}
	return nil
}
