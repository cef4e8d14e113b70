// Package echo is the service of measurements: methods that return their
// request, a StringValue, at once.
package echo

import (
	"context"

	"google.golang.org/grpc"
	"google.golang.org/protobuf/types/known/wrapperspb"
)

// Register registers a service, by its full name, with such methods.
func Register(r grpc.ServiceRegistrar, service string, methods ...string) {
	desc := &grpc.ServiceDesc{ServiceName: service, HandlerType: (*any)(nil)}
	for _, name := range methods {
		desc.Methods = append(desc.Methods, grpc.MethodDesc{MethodName: name, Handler: handler("/" + service + "/" + name)})
	}
	r.RegisterService(desc, nil)
}

func handler(method string) grpc.MethodHandler {
	return func(_ any, ctx context.Context, decode func(any) error, interceptor grpc.UnaryServerInterceptor) (any, error) {
		in := &wrapperspb.StringValue{}
		if err := decode(in); err != nil {
			return nil, err
		}
		echo := func(_ context.Context, req any) (any, error) { return req, nil }
		if interceptor == nil {
			return echo(ctx, in)
		}
		return interceptor(ctx, in, &grpc.UnaryServerInfo{FullMethod: method}, echo)
	}
}
