package rpc

import (
	"context"
	"strconv"

	"google.golang.org/protobuf/types/known/timestamppb"

	"github.com/curfew-platform/curfew/pkg/server/pagetoken"
	ordersv1 "github.com/curfew-platform/curfew/proto/gen/curfew/orders/v1"
	"github.com/curfew-platform/curfew/services/orders/internal/postgres"
)

// Statistics is what the statistics service needs of the database.
type Statistics interface {
	QueryStats(ctx context.Context, q postgres.StatsQuery, after postgres.StatsPosition, limit int) (*postgres.Stats, error)
}

// StatsServer implements ordersv1.OrderStatsServiceServer.
type StatsServer struct {
	ordersv1.UnsafeOrderStatsServiceServer

	Stats Statistics
	Pages *pagetoken.Sealer
}

var _ ordersv1.OrderStatsServiceServer = (*StatsServer)(nil)

//nolint:gochecknoglobals // A constant table.
var buckets = map[ordersv1.QueryOrderStatsRequest_Granularity]string{
	ordersv1.QueryOrderStatsRequest_GRANULARITY_HOUR:  "hour",
	ordersv1.QueryOrderStatsRequest_GRANULARITY_DAY:   "day",
	ordersv1.QueryOrderStatsRequest_GRANULARITY_MONTH: "month",
}

// QueryOrderStats implements ordersv1.OrderStatsServiceServer.
func (s *StatsServer) QueryOrderStats(ctx context.Context, r *ordersv1.QueryOrderStatsRequest) (*ordersv1.QueryOrderStatsResponse, error) {
	principal, err := caller(ctx)
	if err != nil {
		return nil, err
	}
	q := postgres.StatsQuery{Bucket: buckets[r.GetGranularity()]}
	if q.Bucket == "" {
		return nil, invalid("granularity", "must be set")
	}
	if q.From, err = moment("start_time", r.GetStartTime()); err != nil {
		return nil, err
	}
	if q.Until, err = moment("end_time", r.GetEndTime()); err != nil {
		return nil, err
	}
	list := []string{"QueryOrderStats", principal, q.Bucket, strconv.FormatInt(q.From.UnixNano(), 10), strconv.FormatInt(q.Until.UnixNano(), 10)}
	var after postgres.StatsPosition
	if _, err := s.Pages.Open(r.GetPageToken(), &after, list...); err != nil {
		return nil, fail(err)
	}
	stats, err := s.Stats.QueryStats(ctx, q, after, pageSize(r.GetPageSize(), defaultStats, maxStats))
	if err != nil {
		return nil, fail(err)
	}
	return s.message(stats, list)
}

func (s *StatsServer) message(stats *postgres.Stats, list []string) (*ordersv1.QueryOrderStatsResponse, error) {
	out := &ordersv1.QueryOrderStatsResponse{WatermarkTime: timestamppb.New(stats.Watermark)}
	for _, row := range stats.Rows {
		out.Rows = append(out.Rows, &ordersv1.QueryOrderStatsResponse_Row{
			StartTime:      timestamppb.New(row.Start),
			OrderState:     ordersv1.Order_State(row.State),
			OrderCount:     row.Orders,
			UnitCount:      row.Units,
			GrossAmount:    moneyMessage(row.Currency, row.GrossMinor),
			RefundedAmount: moneyMessage(row.Currency, row.RefundedMinor),
		})
	}
	if !stats.More {
		return out, nil
	}
	last := stats.Rows[len(stats.Rows)-1]
	var err error
	out.NextPageToken, err = s.Pages.Seal(postgres.StatsPosition{Start: last.Start, State: last.State, Currency: last.Currency}, list...)
	return out, err
}
