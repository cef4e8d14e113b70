package orders

import (
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/uuid"
	"google.golang.org/protobuf/types/known/timestamppb"

	"github.com/curfew-platform/curfew/pkg/interceptors/status"
	ordersv1 "github.com/curfew-platform/curfew/proto/gen/curfew/orders/v1"
	"github.com/curfew-platform/curfew/services/orders/internal/ordertest"
)

// Statistics count what was committed before their watermark, whether it was
// folded into hours or not.
func TestStatisticsAreARecountUpToTheirWatermark(t *testing.T) {
	t.Parallel()
	a := newAPI(t)
	a.Product(t, "a", 1000, 1000)
	user := uuid.New()
	customer, admin := a.as(t, user, "customer"), a.as(t, uuid.New(), "admin")
	for i := range 9 {
		o := a.Order(t, user, "a")
		if i%3 == 0 {
			continue
		}
		if _, err := a.Pay(t.Context(), ordertest.PayRequest(user), o, "card"); err != nil {
			t.Fatal(err)
		}
		if i%3 == 2 {
			name := "users/" + user.String() + "/orders/" + o.ID.String()
			if _, err := a.commands.CancelOrder(customer, &ordersv1.CancelOrderRequest{Name: name, RequestId: uuid.NewString()}); err != nil {
				t.Fatal(err)
			}
		}
	}
	a.Settle(t)
	var committed time.Time
	if err := a.DB.QueryRow(t.Context(), `SELECT clock_timestamp()`).Scan(&committed); err != nil {
		t.Fatal(err)
	}
	for _, fold := range []int{0, 7, 1000} {
		if fold > 0 {
			if n, err := a.Store.FoldStats(t.Context(), fold); err != nil || n == 0 {
				t.Fatalf("folded %d, %v", n, err)
			}
		}
		got, err := a.stats.QueryOrderStats(admin, statsRequest())
		if err != nil {
			t.Fatal(err)
		}
		if got.GetWatermarkTime().AsTime().Before(committed) {
			t.Errorf("watermark %v is before the last commit", got.GetWatermarkTime().AsTime())
		}
		want := map[ordersv1.Order_State][4]int64{
			ordersv1.Order_STATE_PENDING_PAYMENT: {3, 3, 30, 0},
			ordersv1.Order_STATE_CONFIRMED:       {3, 3, 30, 0},
			ordersv1.Order_STATE_CANCELLED:       {3, 3, 30, 30},
		}
		counted := map[ordersv1.Order_State][4]int64{} // of two days, at midnight
		for _, r := range got.GetRows() {
			row := counted[r.GetOrderState()]
			for i, n := range []int64{r.GetOrderCount(), r.GetUnitCount(), r.GetGrossAmount().GetUnits(), r.GetRefundedAmount().GetUnits()} {
				row[i] += n
			}
			counted[r.GetOrderState()] = row
		}
		if diff := cmp.Diff(want, counted); diff != "" {
			t.Errorf("%d folded:\n%s", fold, diff)
		}
		ordertest.Check(t, a.DB)
	}
}

func TestStatisticsComeInPages(t *testing.T) {
	t.Parallel()
	a := newAPI(t)
	a.Product(t, "a", 1000, 1000)
	user := uuid.New()
	for range 3 {
		a.Order(t, user, "a")
	}
	paid := a.Order(t, user, "a")
	if _, err := a.Pay(t.Context(), ordertest.PayRequest(user), paid, "card"); err != nil {
		t.Fatal(err)
	}
	ctx := a.as(t, uuid.New(), "operator")
	states, days := map[ordersv1.Order_State]bool{}, map[time.Time]bool{} // two days, at midnight
	var rows int
	r := statsRequest() // the same times on every page
	r.PageSize = 1
	for token, page := "", 0; page == 0 || token != ""; page++ {
		r.PageToken = token
		got, err := a.stats.QueryOrderStats(ctx, r)
		if err != nil {
			t.Fatal(err)
		}
		for _, row := range got.GetRows() {
			states[row.GetOrderState()], days[row.GetStartTime().AsTime()] = true, true
			rows++
		}
		token = got.GetNextPageToken()
	}
	if len(states) != 2 || !states[ordersv1.Order_STATE_PENDING_PAYMENT] || !states[ordersv1.Order_STATE_CONFIRMED] || rows > len(states)*len(days) {
		t.Errorf("%d rows of %d days: %v", rows, len(days), states)
	}
}

func TestATimeRangeThatIsNoneIsRefused(t *testing.T) {
	t.Parallel()
	a := newAPI(t)
	ctx := a.as(t, uuid.New(), "admin")
	for name, change := range map[string]func(*ordersv1.QueryOrderStatsRequest){
		"no start":         func(r *ordersv1.QueryOrderStatsRequest) { r.StartTime = nil },
		"an end before it": func(r *ordersv1.QueryOrderStatsRequest) { r.EndTime = timestamppb.New(time.Unix(0, 0)) },
		"a century":        func(r *ordersv1.QueryOrderStatsRequest) { r.StartTime = timestamppb.New(time.Unix(-2e9, 0)) },
		"no granularity":   func(r *ordersv1.QueryOrderStatsRequest) { r.Granularity = 0 },
		"no time at all":   func(r *ordersv1.QueryOrderStatsRequest) { r.StartTime = &timestamppb.Timestamp{Nanos: -1} },
		"a negative page":  func(r *ordersv1.QueryOrderStatsRequest) { r.PageSize = -1 },
	} {
		r := statsRequest()
		change(r)
		if _, err := a.stats.QueryOrderStats(ctx, r); status.Reason(err) != "REQUEST_INVALID" {
			t.Errorf("%s: %v", name, err)
		}
	}
}
