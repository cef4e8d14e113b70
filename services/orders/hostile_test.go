package orders

import (
	"context"
	"math"
	"strings"
	"testing"

	"github.com/google/uuid"
	"google.golang.org/genproto/googleapis/type/money"
	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/protobuf/encoding/protowire"
	"google.golang.org/protobuf/types/known/fieldmaskpb"

	"github.com/curfew-platform/curfew/pkg/interceptors/status"
	ordersv1 "github.com/curfew-platform/curfew/proto/gen/curfew/orders/v1"
	"github.com/curfew-platform/curfew/services/orders/internal/ordertest"
)

// changed is a good request to create an order with one thing changed.
func changed(user uuid.UUID, f func(r *ordersv1.CreateOrderRequest)) *ordersv1.CreateOrderRequest {
	r := createRequest(user, ordertest.SKU(0))
	f(r)
	return r
}

func TestABadOrderIsRefusedWithAReasonAndChangesNothing(t *testing.T) {
	t.Parallel()
	a := newAPI(t)
	a.Products(t, 2, 1000, 20)
	user := uuid.New()
	ctx := a.as(t, user, "customer")
	type request = ordersv1.CreateOrderRequest
	quantity := func(n int32) func(*request) {
		return func(r *request) { r.Order.LineItems[0].Quantity = n }
	}
	expect := func(m *money.Money) func(*request) {
		return func(r *request) { r.Order.LineItems[0].ExpectedUnitPrice = m }
	}
	for name, c := range map[string]struct {
		change func(*request)
		code   codes.Code
		reason string
	}{
		"no order":               {func(r *request) { r.Order = nil }, codes.InvalidArgument, "REQUEST_INVALID"},
		"no lines":               {func(r *request) { r.Order.LineItems = nil }, codes.InvalidArgument, "REQUEST_INVALID"},
		"101 lines":              {func(r *request) { r.Order.LineItems = createRequest(user, skus(101)...).GetOrder().GetLineItems() }, codes.InvalidArgument, "REQUEST_INVALID"},
		"no units":               {quantity(0), codes.InvalidArgument, "REQUEST_INVALID"},
		"negative units":         {quantity(-1), codes.InvalidArgument, "REQUEST_INVALID"},
		"the least units":        {quantity(math.MinInt32), codes.InvalidArgument, "REQUEST_INVALID"},
		"the most units":         {quantity(math.MaxInt32), codes.InvalidArgument, "REQUEST_INVALID"},
		"more than there is":     {quantity(21), codes.FailedPrecondition, "OUT_OF_STOCK"},
		"an unknown product":     {func(r *request) { r.Order.LineItems[0].Sku = "unknown" }, codes.FailedPrecondition, "SKU_NOT_SELLABLE"},
		"a SKU of other letters": {func(r *request) { r.Order.LineItems[0].Sku = "a'; DROP TABLE orders; --" }, codes.InvalidArgument, "REQUEST_INVALID"},
		"a SKU with a NUL":       {func(r *request) { r.Order.LineItems[0].Sku = "a\x00" }, codes.InvalidArgument, "REQUEST_INVALID"},
		"a SKU twice": {func(r *request) {
			r.Order.LineItems = append(r.GetOrder().GetLineItems(), r.GetOrder().GetLineItems()[0])
		}, codes.InvalidArgument, "SKU_REPEATED"},
		"another price":            {expect(euros(11)), codes.FailedPrecondition, "PRICE_CHANGED"},
		"a negative price":         {expect(euros(-10)), codes.InvalidArgument, "AMOUNT_INVALID"},
		"an overflowing price":     {expect(euros(math.MaxInt64)), codes.InvalidArgument, "AMOUNT_INVALID"},
		"half a cent":              {expect(&money.Money{CurrencyCode: "EUR", Units: 10, Nanos: 5_000_000}), codes.InvalidArgument, "AMOUNT_INVALID"},
		"no currency":              {expect(&money.Money{Units: 10}), codes.InvalidArgument, "AMOUNT_INVALID"},
		"negative points":          {func(r *request) { r.Order.RedeemedPoints = -1 }, codes.InvalidArgument, "REQUEST_INVALID"},
		"overflowing points":       {func(r *request) { r.Order.RedeemedPoints = math.MaxInt64 }, codes.InvalidArgument, "REQUEST_INVALID"},
		"points nobody has":        {func(r *request) { r.Order.RedeemedPoints = 10 }, codes.FailedPrecondition, "INSUFFICIENT_POINTS"},
		"more points than amount":  {func(r *request) { r.Order.RedeemedPoints = 1001 }, codes.FailedPrecondition, "POINTS_EXCEED_AMOUNT"},
		"no address":               {func(r *request) { r.Order.ShippingAddress = nil }, codes.InvalidArgument, "REQUEST_INVALID"},
		"an empty address":         {func(r *request) { r.Order.ShippingAddress = &ordersv1.Address{} }, codes.InvalidArgument, "REQUEST_INVALID"},
		"a long note":              {func(r *request) { r.Order.CustomerNote = strings.Repeat("x", 1001) }, codes.InvalidArgument, "REQUEST_INVALID"},
		"a note with a NUL":        {func(r *request) { r.Order.CustomerNote = "a\x00b" }, codes.InvalidArgument, "REQUEST_INVALID"},
		"an order id that is none": {func(r *request) { r.OrderId = "1" }, codes.InvalidArgument, "REQUEST_INVALID"},
		"an address with a NUL":    {func(r *request) { r.Order.ShippingAddress.AddressLines[0] = "a\x00" }, codes.InvalidArgument, "REQUEST_INVALID"},
		"no request id":            {func(r *request) { r.RequestId = "" }, codes.InvalidArgument, "REQUEST_ID_REQUIRED"},
		"a request id of letters":  {func(r *request) { r.RequestId = "abc" }, codes.InvalidArgument, "REQUEST_ID_REQUIRED"},
		"a parent that is no user": {func(r *request) { r.Parent = "users/" + user.String() + "/orders/x" }, codes.InvalidArgument, "REQUEST_INVALID"},
		"all users":                {func(r *request) { r.Parent = "users/-" }, codes.PermissionDenied, "PERMISSION_DENIED"},
		"no parent":                {func(r *request) { r.Parent = "" }, codes.InvalidArgument, "REQUEST_INVALID"},
	} {
		_, err := a.commands.CreateOrder(ctx, changed(user, c.change))
		if status.Code(err) != c.code || status.Reason(err) != c.reason {
			t.Errorf("%s: got %v, reason %s", name, err, status.Reason(err))
		}
	}
	var orders int
	if err := a.DB.QueryRow(t.Context(), `SELECT count(*) FROM orders`).Scan(&orders); err != nil || orders != 0 {
		t.Errorf("%d orders, %v", orders, err)
	}
	ordertest.Check(t, a.DB)
}

func TestABadProductIsRefused(t *testing.T) {
	t.Parallel()
	a := newAPI(t)
	a.Product(t, "held", 1000, 5)
	a.Order(t, uuid.New(), "held")
	ctx := a.as(t, uuid.New(), "admin")
	for name, c := range map[string]struct {
		change func(*ordersv1.Product)
		reason string
	}{
		"a negative price":       {func(p *ordersv1.Product) { p.UnitPrice = euros(-1) }, "AMOUNT_INVALID"},
		"an overflowing price":   {func(p *ordersv1.Product) { p.UnitPrice = euros(math.MaxInt64) }, "AMOUNT_INVALID"},
		"no price":               {func(p *ordersv1.Product) { p.UnitPrice = nil }, "REQUEST_INVALID"},
		"negative stock":         {func(p *ordersv1.Product) { p.OnHandQuantity = -1 }, "REQUEST_INVALID"},
		"too much stock":         {func(p *ordersv1.Product) { p.OnHandQuantity = math.MaxInt32 }, "REQUEST_INVALID"},
		"no title":               {func(p *ordersv1.Product) { p.Title = "" }, "REQUEST_INVALID"},
		"a title with a NUL":     {func(p *ordersv1.Product) { p.Title = "a\x00" }, "REQUEST_INVALID"},
		"a name that is none":    {func(p *ordersv1.Product) { p.Name = "products/" }, "REQUEST_INVALID"},
		"a name with a slash":    {func(p *ordersv1.Product) { p.Name = "products/a/b" }, "REQUEST_INVALID"},
		"less than is reserved":  {func(p *ordersv1.Product) { p.Name, p.OnHandQuantity = "products/held", 0 }, "STOCK_BELOW_RESERVED"},
		"an etag of another one": {func(p *ordersv1.Product) { p.Name, p.Etag = "products/held", `"7"` }, "ETAG_MISMATCH"},
		"an etag of what is not": {func(p *ordersv1.Product) { p.Etag = `"1"` }, "ETAG_MISMATCH"},
	} {
		r := upsertRequest("products/new")
		c.change(r.GetProduct())
		if _, err := a.catalog.UpsertProduct(ctx, r); status.Reason(err) != c.reason {
			t.Errorf("%s: got %v", name, err)
		}
	}
}

func TestABadEditIsRefused(t *testing.T) {
	t.Parallel()
	a := newAPI(t)
	user := uuid.New()
	name := a.order(t, user)
	ctx := a.as(t, user, "customer")
	for what, c := range map[string]struct {
		change func(*ordersv1.UpdateOrderRequest)
		reason string
	}{
		"no mask":                  {func(r *ordersv1.UpdateOrderRequest) { r.UpdateMask = nil }, "REQUEST_INVALID"},
		"an empty mask":            {func(r *ordersv1.UpdateOrderRequest) { r.UpdateMask = &fieldmaskpb.FieldMask{} }, "REQUEST_INVALID"},
		"a mask of the state":      {func(r *ordersv1.UpdateOrderRequest) { r.UpdateMask.Paths = []string{"state"} }, "REQUEST_INVALID"},
		"a mask of lines, no line": {func(r *ordersv1.UpdateOrderRequest) { r.UpdateMask.Paths = []string{"line_items"} }, "REQUEST_INVALID"},
		"a mask of no address":     {func(r *ordersv1.UpdateOrderRequest) { r.UpdateMask.Paths = []string{"shipping_address"} }, "REQUEST_INVALID"},
		"an old etag":              {func(r *ordersv1.UpdateOrderRequest) { r.Order.Etag = `"9"` }, "ETAG_MISMATCH"},
		"an order that is not": {func(r *ordersv1.UpdateOrderRequest) {
			r.Order.Name = "users/" + user.String() + "/orders/" + uuid.NewString()
		}, "ORDER_NOT_FOUND"},
	} {
		r := noteRequest(name, "x")
		c.change(r)
		if _, err := a.commands.UpdateOrder(ctx, r); status.Reason(err) != c.reason {
			t.Errorf("%s: got %v", what, err)
		}
	}
}

// raw sends bytes as they are.
type raw struct{}

func (raw) Marshal(v any) ([]byte, error) { return *v.(*[]byte), nil } //nolint:forcetypeassert // Only used here.
func (raw) Unmarshal([]byte, any) error   { return nil }
func (raw) Name() string                  { return "proto" }

func TestBytesThatAreNoMessageAreRefused(t *testing.T) {
	t.Parallel()
	a := newAPI(t)
	ctx := a.as(t, uuid.New(), "customer")
	invalidUTF8 := protowire.AppendString(protowire.AppendTag(nil, 1, protowire.BytesType), "users/\xff\xfe")
	for name, body := range map[string][]byte{
		"invalid UTF-8": invalidUTF8,
		"garbage":       {0xff, 0xff, 0xff, 0x01},
		"cut off":       {0x0a, 0x7f, 'u'},
	} {
		var out []byte
		err := a.conn.Invoke(ctx, ordersv1.OrderCommandService_CreateOrder_FullMethodName, &body, &out, grpc.ForceCodec(raw{}))
		if code := status.Code(err); code == codes.OK || code == codes.Unknown {
			t.Errorf("%s: %v", name, err)
		}
	}
}

// The same id and body get the stored answer over gRPC, another body a refusal.
func TestARequestIDIsOneRequest(t *testing.T) {
	t.Parallel()
	a := newAPI(t)
	a.Product(t, ordertest.SKU(0), 1000, 10)
	user := uuid.New()
	ctx := a.as(t, user, "customer")
	r := createRequest(user, ordertest.SKU(0))
	first, err := a.commands.CreateOrder(ctx, r)
	if err != nil {
		t.Fatal(err)
	}
	again, err := a.commands.CreateOrder(ctx, r)
	if err != nil || again.String() != first.String() {
		t.Errorf("got %v, %v, want %v", again, err, first)
	}
	r.Order.CustomerNote = "another"
	if _, err := a.commands.CreateOrder(ctx, r); status.Reason(err) != "REQUEST_ID_REUSED" {
		t.Errorf("another body: %v", err)
	}
	taken := createRequest(user, ordertest.SKU(0))
	taken.OrderId = first.GetName()[strings.LastIndex(first.GetName(), "/")+1:]
	if _, err := a.commands.CreateOrder(context.WithoutCancel(ctx), taken); status.Reason(err) != "ORDER_EXISTS" {
		t.Errorf("an id that is taken: %v", err)
	}
}
