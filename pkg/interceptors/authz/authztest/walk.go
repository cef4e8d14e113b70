// Package authztest walks the whole authorization matrix of a service: every
// method x every role x own and foreign resources x every kind of token x every
// state of the knowledge about revocations. It is for any server whose chain is
// of package interceptors: give it the policy, the permissions file and the chain
// that the server has.
//
// What must happen is computed from the descriptors and the file by a function of
// this package that shares no code with what decides. A refusal is compared by
// code and reason, its record in the audit too, and a refused call must not reach
// the handler. The handlers stand in for those of the service, so a walk needs no
// database and changes nothing.
package authztest

import (
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"google.golang.org/protobuf/reflect/protoreflect"
	"google.golang.org/protobuf/reflect/protoregistry"

	"github.com/curfew-platform/curfew/pkg/interceptors"
	"github.com/curfew-platform/curfew/pkg/interceptors/authz"
)

// Service is the service under test.
type Service struct {
	// Policy of the server. Walk tests all services that it has methods of.
	Policy *authz.Policy
	// Permissions is the permissions file that the policy was made from.
	Permissions []byte
	// Chain returns the chain of the server for a Config in which Walk has set
	// verifier, revocations, introspection, logger and audit. Optional; default
	// interceptors.New.
	Chain func(interceptors.Config) (*interceptors.Chain, error)
	// External says that the verifier of the server trusts an issuer with the
	// OIDC profile, besides its own. Otherwise tokens of such an issuer must be
	// refused.
	External bool
	// Files hold the descriptors of the services. Optional; default
	// protoregistry.GlobalFiles.
	Files *protoregistry.Files
}

// Walk calls every method in every combination and logs how many calls that
// were. Under the race detector it makes only some of them.
func Walk(t *testing.T, s Service) {
	t.Helper()
	methods := s.methods(t)
	w := &walk{log: &log{calls: map[string]*seen{}}, roles: grants(t, s.Permissions), declared: declaredBy(methods)}
	w.tokens(t, s.External)
	w.serve(t, s, methods)
	t.Run("methods", func(t *testing.T) {
		for _, m := range methods {
			t.Run(string(m.FullName()), func(t *testing.T) {
				t.Parallel()
				w.method(t, m)
			})
		}
	})
	t.Logf("%d combinations, %d of them admitted: %d methods, %d sets of roles, %d kinds of tokens, %d states of knowledge",
		w.calls.Load(), w.admitted.Load(), len(methods), len(w.callers()), len(w.kinds), len(w.states))
	if w.log.leaked.Load() {
		t.Error("the log holds a token")
	}
}

// methods are those of all services that the policy knows.
func (s Service) methods(t *testing.T) []protoreflect.MethodDescriptor {
	t.Helper()
	files := s.Files
	if files == nil {
		files = protoregistry.GlobalFiles
	}
	var names []string
	for _, rule := range s.Policy.Rules() {
		names = append(names, strings.Split(rule.Method, "/")[1])
	}
	var out []protoreflect.MethodDescriptor
	for _, name := range slices.Compact(names) {
		d, err := files.FindDescriptorByName(protoreflect.FullName(name))
		if err != nil {
			t.Fatalf("service %s: %v", name, err)
		}
		service, ok := d.(protoreflect.ServiceDescriptor)
		if !ok {
			t.Fatalf("%s is no service", name)
		}
		for i := range service.Methods().Len() {
			out = append(out, service.Methods().Get(i))
		}
	}
	return out
}

// walk is one of them. What it holds is not changed after the calls began.
type walk struct {
	log      *log
	roles    map[string][]string // role -> permissions
	declared declared
	states   []knowledge
	kinds    []kind
	issuers  *issuers
	minted   []caller
	verifier interceptors.Verifier
	source   *source
	client   client

	calls, admitted atomic.Int64
}

// method calls one method in every combination. Its calls come one after the
// other, so that what the log holds of it is of one call.
func (w *walk) method(t *testing.T, m protoreflect.MethodDescriptor) {
	rule := ruleOf(m)
	failures, n := 0, m.Index()
	for _, c := range w.minted {
		if time.Since(c.at) > young {
			c = w.mint(t, c)
		}
		for _, r := range requests(m, rule, c.subject) {
			if n++; n%thin != 0 {
				continue
			}
			w.calls.Add(1)
			want := w.expected(rule, c, r)
			if want.reason == "" {
				w.admitted.Add(1)
			}
			err := w.client.call(t.Context(), m, c, r)
			for _, wrong := range w.judge(m, c, want, err) {
				if failures++; failures > 10 {
					t.Fatal("and so on")
				}
				t.Errorf("%s, roles %v, token %s, revocations %s: %s (%v)", r.name, c.roles, c.kind.name, c.knows.name, wrong, err)
			}
		}
	}
}
