package order_test

import (
	"slices"
	"testing"

	"github.com/curfew-platform/curfew/services/orders/internal/order"
)

// reach returns the states that can be reached, in any number of steps.
func reach(from order.State) map[order.State]bool {
	seen := map[order.State]bool{from: true}
	for grown := true; grown; {
		grown = false
		for _, t := range order.Transitions() {
			if seen[t.From] && !seen[t.To] {
				seen[t.To], grown = true, true
			}
		}
	}
	return seen
}

func TestTheStateMachineHasNoDeadEnd(t *testing.T) {
	t.Parallel()
	born := reach(order.PendingPayment)
	for _, s := range order.States() {
		if !born[s] {
			t.Errorf("no order can get into %v", s)
		}
		ends := reach(s)
		if !s.Terminal() && !ends[order.Cancelled] && !ends[order.Expired] {
			t.Errorf("no final state can be reached from %v", s)
		}
		for _, tr := range order.Transitions() {
			if s.Terminal() && tr.From == s {
				t.Errorf("final state %v is left by %v", s, tr.Action)
			}
		}
	}
}

func TestNoTransitionPassesThePaymentBy(t *testing.T) {
	t.Parallel()
	for _, tr := range order.Transitions() {
		if tr.To == order.Confirmed && tr.From != order.Confirmed && tr.Action != order.ActionPaymentSucceeded && tr.Action != order.ActionPayFree {
			t.Errorf("%v enters CONFIRMED without a payment", tr.Action)
		}
		if tr.From == order.Paying && (tr.To == order.Expired || tr.To == order.Cancelled) {
			t.Errorf("%v leaves PAYING for %v, though money may still come", tr.Action, tr.To)
		}
		if tr.From == order.Paying && tr.Kind == order.ByCustomer {
			t.Errorf("a customer may do %v while PAYING", tr.Action)
		}
		if tr.To == order.Expired && tr.From != order.PendingPayment {
			t.Errorf("%v expires", tr.From)
		}
	}
}

func TestAvailableActionsAreRPCsOfTheActor(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		state order.State
		kind  order.ActorKind
		want  []string
	}{
		{order.PendingPayment, order.ByCustomer, []string{"UpdateOrder", "PayOrder", "CancelOrder"}},
		{order.PendingPayment, order.ByStaff, []string{"CancelOrder"}},
		{order.Paying, order.ByCustomer, nil},
		{order.Paying, order.ByStaff, []string{"CancelOrder"}},
		{order.Paying, order.BySystem, nil},
		{order.Confirmed, order.ByCustomer, []string{"CancelOrder"}},
		{order.Cancelled, order.ByStaff, nil},
	} {
		if got := order.Available(c.state, c.kind); !slices.Equal(got, c.want) {
			t.Errorf("%v, %v: got %v, want %v", c.state, c.kind, got, c.want)
		}
	}
}
