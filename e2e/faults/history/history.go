// Package history records what was seen of each token and judges it.
//
// The guarantee is about calls that arrive after the revoking call returned. So
// a revocation is an interval: before its call nobody refuses the token, after
// its return nobody admits it, between the two each replica may do either. A
// single process does not go back: what it has refused it never admits again.
// Both are checked by porcupine, as linearizability of the histories.
package history

import (
	"fmt"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/anishathalye/porcupine"
)

// Kind is what happened.
type Kind int

// What happens to a token.
const (
	Admitted Kind = iota
	Refused       // with the reason that it is revoked
	begin         // of a revoking call
	end
)

// String names the kind.
func (k Kind) String() string {
	return [...]string{"admitted", "refused", "begin", "end"}[k]
}

type input struct {
	kind    Kind
	process string
}

// Token is the history of one token. Its methods may be called concurrently.
type Token struct {
	mu  sync.Mutex
	ops []porcupine.Operation
	may int64 // when the first revoking call without an outcome began; 0 if there is none
}

// Saw notes the verdict of a process, found between call and done. Without a
// name of the process only the guarantee is checked.
func (t *Token) Saw(kind Kind, process string, call, done time.Time) {
	t.add(kind, process, call.UnixNano(), done.UnixNano())
}

// Revoked notes a revoking call.
func (t *Token) Revoked(call, done time.Time) {
	t.add(begin, "", call.UnixNano(), done.UnixNano())
	t.add(end, "", call.UnixNano(), done.UnixNano())
}

// MayBeRevoked notes a revoking call whose outcome nobody knows. Of several the
// first allows what any of them does.
func (t *Token) MayBeRevoked(call time.Time) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if at := call.UnixNano(); t.may == 0 || at < t.may {
		t.may = at
	}
}

// operations returns what is judged.
func (t *Token) operations() []porcupine.Operation {
	const never = int64(1) << 62
	ops := slices.Clone(t.ops)
	if t.may != 0 {
		for _, kind := range []Kind{begin, end} {
			ops = append(ops, porcupine.Operation{Input: input{kind, ""}, Call: t.may, Return: never})
		}
	}
	return ops
}

func (t *Token) add(kind Kind, process string, call, done int64) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.ops = append(t.ops, porcupine.Operation{Input: input{kind, process}, Call: call, Return: done})
}

// Count returns how often a kind of thing happened.
func (t *Token) Count(kind Kind) (n int) {
	t.mu.Lock()
	defer t.mu.Unlock()
	for _, op := range t.ops {
		if kindOf(op) == kind {
			n++
		}
	}
	return n
}

func kindOf(op porcupine.Operation) Kind { return op.Input.(input).kind } //nolint:forcetypeassert // Only add makes them.

// Lives of a token.
const (
	valid    = iota
	revoking // a revoking call runs
	revoked
)

// guarantee is what revocation promises of all processes together.
func guarantee() porcupine.Model {
	return porcupine.Model{
		Init: func() any { return valid },
		Step: func(state, in, _ any) (bool, any) {
			life := state.(int)      //nolint:forcetypeassert // By Init.
			switch in.(input).kind { //nolint:forcetypeassert // By add.
			case Admitted:
				return life != revoked, life
			case Refused:
				return life != valid, life
			case begin:
				return true, max(life, revoking)
			default:
				return life != valid, revoked
			}
		},
	}
}

// monotony is what each process keeps by itself.
func monotony() porcupine.Model {
	return porcupine.Model{
		Partition: func(ops []porcupine.Operation) [][]porcupine.Operation {
			byProcess := map[string][]porcupine.Operation{}
			for _, op := range ops {
				kind, process := kindOf(op), op.Input.(input).process //nolint:forcetypeassert // By add.
				if process != "" && (kind == Admitted || kind == Refused) {
					byProcess[process] = append(byProcess[process], op)
				}
			}
			parts := make([][]porcupine.Operation, 0, len(byProcess))
			for _, part := range byProcess {
				parts = append(parts, part)
			}
			return parts
		},
		Init: func() any { return valid },
		Step: func(state, in, _ any) (bool, any) {
			if in.(input).kind == Refused { //nolint:forcetypeassert // By add.
				return true, revoked
			}
			return state == valid, state
		},
	}
}

// limit bounds the search in one history.
const limit = 20 * time.Second

// Check returns nil, or what is wrong with the history.
func (t *Token) Check() error {
	t.mu.Lock()
	defer t.mu.Unlock()
	ops := t.operations()
	for name, model := range map[string]porcupine.Model{
		"admitted after the revoking call returned, or refused before it was made": guarantee(),
		"a process admitted what it had refused":                                   monotony(),
	} {
		if verdict := porcupine.CheckOperationsTimeout(model, ops, limit); verdict != porcupine.Ok {
			return fmt.Errorf("%s (%s):\n%s", name, verdict, text(ops))
		}
	}
	return nil
}

func text(ops []porcupine.Operation) string {
	slices.SortFunc(ops, func(a, b porcupine.Operation) int { return int(a.Call - b.Call) })
	var b strings.Builder
	for _, op := range ops {
		in := op.Input.(input) //nolint:forcetypeassert // By add.
		fmt.Fprintf(&b, "  %s to %s: %s %s\n", moment(op.Call), moment(op.Return), in.kind, in.process)
	}
	return b.String()
}

func moment(nanos int64) string { return time.Unix(0, nanos).UTC().Format("05.000000") }
