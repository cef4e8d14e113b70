package order

// PaymentState is where one payment is in its life.
type PaymentState string

// The states of a payment.
const (
	PaymentAuthorizing PaymentState = "authorizing"
	PaymentAuthorized  PaymentState = "authorized"
	PaymentCapturing   PaymentState = "capturing"
	PaymentCaptured    PaymentState = "captured"
	PaymentVoiding     PaymentState = "voiding"
	PaymentVoided      PaymentState = "voided"
	PaymentFailed      PaymentState = "failed"
)

// RefundState is where a refund is in its life.
type RefundState string

// The states of a refund.
const (
	RefundProcessing RefundState = "processing"
	RefundSucceeded  RefundState = "succeeded"
	RefundFailed     RefundState = "failed"
)

// Operation is what the provider is asked for.
type Operation string

// The operations.
const (
	Authorize    Operation = "authorize"
	Capture      Operation = "capture"
	Void         Operation = "void"
	RefundAmount Operation = "refund"
)

// Outcome is what became of an operation at the provider.
type Outcome int

// The outcomes. The zero value is none of them.
const (
	// Accepted: the provider did it.
	Accepted Outcome = iota + 1
	// Declined: the provider will not do it.
	Declined
	// Never: the provider was never asked, and nobody will ask it under that
	// key any more.
	Never
)

// Answer is the outcome that a provider's answer is.
func Answer(accepted bool) Outcome {
	if accepted {
		return Accepted
	}
	return Declined
}

// Consequence is what the outcome of an operation leads to. Everything in it
// happens in one transaction, the attempt for Next included: an outcome without
// the next attempt would leave money at the provider that nobody knows of.
type Consequence struct {
	// Payment is the state that the payment enters; empty for refunds.
	Payment PaymentState
	// Next is the operation to ask for now, by a new attempt; empty for none.
	Next Operation
	// Order is the action on the order; empty for none.
	Order Action
	// Refund is the state that the refund enters; empty unless the operation was one.
	Refund RefundState
}

// Decide says what the outcome of an operation leads to, given the state that
// the locked order is in. An order that is no longer in PAYING wants no money:
// Settle returns what arrives.
//
// What never reached the provider changed nothing there: it is asked for anew
// if it is still needed. A void always is, for the authorization lives on.
func Decide(op Operation, outcome Outcome, state State) Consequence {
	paying, accepted := state == Paying, outcome == Accepted
	switch {
	case outcome == Never && (op == Void || op == RefundAmount || op == Capture && paying):
		return Consequence{Next: op}
	case op == Authorize && accepted && paying:
		return Consequence{Payment: PaymentCapturing, Next: Capture}
	case op == Authorize && accepted:
		return Consequence{Payment: PaymentAuthorized}
	case op == Authorize:
		return Consequence{Payment: PaymentFailed, Order: when(paying, ActionPaymentDeclined)}
	case op == Capture && accepted:
		return Consequence{Payment: PaymentCaptured, Order: when(paying, ActionPaymentSucceeded)}
	case op == Capture:
		return Consequence{Payment: PaymentVoiding, Next: Void}
	case op == Void:
		// A provider refuses a void only if there is nothing to void any more.
		return Consequence{Payment: PaymentVoided, Order: when(paying, ActionPaymentDeclined)}
	case accepted:
		return Consequence{Refund: RefundSucceeded, Order: ActionRefundSucceeded}
	default:
		return Consequence{Refund: RefundFailed, Order: ActionRefundFailed}
	}
}

func when(ok bool, a Action) Action {
	if ok {
		return a
	}
	return ""
}

// Held is what Settle needs to know of one payment of a cancelled order.
type Held struct {
	State                          PaymentState
	Captured, RefundHeld, Refunded int64
}

// Settlement is what one payment of an order in CANCELLING still needs.
type Settlement struct {
	// Done: no money is here and none can come.
	Done bool
	// Void the authorization.
	Void bool
	// RefundMinor is to be refunded beyond what is under way; 0 for nothing.
	RefundMinor int64
}

// Settle says what a payment of an order in CANCELLING needs. It is asked again
// after every outcome, so a refused refund leads to a new one.
func Settle(p Held) Settlement {
	switch p.State {
	case PaymentFailed, PaymentVoided:
		return Settlement{Done: true}
	case PaymentAuthorized:
		return Settlement{Void: true}
	case PaymentCaptured:
		return Settlement{Done: p.Refunded == p.Captured, RefundMinor: p.Captured - p.Refunded - p.RefundHeld}
	default: // an operation is under way; its outcome asks again
		return Settlement{}
	}
}
