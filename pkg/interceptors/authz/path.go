package authz

import (
	"fmt"
	"strings"

	"google.golang.org/protobuf/reflect/protoreflect"
)

// path leads from a request message to the field with the resource name, for
// example `order.name`.
type path []protoreflect.FieldDescriptor

func newPath(input protoreflect.MessageDescriptor, text string) (path, error) {
	var p path
	message := input
	for part := range strings.SplitSeq(text, ".") {
		if message == nil {
			return nil, fmt.Errorf("%q: %s is no message", text, p[len(p)-1].Name())
		}
		f := message.Fields().ByName(protoreflect.Name(part))
		if f == nil {
			return nil, fmt.Errorf("%q: %s has no field %q", text, message.FullName(), part)
		}
		if f.IsMap() || (f.IsList() && f.Kind() != protoreflect.StringKind) {
			return nil, fmt.Errorf("%q: %s is repeated", text, part)
		}
		p = append(p, f)
		message = f.Message()
	}
	if last := p[len(p)-1]; last.Kind() != protoreflect.StringKind {
		return nil, fmt.Errorf("%q is no string", text)
	}
	return p, nil
}

// leaf returns the message that holds the last field. It is false if a message
// on the way is not set.
func (p path) leaf(m protoreflect.Message) (protoreflect.Message, bool) {
	for _, f := range p[:len(p)-1] {
		if !m.Has(f) {
			return nil, false
		}
		m = m.Get(f).Message()
	}
	return m, true
}

// carried tells whether m carries the field: every message on the way is set,
// and for a member of a oneof or an optional field it is set itself.
func (p path) carried(m protoreflect.Message) bool {
	holder, ok := p.leaf(m)
	if !ok {
		return false
	}
	return holder.Has(p[len(p)-1])
}

// each calls f with every name that the field holds. A field that is not set
// counts as one empty name, so that leaving it out never admits anything.
func (p path) each(m protoreflect.Message, f func(name string) error) error {
	holder, ok := p.leaf(m)
	if !ok {
		return f("")
	}
	last := p[len(p)-1]
	if !last.IsList() {
		return f(holder.Get(last).String())
	}
	list := holder.Get(last).List()
	if list.Len() == 0 {
		return f("")
	}
	for i := range list.Len() {
		if err := f(list.Get(i).String()); err != nil {
			return err
		}
	}
	return nil
}
