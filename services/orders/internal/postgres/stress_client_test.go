package postgres_test

import (
	"context"
	"errors"

	"github.com/google/uuid"

	"github.com/curfew-platform/curfew/services/orders/internal/order"
	"github.com/curfew-platform/curfew/services/orders/internal/ordertest"
	"github.com/curfew-platform/curfew/services/orders/internal/postgres"
)

const (
	stressProducts = 12
	stressUsers    = 30
)

// act does one random thing, as a client or as staff would. The result may be a
// refusal or an unknown outcome; anything else fails the run.
func (s *stress) act(ctx context.Context) {
	switch n := s.rng.N(100); {
	case n < 35:
		s.create(ctx)
	case n < 60:
		s.pay(ctx)
	case n < 70:
		s.edit(ctx)
	case n < 82:
		s.cancel(ctx, order.ByCustomer, `state IN (1, 3)`)
	case n < 90:
		s.cancel(ctx, order.ByStaff, `state IN (1, 2, 3)`)
	case n < 95:
		s.note("expire", second(s.shop.Store.ExpireOrders(ctx, 5)))
	default:
		s.restock(ctx)
	}
}

func second[T any](_ T, err error) error { return err }

func (s *stress) user() uuid.UUID { return s.users[s.rng.N(len(s.users))] }

// create sends a request, sometimes twice at once, and again after an unknown
// outcome: always the same request.
func (s *stress) create(ctx context.Context) {
	user := s.user()
	req := ordertest.Request(user, "CreateOrder")
	n := ordertest.NewOrder(user)
	n.Points = int64(s.rng.N(3)) * 50
	first := s.rng.N(stressProducts)
	for k := range 1 + s.rng.N(3) {
		n.Wishes = append(n.Wishes, order.Wish{SKU: ordertest.SKU((first + k*5) % stressProducts), Quantity: 1 + s.rng.N(2)})
	}
	send := func() error {
		m := n
		m.ID = uuid.Must(uuid.NewV7())
		return second(s.shop.Store.CreateOrder(ctx, req, m))
	}
	if s.rng.N(4) == 0 {
		done := make(chan error, 1)
		go func() { done <- send() }()
		s.note("create", send())
		s.note("create, twin", <-done)
	}
	err := send()
	s.note("create", err)
	if errors.Is(err, order.ErrUnavailable) || s.rng.N(3) == 0 {
		s.note("create, again", send())
	}
}

// pick returns one of the newest orders in a state.
func (s *stress) pick(ctx context.Context, condition string) *order.Order {
	o := &order.Order{}
	err := s.shop.DB.QueryRow(ctx, `SELECT order_id, user_id FROM orders WHERE `+condition+` ORDER BY create_time DESC OFFSET $1 LIMIT 1`, s.rng.N(12)).Scan(&o.ID, &o.User)
	if err != nil {
		return nil
	}
	return o
}

// pay begins a payment; the process may die before the call, and an answer may
// come a second time.
func (s *stress) pay(ctx context.Context) {
	o := s.pick(ctx, `state = 1`)
	if o == nil {
		return
	}
	req := ordertest.PayRequest(o.User)
	n := postgres.NewPayment{User: o.User, Order: o.ID, MethodToken: "card"}
	_, attempt, err := s.shop.Store.BeginPayment(ctx, req, n)
	s.note("pay", err)
	if attempt == nil {
		return
	}
	if s.rng.N(20) == 0 {
		s.count.add("died before the call")
		return
	}
	s.note("drive", s.shop.Driver.Drive(ctx, attempt))
	if accepted, found, err := s.shop.Provider.Find(ctx, attempt.ID); err == nil && found && s.rng.N(4) == 0 {
		s.count.add("answer came again")
		s.note("apply again", second(s.shop.Store.Apply(ctx, attempt.ID, order.Answer(accepted))))
	}
	if s.rng.N(3) == 0 {
		_, _, err := s.shop.Store.BeginPayment(ctx, req, n)
		s.note("pay, again", err)
	}
}

func (s *stress) edit(ctx context.Context) {
	o := s.pick(ctx, `state = 1`)
	if o == nil {
		return
	}
	e := postgres.OrderEdit{User: o.User, ID: o.ID}
	if s.rng.N(2) == 0 {
		e.Wishes = []order.Wish{{SKU: ordertest.SKU(s.rng.N(stressProducts)), Quantity: 1 + s.rng.N(3)}}
	}
	if points := int64(s.rng.N(3)) * 30; s.rng.N(2) == 0 {
		e.Points = &points
	}
	s.note("edit", second(s.shop.Store.UpdateOrder(ctx, ordertest.Request(o.User, "UpdateOrder"), e)))
}

func (s *stress) cancel(ctx context.Context, by order.ActorKind, condition string) {
	o := s.pick(ctx, condition)
	if o == nil {
		return
	}
	req := ordertest.Request(o.User, "CancelOrder")
	req.Actor.Kind = by
	s.note("cancel", second(s.shop.Store.CancelOrder(ctx, req, postgres.Cancellation{User: o.User, Order: o.ID})))
}

// restock gives scarce products some more stock, as staff do.
func (s *stress) restock(ctx context.Context) {
	sku := ordertest.SKU(s.rng.N(stressProducts))
	p, err := s.shop.Store.GetProduct(ctx, sku)
	if err == nil {
		_, err = s.shop.Store.UpsertProduct(ctx, ordertest.Staff("UpsertProduct"), postgres.ProductChange{
			SKU: sku, Title: p.Title, Currency: p.Currency, UnitMinor: p.UnitMinor, Sellable: true, OnHand: p.OnHand + 5,
		})
	}
	s.note("restock", err)
}
