package order

import "strings"

// Transition is one row of the state machine: in From, an actor of the kind
// may do Action, and the order is in To after it. From and To may be the same.
type Transition struct {
	From   State
	Action Action
	Kind   ActorKind
	To     State
}

// Transitions is the whole state machine. The database holds the same rows and
// refuses every other change, whoever makes it.
func Transitions() []Transition {
	return []Transition{
		{PendingPayment, ActionUpdate, ByCustomer, PendingPayment},
		{PendingPayment, ActionPay, ByCustomer, Paying},
		{PendingPayment, ActionPayFree, ByCustomer, Confirmed},
		{PendingPayment, ActionCancel, ByCustomer, Cancelled},
		{PendingPayment, ActionCancel, ByStaff, Cancelled},
		{PendingPayment, ActionExpire, BySystem, Expired},
		{Paying, ActionPaymentSucceeded, BySystem, Confirmed},
		{Paying, ActionPaymentDeclined, BySystem, PendingPayment},
		{Paying, ActionCancel, ByStaff, Cancelling},
		{Confirmed, ActionCancel, ByCustomer, Cancelling},
		{Confirmed, ActionCancel, ByStaff, Cancelling},
		{Cancelling, ActionRefundSucceeded, BySystem, Cancelling},
		{Cancelling, ActionRefundFailed, BySystem, Cancelling},
		{Cancelling, ActionMoneyReturned, BySystem, Cancelled},
	}
}

// Next returns the state that the action leads to, or an *IllegalTransition.
func Next(from State, action Action, kind ActorKind) (State, error) {
	for _, t := range Transitions() {
		if t.From == from && t.Action == action && t.Kind == kind {
			return t.To, nil
		}
	}
	return 0, &IllegalTransition{State: from, Action: action}
}

// Available returns the RPCs that an actor of the kind may use on an order in
// this state, in the order of the table.
func Available(from State, kind ActorKind) []string {
	var names []string
	seen := map[string]bool{}
	for _, t := range Transitions() {
		rpc, _, _ := strings.Cut(string(t.Action), ".")
		if t.From != from || t.Kind != kind || kind == BySystem || seen[rpc] {
			continue
		}
		seen[rpc] = true
		names = append(names, rpc)
	}
	return names
}
