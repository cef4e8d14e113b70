package rpc

import (
	"github.com/curfew-platform/curfew/pkg/server/pagetoken"
	ordersv1 "github.com/curfew-platform/curfew/proto/gen/curfew/orders/v1"
	"github.com/curfew-platform/curfew/services/orders/internal/postgres"
)

// Page sizes: what is given if none is asked for, and the most that is given.
const (
	defaultOrders, maxOrders     = 50, 100
	defaultProducts, maxProducts = 50, 500
	defaultStats, maxStats       = 1000, 10000
)

func pageSize(asked int32, standard, most int) int {
	if asked == 0 {
		return standard
	}
	return min(int(asked), most)
}

// orderPage makes the messages of a page and the token of the next one.
func orderPage(p *postgres.OrderPage, principal string, pages *pagetoken.Sealer, list ...string) (orders []*ordersv1.Order, next string, err error) {
	for _, o := range p.Orders {
		orders = append(orders, orderMessage(o, principal))
	}
	if p.Next != nil {
		next, err = pages.Seal(p.Next, list...)
	}
	return orders, next, err
}
