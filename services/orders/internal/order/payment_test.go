package order_test

import (
	"testing"

	"pgregory.net/rapid"

	"github.com/curfew-platform/curfew/services/orders/internal/order"
)

// machine is one payment of one order, driven by random outcomes.
type machine struct {
	state    order.State
	payment  order.PaymentState
	open     order.Operation // what the provider was asked for; empty: nothing
	live     bool            // the provider holds an authorization
	captured int64
	refunded int64
}

const amount = 100

func (m *machine) outcome(outcome order.Outcome) {
	op := m.open
	m.open = ""
	switch { // what the provider did
	case op == order.Authorize:
		m.live = outcome == order.Accepted
	case op == order.Capture && outcome == order.Accepted, op == order.Void && outcome != order.Never:
		m.live = false
	}
	c := order.Decide(op, outcome, m.state)
	if c.Payment != "" {
		m.payment = c.Payment
	}
	if c.Payment == order.PaymentCaptured {
		m.captured = amount
	}
	if c.Refund == order.RefundSucceeded {
		m.refunded = amount
	}
	m.open = c.Next
	m.move(c.Order)
	m.settle()
}

func (m *machine) move(a order.Action) {
	if a == "" {
		return
	}
	to, err := order.Next(m.state, a, order.BySystem)
	if err != nil {
		panic(err)
	}
	m.state = to
}

func (m *machine) settle() {
	if m.state != order.Cancelling || m.open != "" {
		return
	}
	need := order.Settle(order.Held{State: m.payment, Captured: m.captured, Refunded: m.refunded})
	switch {
	case need.Void:
		m.payment, m.open = order.PaymentVoiding, order.Void
	case need.RefundMinor > 0:
		m.open = order.RefundAmount
	case need.Done:
		m.move(order.ActionMoneyReturned)
	}
}

// Whatever the provider answers and whenever staff cancel: money and state
// agree, nothing is stuck without an operation under way, and a provider that
// says yes at last brings every order to rest.
func TestMoneyAndStateAgreeWhateverTheProviderAnswers(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		m := &machine{state: order.Paying, payment: order.PaymentAuthorizing, open: order.Authorize}
		check := func() {
			rest := m.captured == m.refunded && !m.live && m.open == ""
			switch m.state {
			case order.Confirmed:
				if m.captured != amount || m.refunded != 0 || m.open != "" {
					t.Fatalf("CONFIRMED with %+v", m)
				}
			case order.PendingPayment, order.Cancelled:
				if !rest {
					t.Fatalf("money or an operation is left: %+v", m)
				}
			case order.Paying, order.Cancelling:
				if m.open == "" {
					t.Fatalf("stuck: %+v", m)
				}
			}
			if m.refunded > m.captured {
				t.Fatalf("over-refund: %+v", m)
			}
		}
		for range rapid.IntRange(0, 12).Draw(t, "steps") {
			check()
			if to, err := order.Next(m.state, order.ActionCancel, order.ByStaff); err == nil && m.state != order.PendingPayment && rapid.IntRange(0, 3).Draw(t, "cancel") == 0 {
				m.state = to
				m.settle()
				continue
			}
			if m.open == "" {
				break
			}
			m.outcome(rapid.SampledFrom([]order.Outcome{order.Accepted, order.Declined, order.Never}).Draw(t, "outcome"))
		}
		check()
		for range 5 {
			if m.open != "" {
				m.outcome(order.Accepted)
			}
		}
		if m.state == order.Paying || m.state == order.Cancelling {
			t.Fatalf("not at rest: %+v", m)
		}
	})
}
