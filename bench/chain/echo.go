package chain

import (
	"fmt"

	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/reflect/protodesc"
	"google.golang.org/protobuf/reflect/protoreflect"
	"google.golang.org/protobuf/reflect/protoregistry"
	"google.golang.org/protobuf/types/descriptorpb"

	authzv1 "github.com/curfew-platform/curfew/proto/gen/curfew/authz/v1"
)

// The service of the measurement: one handler that returns its request, behind
// two rules. The chain is the same; for a public method authentication,
// revocation and authorization let the call pass.
const (
	serviceName   = "curfew.bench.v1.EchoService"
	guardedMethod = "/" + serviceName + "/Guarded"
	publicMethod  = "/" + serviceName + "/Public"
	permission    = "bench.echo.call"
)

func descriptor() (protoreflect.ServiceDescriptor, error) {
	method := func(name string, rule *authzv1.MethodRule) *descriptorpb.MethodDescriptorProto {
		options := &descriptorpb.MethodOptions{}
		proto.SetExtension(options, authzv1.E_Rule, rule)
		return &descriptorpb.MethodDescriptorProto{
			Name:       new(name),
			InputType:  new(".google.protobuf.StringValue"),
			OutputType: new(".google.protobuf.StringValue"),
			Options:    options,
		}
	}
	file, err := protodesc.NewFile(&descriptorpb.FileDescriptorProto{
		Name:       new("curfew/bench/v1/echo_service.proto"),
		Package:    new("curfew.bench.v1"),
		Syntax:     new("proto3"),
		Dependency: []string{"google/protobuf/wrappers.proto", "curfew/authz/v1/options.proto"},
		Service: []*descriptorpb.ServiceDescriptorProto{{
			Name: new("EchoService"),
			Method: []*descriptorpb.MethodDescriptorProto{
				method("Guarded", &authzv1.MethodRule{Permission: permission}),
				method("Public", &authzv1.MethodRule{Public: true}),
			},
		}},
	}, protoregistry.GlobalFiles)
	if err != nil {
		return nil, fmt.Errorf("describe the service: %w", err)
	}
	return file.Services().Get(0), nil
}
