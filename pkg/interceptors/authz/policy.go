package authz

import (
	"errors"
	"fmt"
	"maps"
	"slices"

	"google.golang.org/protobuf/reflect/protoreflect"
)

// Policy holds the rules of all methods of a server. Immutable, safe for
// concurrent use.
type Policy struct {
	rules map[string]*Rule
	perms *Permissions
}

// Option is an optional setting of [NewPolicy].
type Option interface{ apply(*settings) }

type settings struct{ acr *acrOrder }

type optionFunc func(*settings)

func (f optionFunc) apply(s *settings) { f(s) }

// WithACR sets the order of authentication context classes, weakest first.
// Default: aal1, aal2, aal3. A class that is not listed is weaker than all
// others.
func WithACR(weakestFirst ...string) Option {
	return optionFunc(func(s *settings) { s.acr = &acrOrder{weakestFirst: weakestFirst} })
}

// NewPolicy compiles the rules of services. Pass every service that the
// permissions file is for, also those that this process does not serve: a
// permission that some role holds and no rule asks for is an error, and so is
// one that a rule asks for and no role holds. The error lists everything that
// is wrong.
func NewPolicy(services []protoreflect.ServiceDescriptor, perms *Permissions, opts ...Option) (*Policy, error) {
	if perms == nil {
		return nil, errors.New("authorization policy: no permissions")
	}
	if len(services) == 0 {
		return nil, errors.New("authorization policy: no service")
	}
	s := settings{acr: &acrOrder{weakestFirst: defaultACR}}
	for _, o := range opts {
		o.apply(&s)
	}
	p := &Policy{rules: map[string]*Rule{}, perms: perms}
	errs := []error{s.acr.check()}
	asked := map[string]struct{}{}
	for _, service := range services {
		for i := range service.Methods().Len() {
			m := service.Methods().Get(i)
			rule, err := compile(m, perms, s.acr)
			if err != nil {
				errs = append(errs, fmt.Errorf("%s: %w", m.FullName(), err))
				continue
			}
			p.rules[rule.Method] = rule
			for _, name := range rule.permissions() {
				asked[name] = struct{}{}
			}
		}
	}
	for _, name := range perms.all() {
		if _, ok := asked[name]; !ok {
			errs = append(errs, fmt.Errorf("permission %s is granted, but no rule asks for it", name))
		}
	}
	if err := errors.Join(errs...); err != nil {
		return nil, fmt.Errorf("authorization policy: %w", err)
	}
	return p, nil
}

// FileServices returns the services of .proto files, for [NewPolicy].
func FileServices(files ...protoreflect.FileDescriptor) []protoreflect.ServiceDescriptor {
	var out []protoreflect.ServiceDescriptor
	for _, file := range files {
		for i := range file.Services().Len() {
			out = append(out, file.Services().Get(i))
		}
	}
	return out
}

// Rule returns the rule of a full method name, "/package.Service/Method". It
// returns false for a method that the policy does not know; deny such a call.
func (p *Policy) Rule(method string) (*Rule, bool) {
	r, ok := p.rules[method]
	return r, ok
}

// Rules returns all rules, ordered by method name.
func (p *Policy) Rules() []*Rule {
	out := make([]*Rule, 0, len(p.rules))
	for _, method := range slices.Sorted(maps.Keys(p.rules)) {
		out = append(out, p.rules[method])
	}
	return out
}
