package postgres_test

import (
	"slices"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/jackc/pgx/v5"

	"github.com/curfew-platform/curfew/services/orders/internal/order"
	"github.com/curfew-platform/curfew/services/orders/internal/ordertest"
)

// There is one state machine: what the database enforces is what the code
// computes available_actions from and what the docs draw.
func TestTheDatabaseHoldsTheStateMachineOfTheCode(t *testing.T) {
	t.Parallel()
	shop := ordertest.NewShop(t)
	rows, err := shop.DB.Query(t.Context(), `SELECT from_state, action, actor_kind, to_state FROM order_transitions ORDER BY 1, 2, 3, 4`)
	if err != nil {
		t.Fatal(err)
	}
	stored, err := pgx.CollectRows(rows, pgx.RowToStructByPos[order.Transition])
	if err != nil {
		t.Fatal(err)
	}
	coded := order.Transitions()
	slices.SortFunc(coded, byRow)
	slices.SortFunc(stored, byRow)
	if diff := cmp.Diff(coded, stored); diff != "" {
		t.Errorf("code and database differ (-code +database):\n%s", diff)
	}
	type state struct {
		State              order.State
		Code               string
		Editable, Terminal bool
	}
	rows, err = shop.DB.Query(t.Context(), `SELECT state, code, editable, terminal FROM order_states ORDER BY 1`)
	if err != nil {
		t.Fatal(err)
	}
	storedStates, err := pgx.CollectRows(rows, pgx.RowToStructByPos[state])
	if err != nil {
		t.Fatal(err)
	}
	var codedStates []state
	for _, s := range order.States() {
		codedStates = append(codedStates, state{s, s.String(), s.Editable(), s.Terminal()})
	}
	if diff := cmp.Diff(codedStates, storedStates); diff != "" {
		t.Errorf("code and database differ (-code +database):\n%s", diff)
	}
}

func byRow(a, b order.Transition) int {
	switch {
	case a.From != b.From:
		return int(a.From - b.From)
	case a.Action != b.Action:
		return compare(string(a.Action), string(b.Action))
	default:
		return compare(string(a.Kind), string(b.Kind))
	}
}

func compare(a, b string) int {
	if a < b {
		return -1
	}
	return 1
}
