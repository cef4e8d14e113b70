package revocations

import (
	"fmt"
	"io"
	"strings"
	"text/tabwriter"
	"time"

	"google.golang.org/protobuf/types/known/timestamppb"
)

// shown bounds the receipts of a view.
const shown = 10

// write draws the view as tables.
func (v *view) write(w io.Writer) {
	fmt.Fprintf(w, "%s, head of the feed %d\n\n", v.at.UTC().Format("15:04:05.0"), v.head)
	table := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	fmt.Fprintln(table, "SERVER\tWATCHERS\tWATERMARK\tBEHIND\tROW LEASE\tLAPSED")
	for _, s := range v.servers {
		note := ""
		if !s.GetAnswering() {
			note = "\tnot asked"
		}
		fmt.Fprintf(table, "%s\t%d\t%d\t%d\t%s\t%d%s\n", clean(label(s)), s.GetWatchers(), s.GetWatermark(), max(0, v.head-s.GetWatermark()),
			v.left(s.GetLeaseUntil()), s.GetLapsed(), note)
	}
	fmt.Fprintln(table, "\nREPLICA\tPRINCIPAL\tAT\tACKED\tBEHIND\tLEASE\tAS OF")
	for _, r := range v.replicas {
		fmt.Fprintf(table, "%s\t%s\t%s\t%d\t%d\t%s\t%s\n", clean(r.GetReplicaId()), clean(r.GetPrincipal()), clean(r.server), r.GetAckedSeq(),
			max(0, v.head-r.GetAckedSeq()), v.left(r.GetLeaseUntil()), v.ago(r.GetAsOf()))
	}
	fmt.Fprintln(table, "\nRECEIPT\tACKED\tEXPIRED\tWAITED")
	for _, r := range v.receipts[:min(shown, len(v.receipts))] {
		fmt.Fprintf(table, "%d\t%d\t%d\t%v\n", r.GetSeq(), r.GetAcked(), r.GetExpired(), r.GetWaited().AsDuration().Round(10*time.Microsecond))
	}
	_ = table.Flush() // a closed pipe ends the program elsewhere
}

// left is what is left of a lease, by the clocks of two machines: for people.
func (v *view) left(until *timestamppb.Timestamp) string {
	d := until.AsTime().Sub(v.at).Round(100 * time.Millisecond)
	if until == nil || d <= 0 {
		return "none"
	}
	return d.String()
}

// ago is when a server said something of itself to another one, by the clocks of
// two machines.
func (v *view) ago(at *timestamppb.Timestamp) string {
	if at == nil {
		return "now"
	}
	return max(0, v.at.Sub(at.AsTime())).Round(100*time.Millisecond).String() + " ago"
}

// clean keeps names of others from driving the terminal.
func clean(name string) string {
	return strings.Map(func(r rune) rune {
		if r < ' ' || r == 0x7f || r >= 0x80 && r < 0xa0 {
			return '?'
		}
		return r
	}, name)
}
