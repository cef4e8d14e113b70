package shop

import (
	"context"
	"fmt"

	"google.golang.org/grpc"
	"google.golang.org/protobuf/types/dynamicpb"
)

// Server is what the methods do. A nil function answers with an empty message,
// or ends the stream when the client has.
type Server struct {
	Unary  func(ctx context.Context, method string, request *dynamicpb.Message) error
	Stream func(method string, stream grpc.ServerStream) error
}

// Register registers the service.
func (s *Server) Register(registrar grpc.ServiceRegistrar) {
	desc := &grpc.ServiceDesc{ServiceName: ServiceName, HandlerType: (*any)(nil)}
	for _, m := range methods {
		if m.clientStream || m.serverStream {
			desc.Streams = append(desc.Streams, grpc.StreamDesc{
				StreamName: m.name, ClientStreams: m.clientStream, ServerStreams: m.serverStream,
				Handler: func(_ any, stream grpc.ServerStream) error { return s.stream(m.name, stream) },
			})
			continue
		}
		desc.Methods = append(desc.Methods, grpc.MethodDesc{MethodName: m.name, Handler: s.handler(m.name)})
	}
	registrar.RegisterService(desc, s)
}

func (s *Server) handler(name string) grpc.MethodHandler {
	return func(srv any, ctx context.Context, decode func(any) error, interceptor grpc.UnaryServerInterceptor) (any, error) {
		in := Message{}.Proto()
		if err := decode(in); err != nil {
			return nil, err
		}
		handle := func(ctx context.Context, req any) (any, error) {
			if s.Unary == nil {
				return Message{}.Proto(), nil
			}
			request, ok := req.(*dynamicpb.Message)
			if !ok {
				return nil, fmt.Errorf("shop: request is a %T", req)
			}
			return Message{}.Proto(), s.Unary(ctx, name, request)
		}
		if interceptor == nil {
			return handle(ctx, in)
		}
		return interceptor(ctx, in, &grpc.UnaryServerInfo{Server: srv, FullMethod: "/" + ServiceName + "/" + name}, handle)
	}
}

func (s *Server) stream(name string, stream grpc.ServerStream) error {
	if s.Stream != nil {
		return s.Stream(name, stream)
	}
	for {
		if err := stream.RecvMsg(Message{}.Proto()); err != nil {
			return nil //nolint:nilerr // the client has ended the stream
		}
	}
}

// Call calls a unary method.
func Call(ctx context.Context, conn grpc.ClientConnInterface, method string, m Message, opts ...grpc.CallOption) error {
	return conn.Invoke(ctx, "/"+ServiceName+"/"+method, m.Proto(), Message{}.Proto(), opts...)
}

// Open opens a stream.
func Open(ctx context.Context, conn grpc.ClientConnInterface, method string) (grpc.ClientStream, error) {
	return conn.NewStream(ctx, &grpc.StreamDesc{ClientStreams: true, ServerStreams: true}, "/"+ServiceName+"/"+method)
}
