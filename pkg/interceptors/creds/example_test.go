package creds_test

import (
	"context"
	"fmt"
	"time"

	"github.com/curfew-platform/curfew/pkg/interceptors/creds"
	"github.com/curfew-platform/curfew/pkg/interceptors/token"
)

// A client keeps a session going: the refresh function is one RPC, the store
// is where the application keeps its tokens.
func Example_session() {
	store := creds.NewMemoryStore(creds.Pair{Refresh: "from-the-login"})
	refresh := func(_ context.Context, _, _ token.Raw) (creds.Pair, error) {
		return creds.Pair{
			Access:  creds.Token{Value: "access", ExpiresAt: time.Now().Add(5 * time.Minute)},
			Refresh: "next",
		}, nil
	}
	credentials := creds.NewRefreshing(creds.Session(store, refresh), creds.WithPlaintext())
	defer credentials.Close()
	conn, err := creds.Dial(creds.Target{Address: "127.0.0.1:7301"}, credentials)
	if err != nil {
		panic(err)
	}
	defer func() { _ = conn.Close() }()
	t, err := credentials.Token(context.Background())
	fmt.Println(t.Value, err) // a token never prints itself
	// Output: [redacted] <nil>
}
