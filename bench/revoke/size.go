package revoke

import (
	"fmt"
	"io"
	"runtime"
	"time"
	"unsafe"

	"github.com/curfew-platform/curfew/pkg/interceptors/revocation"
)

// Size is what one of something costs in memory.
type Size struct {
	Name  string
	Bytes float64
}

// Title is the name.
func (s Size) Title() string { return s.Name }

// Met is always true: there is no goal.
func (s Size) Met() bool { return true }

// Print writes one line.
func (s Size) Print(w io.Writer) { fmt.Fprintf(w, "%s\n  %.0f bytes\n", s.Name, s.Bytes) }

// sizes measures a rule at both sides.
func sizes() []Size {
	list := make([]revocation.Rule, rules)
	before := inUse()
	for i := range list {
		list[i] = revocation.Rule{
			Seq: int64(i), Kind: revocation.KindSession, Issuer: issuer, ID: fmt.Sprintf("%036d", i), KeepUntil: time.Now().Add(time.Hour),
		}
	}
	engine := inUse() - before + rules*uint64(unsafe.Sizeof(list[0]))
	before = inUse()
	set := (*revocation.Set)(nil).With(list...)
	replica := inUse() - before
	runtime.KeepAlive(list)
	runtime.KeepAlive(set)
	return []Size{
		{Name: fmt.Sprintf("memory of a rule at the engine, of %d", rules), Bytes: float64(engine) / rules},
		{Name: fmt.Sprintf("memory of a rule at a replica, of %d", rules), Bytes: float64(replica) / rules},
	}
}
