package authztest

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/curfew-platform/curfew/pkg/interceptors/identity"
	"github.com/curfew-platform/curfew/pkg/interceptors/revocation"
	"github.com/curfew-platform/curfew/pkg/interceptors/revocation/memory"
	"github.com/curfew-platform/curfew/pkg/interceptors/token"
)

// knowledge is what a server knows about revocations when a call comes.
type knowledge struct {
	name     string
	fresh    bool
	staleFor time.Duration
	// answer is what comes of asking the issuer: "" if it calls the token active,
	// else the reason of the refusal.
	answer string
}

// states are fresh, both sides of every bound, and never known; each answer of
// the issuer where a method asks for it.
func (d declared) states() []knowledge {
	states := []knowledge{{name: "fresh", fresh: true}}
	for _, bound := range d.bounds {
		states = append(states,
			knowledge{name: fmt.Sprintf("stale for %s", bound), staleFor: bound},
			knowledge{name: fmt.Sprintf("stale for more than %s", bound), staleFor: bound + 1})
	}
	states = append(states, knowledge{name: "never known", staleFor: revocation.Unknown})
	if d.introspect {
		states = append(states,
			knowledge{name: "never known, the issuer calls the token inactive", staleFor: revocation.Unknown, answer: "TOKEN_REVOKED"},
			knowledge{name: "never known, the issuer is away", staleFor: revocation.Unknown, answer: "REVOCATION_UNKNOWN"})
	}
	return states
}

// source is a set of rules whose freshness is chosen for each token.
type source struct {
	*memory.Source

	knows map[string]knowledge // by jti
}

// Check implements revocation.Source.
func (s *source) Check(id *identity.Identity) revocation.Verdict {
	k, ok := s.knows[id.TokenID]
	if !ok {
		k.staleFor = revocation.Unknown
	}
	return revocation.Verdict{Revoked: s.Source.Check(id).Revoked, Fresh: k.fresh, StaleFor: k.staleFor}
}

// Introspect implements interceptors.Introspector.
func (s *source) Introspect(_ context.Context, id *identity.Identity, _ token.Raw) error {
	switch k, ok := s.knows[id.TokenID]; {
	case ok && k.answer == "":
		return nil
	case ok && k.answer == "TOKEN_REVOKED":
		return revocation.ErrRevoked
	default:
		return errors.New("the issuer is away")
	}
}
