package order

import "fmt"

// State is where an order is in its life. The numbers are those of the
// contract and of the database.
type State int16

// The states that an order can reach.
const (
	PendingPayment State = 1
	Paying         State = 2
	Confirmed      State = 3
	Cancelling     State = 8
	Cancelled      State = 9
	Expired        State = 10
)

// States lists every state, in the order of their numbers.
func States() []State {
	return []State{PendingPayment, Paying, Confirmed, Cancelling, Cancelled, Expired}
}

// String is the name of the state in the contract, without its prefix.
func (s State) String() string {
	switch s {
	case PendingPayment:
		return "PENDING_PAYMENT"
	case Paying:
		return "PAYING"
	case Confirmed:
		return "CONFIRMED"
	case Cancelling:
		return "CANCELLING"
	case Cancelled:
		return "CANCELLED"
	case Expired:
		return "EXPIRED"
	}
	return fmt.Sprintf("STATE_%d", int16(s))
}

// Editable says whether lines, address, points and note may change.
func (s State) Editable() bool { return s == PendingPayment }

// Terminal says whether the state is never left.
func (s State) Terminal() bool { return s == Cancelled || s == Expired }

// ActorKind is the kind of who changes an order.
type ActorKind string

// The kinds of actors.
const (
	ByCustomer ActorKind = "customer"
	ByStaff    ActorKind = "staff"
	BySystem   ActorKind = "system"
)

// Action is what changes an order: an RPC, or an internal event in lower case.
type Action string

// The actions. An RPC may stand for several, told apart after the dot.
const (
	ActionCreate           Action = "CreateOrder"
	ActionUpdate           Action = "UpdateOrder"
	ActionPay              Action = "PayOrder"
	ActionPayFree          Action = "PayOrder.free"
	ActionCancel           Action = "CancelOrder"
	ActionExpire           Action = "payment.expired"
	ActionPaymentSucceeded Action = "payment.succeeded"
	ActionPaymentDeclined  Action = "payment.declined"
	ActionRefundSucceeded  Action = "refund.succeeded"
	ActionRefundFailed     Action = "refund.failed"
	ActionMoneyReturned    Action = "money.returned"
)
