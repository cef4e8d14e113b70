package replica

import (
	"context"
	"fmt"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/reflect/protodesc"
	"google.golang.org/protobuf/reflect/protoreflect"
	"google.golang.org/protobuf/reflect/protoregistry"
	"google.golang.org/protobuf/types/descriptorpb"
	"google.golang.org/protobuf/types/known/durationpb"
	"google.golang.org/protobuf/types/known/emptypb"
	"google.golang.org/protobuf/types/known/timestamppb"

	"github.com/curfew-platform/curfew/pkg/interceptors/revocation"
	authzv1 "github.com/curfew-platform/curfew/proto/gen/curfew/authz/v1"
)

// The methods. All answer with moments of this machine's clock.
const (
	serviceName = "curfew.e2e.v1.ProbeService"
	permission  = "probe.calls.make"
	// Look answers with the moment at which the handler began. Without a lease it
	// is refused.
	Look = "/" + serviceName + "/Look"
	// LookStale is Look that goes on for MaxStale without a lease.
	LookStale = "/" + serviceName + "/LookStale"
	// LookAsking is Look that asks services/auth without a lease.
	LookAsking = "/" + serviceName + "/LookAsking"
	// Follow sends a moment again and again at which its context was not
	// cancelled and revocation.CommitGuard let it go on: the moment is taken
	// before both.
	Follow = "/" + serviceName + "/Follow"
)

// MaxStale is how long LookStale goes on.
const MaxStale = 2 * time.Second

// FollowDesc describes Follow to a client.
//
//nolint:gochecknoglobals // A constant.
var FollowDesc = grpc.StreamDesc{StreamName: "Follow", ServerStreams: true}

// every is the pause between two messages of Follow.
const every = 20 * time.Millisecond

func descriptor() ([]protoreflect.ServiceDescriptor, error) {
	method := func(name string, streams bool, staleness authzv1.StalenessPolicy) *descriptorpb.MethodDescriptorProto {
		options := &descriptorpb.MethodOptions{}
		rule := &authzv1.MethodRule{Permission: permission, Staleness: staleness}
		if staleness == authzv1.StalenessPolicy_STALENESS_POLICY_BOUNDED {
			rule.MaxStaleness = durationpb.New(MaxStale)
		}
		proto.SetExtension(options, authzv1.E_Rule, rule)
		return &descriptorpb.MethodDescriptorProto{
			Name:            new(name),
			InputType:       new(".google.protobuf.Empty"),
			OutputType:      new(".google.protobuf.Timestamp"),
			ServerStreaming: new(streams),
			Options:         options,
		}
	}
	file, err := protodesc.NewFile(&descriptorpb.FileDescriptorProto{
		Name:       new("curfew/e2e/v1/probe_service.proto"),
		Package:    new("curfew.e2e.v1"),
		Syntax:     new("proto3"),
		Dependency: []string{"google/protobuf/empty.proto", "google/protobuf/timestamp.proto", "curfew/authz/v1/options.proto"},
		Service: []*descriptorpb.ServiceDescriptorProto{{
			Name: new("ProbeService"),
			Method: []*descriptorpb.MethodDescriptorProto{
				method("Look", false, authzv1.StalenessPolicy_STALENESS_POLICY_FAIL_CLOSED),
				method("LookStale", false, authzv1.StalenessPolicy_STALENESS_POLICY_BOUNDED),
				method("LookAsking", false, authzv1.StalenessPolicy_STALENESS_POLICY_INTROSPECT),
				method("Follow", true, authzv1.StalenessPolicy_STALENESS_POLICY_FAIL_CLOSED),
			},
		}},
	}, protoregistry.GlobalFiles)
	if err != nil {
		return nil, fmt.Errorf("describe the service: %w", err)
	}
	return []protoreflect.ServiceDescriptor{file.Services().Get(0)}, nil
}

func service() *grpc.ServiceDesc {
	return &grpc.ServiceDesc{
		ServiceName: serviceName,
		HandlerType: (*any)(nil),
		Methods: []grpc.MethodDesc{
			{MethodName: "Look", Handler: look(Look)},
			{MethodName: "LookStale", Handler: look(LookStale)},
			{MethodName: "LookAsking", Handler: look(LookAsking)},
		},
		Streams: []grpc.StreamDesc{{StreamName: "Follow", Handler: follow, ServerStreams: true}},
	}
}

func look(method string) grpc.MethodHandler {
	handle := func(context.Context, any) (any, error) { return timestamppb.Now(), nil }
	return func(_ any, ctx context.Context, decode func(any) error, interceptor grpc.UnaryServerInterceptor) (any, error) {
		in := &emptypb.Empty{}
		if err := decode(in); err != nil {
			return nil, err
		}
		return interceptor(ctx, in, &grpc.UnaryServerInfo{FullMethod: method}, handle)
	}
}

func follow(_ any, stream grpc.ServerStream) error {
	if err := stream.RecvMsg(&emptypb.Empty{}); err != nil {
		return err
	}
	tick := time.NewTicker(every)
	defer tick.Stop()
	for {
		at := timestamppb.Now()
		if err := revocation.CommitGuard(stream.Context()); err != nil {
			return err
		}
		if err := stream.SendMsg(at); err != nil {
			return err
		}
		select {
		case <-tick.C:
		case <-stream.Context().Done():
			return context.Cause(stream.Context())
		}
	}
}
