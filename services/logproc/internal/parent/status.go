package parent

import (
	"github.com/google/uuid"

	"github.com/curfew-platform/curfew/services/logproc/internal/ledger"
	"github.com/curfew-platform/curfew/services/logproc/internal/worker"
)

// Status is what the parent knows at one moment.
type Status struct {
	// Owners are the slots of the workers that hold a grant; isolated
	// partitions are not among them.
	Owners map[ledger.Key]int
	// Isolated are the partitions in processes of their own.
	Isolated []ledger.Key
	// Tally is the sum over all grants so far.
	Tally worker.Tally
	// Steals counts grants after a fenced notice.
	Steals int64
}

// Status returns a copy.
func (p *Parent) Status() Status {
	p.mu.Lock()
	defer p.mu.Unlock()
	s := Status{Owners: map[ledger.Key]int{}, Tally: p.books.closed, Steals: p.steals}
	for key, q := range p.partitions {
		switch {
		case q.token == uuid.Nil:
		case q.isolated:
			s.Isolated = append(s.Isolated, key)
		default:
			s.Owners[key] = q.slot
		}
	}
	for _, e := range p.books.pending {
		s.Tally.Add(e.last.Tally)
	}
	return s
}
