package postgres

import (
	"cmp"
	"slices"
	"time"

	"github.com/curfew-platform/curfew/pkg/interceptors/revocation"
)

// rows are rules as the arrays of one statement.
type rows struct {
	kinds        []int16
	issuers, ids []string
	values       []int64
	ends         []time.Time
}

// rowsOf sorts rules by target, so that two transactions that write the same
// ones do not deadlock, and keeps one for each: a statement may change a row
// once only.
func rowsOf(rules []revocation.Rule) (rows, error) {
	var out rows
	sorted := slices.Clone(rules)
	slices.SortFunc(sorted, func(a, b revocation.Rule) int {
		return cmp.Or(cmp.Compare(a.Kind, b.Kind), cmp.Compare(a.Issuer, b.Issuer), cmp.Compare(a.ID, b.ID))
	})
	for i, r := range sorted {
		if err := r.Validate(); err != nil {
			return rows{}, err
		}
		value, end := r.Epoch, r.ForgetAfter()
		if r.Kind == revocation.KindSubjectBlock {
			value = r.Until.UnixMicro()
		}
		if i > 0 && sorted[i-1].Kind == r.Kind && sorted[i-1].Issuer == r.Issuer && sorted[i-1].ID == r.ID {
			last := len(out.kinds) - 1
			out.values[last] = max(out.values[last], value)
			if end.After(out.ends[last]) {
				out.ends[last] = end
			}
			continue
		}
		out.kinds = append(out.kinds, int16(r.Kind))
		out.issuers = append(out.issuers, r.Issuer)
		out.ids = append(out.ids, r.ID)
		out.values = append(out.values, value)
		out.ends = append(out.ends, end)
	}
	return out, nil
}
