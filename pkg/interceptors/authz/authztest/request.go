package authztest

import (
	"strings"

	"github.com/google/uuid"
	"google.golang.org/protobuf/reflect/protoreflect"
	"google.golang.org/protobuf/types/dynamicpb"

	authzv1 "github.com/curfew-platform/curfew/proto/gen/curfew/authz/v1"
)

// request names resources; it holds nothing else but what authorization reads.
type request struct {
	name    string
	names   []string
	own     bool // every name is below the caller
	nobodys bool // the first name is below no user
	id      string
}

// requests are those that the rule of m tells apart, for a caller.
func requests(m protoreflect.MethodDescriptor, rule *authzv1.MethodRule, subject string) []request {
	list := []request{{name: "without a resource", own: true}}
	if rule.GetResourceField() != "" {
		own, foreign := "users/"+subject+"/things/1", "users/"+uuid.NewString()+"/things/1"
		list = []request{
			{name: "own resource", names: []string{own}, own: true},
			{name: "foreign resource", names: []string{foreign}},
			{name: "resource of all users", names: []string{"users/-/things/1"}},
			{name: "resource of no user", names: []string{"things/" + subject}, nobodys: true},
			{name: "no name", nobodys: true},
		}
		if fields := fieldsOf(m, rule); fields[len(fields)-1].IsList() {
			list = append(list,
				request{name: "two own resources", names: []string{own, own}, own: true},
				request{name: "a foreign resource behind an own one", names: []string{own, foreign}})
		}
	}
	if !rule.GetRequestIdRequired() {
		return list
	}
	for _, r := range list {
		r.id = uuid.NewString()
		r.name += ", with a request id"
		list = append(list, r)
	}
	return list
}

// fieldsOf is the path of the resource names in the request of m.
func fieldsOf(m protoreflect.MethodDescriptor, rule *authzv1.MethodRule) []protoreflect.FieldDescriptor {
	var fields []protoreflect.FieldDescriptor
	in := m.Input()
	for name := range strings.SplitSeq(rule.GetResourceField(), ".") {
		f := in.Fields().ByName(protoreflect.Name(name))
		fields, in = append(fields, f), f.Message()
	}
	return fields
}

// message is the request on the wire.
func (r request) message(m protoreflect.MethodDescriptor) *dynamicpb.Message {
	out := dynamicpb.NewMessage(m.Input())
	if r.id != "" {
		out.Set(m.Input().Fields().ByName("request_id"), protoreflect.ValueOfString(r.id))
	}
	if len(r.names) == 0 {
		return out
	}
	fields := fieldsOf(m, ruleOf(m))
	var holder protoreflect.Message = out
	for _, f := range fields[:len(fields)-1] {
		holder = holder.Mutable(f).Message()
	}
	last := fields[len(fields)-1]
	if !last.IsList() {
		holder.Set(last, protoreflect.ValueOfString(r.names[0]))
		return out
	}
	for _, name := range r.names {
		holder.Mutable(last).List().Append(protoreflect.ValueOfString(name))
	}
	return out
}
