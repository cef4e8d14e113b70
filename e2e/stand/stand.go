// Package stand is the running platform as its users see it: addresses and
// files that `curfew dev` exports, and further processes started from the same
// binaries.
package stand

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/jackc/pgx/v5"
	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials/insecure"
	"google.golang.org/grpc/status"

	"github.com/curfew-platform/curfew/pkg/localenv/leak"
)

// Stand is a running platform. All fields come from the environment.
type Stand struct {
	Auth    string   // gRPC address of services/auth
	Orders  []string // gRPC addresses of the replicas of services/orders
	Logproc string   // gRPC address of services/logproc
	HTTP    string   // URL of the HTTP/JSON edge
	Brokers []string // Kafka

	OrderEvents string // topic
	DeadLetters string // topic

	AuthDatabase    string // serving role
	OrdersDatabase  string
	LogprocDatabase string
	// OrdersOwner and LogprocOwner may create tables: for the naive programs
	// that run on the same servers.
	OrdersOwner, LogprocOwner string

	CustomerEmail, CustomerPassword string
	AdminEmail, AdminPassword       string

	// Bin is the folder of the service binaries: the one this program is in.
	Bin string
}

// FromEnvironment reads what `curfew dev` exports. The error names everything
// that is missing.
func FromEnvironment() (*Stand, error) {
	var missing []string
	get := func(name string) string {
		v := os.Getenv(name)
		if v == "" {
			missing = append(missing, name)
		}
		return v
	}
	self, err := os.Executable()
	if err != nil {
		return nil, fmt.Errorf("find own executable: %w", err)
	}
	bin := filepath.Dir(self)
	if dir := os.Getenv("CURFEW_BIN_DIR"); dir != "" {
		bin = dir
	}
	s := &Stand{
		Auth:             get("CURFEW_AUTH_ADDR"),
		Orders:           strings.Split(get("CURFEW_ORDERS_ADDR"), ","),
		Logproc:          get("CURFEW_LOGPROC_ADDR"),
		HTTP:             get("CURFEW_HTTP_URL"),
		Brokers:          strings.Split(get("CURFEW_KAFKA_BROKERS"), ","),
		OrderEvents:      get("CURFEW_ORDER_EVENTS_TOPIC"),
		DeadLetters:      get("CURFEW_DEAD_LETTER_TOPIC"),
		AuthDatabase:     get("CURFEW_AUTH_DATABASE_URL"),
		OrdersDatabase:   get("CURFEW_ORDERS_DATABASE_URL"),
		LogprocDatabase:  get("CURFEW_LOGPROC_DATABASE_URL"),
		OrdersOwner:      get("CURFEW_ORDERS_MIGRATE_DATABASE_URL"),
		LogprocOwner:     get("CURFEW_LOGPROC_MIGRATE_DATABASE_URL"),
		CustomerEmail:    get("CURFEW_CUSTOMER_EMAIL"),
		CustomerPassword: get("CURFEW_CUSTOMER_PASSWORD"),
		AdminEmail:       get("CURFEW_ADMIN_EMAIL"),
		AdminPassword:    get("CURFEW_ADMIN_PASSWORD"),
		Bin:              bin,
	}
	if len(missing) > 0 {
		return nil, errors.New("not inside `curfew dev -- CMD`: unset " + strings.Join(missing, ", "))
	}
	return s, nil
}

// Dial returns a connection to a gRPC address on loopback. The errors that come
// over it are searched for secrets.
func Dial(addr string) (*grpc.ClientConn, error) {
	conn, err := grpc.NewClient(addr, grpc.WithTransportCredentials(insecure.NewCredentials()), grpc.WithChainUnaryInterceptor(searched))
	if err != nil {
		return nil, fmt.Errorf("dial %s: %w", addr, err)
	}
	return conn, nil
}

func searched(ctx context.Context, method string, req, reply any, cc *grpc.ClientConn, invoke grpc.UnaryInvoker, opts ...grpc.CallOption) error {
	err := invoke(ctx, method, req, reply, cc, opts...)
	if err != nil {
		leak.Text("the error of "+method, fmt.Sprint(status.Convert(err).Proto()))
	}
	return err
}

// Connect opens one database connection; the caller closes it.
func Connect(ctx context.Context, databaseURL string) (*pgx.Conn, error) {
	ctx, cancel := context.WithTimeout(ctx, 10*time.Second)
	defer cancel()
	conn, err := pgx.Connect(ctx, databaseURL)
	if err != nil {
		return nil, fmt.Errorf("connect to the database: %w", err)
	}
	return conn, nil
}
