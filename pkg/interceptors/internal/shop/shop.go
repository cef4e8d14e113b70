// Package shop is an imaginary gRPC service for the tests of the chain, with
// one method for each kind of rule. Its descriptors are built here, so that
// no test contract stands among the real ones.
package shop

import (
	"time"

	"buf.build/gen/go/bufbuild/protovalidate/protocolbuffers/go/buf/validate"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/reflect/protodesc"
	"google.golang.org/protobuf/reflect/protoreflect"
	"google.golang.org/protobuf/reflect/protoregistry"
	"google.golang.org/protobuf/types/descriptorpb"
	"google.golang.org/protobuf/types/dynamicpb"
	"google.golang.org/protobuf/types/known/durationpb"

	authzv1 "github.com/curfew-platform/curfew/proto/gen/curfew/authz/v1"
)

// ServiceName is the full name of the service.
const ServiceName = "curfew.shop.v1.ShopService"

// Permissions is the permissions file of the service.
const Permissions = `{"roles": {
	"customer": ["shop.things.get", "shop.things.update", "shop.things.close", "shop.things.watch"],
	"admin": ["shop.things.get", "shop.things.getAny", "shop.things.update", "shop.things.updateAny", "shop.things.close"],
	"service": ["shop.things.peek"]
}}`

// MaxStaleness of Get.
const MaxStaleness = 10 * time.Second

type method struct {
	name                       string
	clientStream, serverStream bool
	rule                       *authzv1.MethodRule
}

var methods = []method{
	{name: "Login", rule: &authzv1.MethodRule{Public: true}},
	{name: "Get", rule: &authzv1.MethodRule{
		Permission: "shop.things.get", ResourceField: "name", OwnerOnly: true, CrossOwnerPermission: "shop.things.getAny",
		Staleness: authzv1.StalenessPolicy_STALENESS_POLICY_BOUNDED, MaxStaleness: durationpb.New(MaxStaleness),
	}},
	{name: "BatchGet", rule: &authzv1.MethodRule{
		Permission: "shop.things.get", ResourceField: "names", OwnerOnly: true, CrossOwnerPermission: "shop.things.getAny",
	}},
	{name: "Update", rule: &authzv1.MethodRule{
		Permission: "shop.things.update", ResourceField: "thing.name", OwnerOnly: true,
		CrossOwnerPermission: "shop.things.updateAny", CrossOwnerMaxAuthAge: durationpb.New(15 * time.Minute),
		RequestIdRequired: true, Audited: true,
	}},
	{name: "Close", rule: &authzv1.MethodRule{
		Permission: "shop.things.close", ResourceField: "name", OwnerOnly: true,
		MaxAuthAge: durationpb.New(5 * time.Minute), RequiredAcr: "aal2", Audited: true,
	}},
	{name: "Peek", rule: &authzv1.MethodRule{
		Permission: "shop.things.peek", Staleness: authzv1.StalenessPolicy_STALENESS_POLICY_INTROSPECT,
	}},
	{name: "Watch", serverStream: true, rule: &authzv1.MethodRule{
		Permission: "shop.things.watch", ResourceField: "name", OwnerOnly: true,
	}},
	{name: "Chat", clientStream: true, serverStream: true, rule: &authzv1.MethodRule{
		Permission: "shop.things.watch", ResourceField: "thing.name", OwnerOnly: true,
	}},
}

// File describes the service.
var File = func() protoreflect.FileDescriptor {
	text := descriptorpb.FieldDescriptorProto_TYPE_STRING
	short := &descriptorpb.FieldOptions{}
	proto.SetExtension(short, validate.E_Field, &validate.FieldRules{Type: &validate.FieldRules_String_{
		String_: &validate.StringRules{MaxLen: proto.Uint64(20)},
	}})
	file := &descriptorpb.FileDescriptorProto{
		Name: new("curfew/shop/v1/shop.proto"), Package: new("curfew.shop.v1"), Syntax: new("proto3"),
		Dependency: []string{"curfew/authz/v1/options.proto", "buf/validate/validate.proto"},
		MessageType: []*descriptorpb.DescriptorProto{
			{Name: new("Thing"), Field: []*descriptorpb.FieldDescriptorProto{field("name", 1, text)}},
			{Name: new("Message"), Field: []*descriptorpb.FieldDescriptorProto{
				field("name", 1, text),
				{
					Name: new("thing"), Number: proto.Int32(2), TypeName: new(".curfew.shop.v1.Thing"),
					Type:  descriptorpb.FieldDescriptorProto_TYPE_MESSAGE.Enum(),
					Label: descriptorpb.FieldDescriptorProto_LABEL_OPTIONAL.Enum(),
				},
				field("request_id", 3, text),
				{
					Name: new("names"), Number: proto.Int32(4), Type: text.Enum(),
					Label: descriptorpb.FieldDescriptorProto_LABEL_REPEATED.Enum(),
				},
				{
					Name: new("note"), Number: proto.Int32(5), Type: text.Enum(), Options: short,
					Label: descriptorpb.FieldDescriptorProto_LABEL_OPTIONAL.Enum(),
				},
			}},
		},
	}
	service := &descriptorpb.ServiceDescriptorProto{Name: new("ShopService")}
	for _, m := range methods {
		options := &descriptorpb.MethodOptions{}
		proto.SetExtension(options, authzv1.E_Rule, m.rule)
		service.Method = append(service.Method, &descriptorpb.MethodDescriptorProto{
			Name: new(m.name), InputType: new(".curfew.shop.v1.Message"), OutputType: new(".curfew.shop.v1.Message"),
			ClientStreaming: new(m.clientStream), ServerStreaming: new(m.serverStream), Options: options,
		})
	}
	file.Service = []*descriptorpb.ServiceDescriptorProto{service}
	fd, err := protodesc.NewFile(file, protoregistry.GlobalFiles)
	if err != nil {
		panic(err)
	}
	return fd
}()

func field(name string, number int32, typ descriptorpb.FieldDescriptorProto_Type) *descriptorpb.FieldDescriptorProto {
	return &descriptorpb.FieldDescriptorProto{
		Name: new(name), Number: new(number), Type: typ.Enum(),
		Label: descriptorpb.FieldDescriptorProto_LABEL_OPTIONAL.Enum(),
	}
}

// Message is the one request and response of the service.
type Message struct {
	Name, ThingName, RequestID, Note string
	Names                            []string
}

// Proto returns m for the wire.
func (m Message) Proto() *dynamicpb.Message {
	d := File.Messages().ByName("Message")
	out := dynamicpb.NewMessage(d)
	set := func(name protoreflect.Name, v string) {
		if v != "" {
			out.Set(d.Fields().ByName(name), protoreflect.ValueOfString(v))
		}
	}
	set("name", m.Name)
	set("request_id", m.RequestID)
	set("note", m.Note)
	if m.ThingName != "" {
		thing := out.Mutable(d.Fields().ByName("thing")).Message()
		thing.Set(thing.Descriptor().Fields().ByName("name"), protoreflect.ValueOfString(m.ThingName))
	}
	for _, name := range m.Names {
		out.Mutable(d.Fields().ByName("names")).List().Append(protoreflect.ValueOfString(name))
	}
	return out
}
