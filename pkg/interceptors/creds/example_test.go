package creds_test

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
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

// A program that has tokens of its company's identity provider, in a file that
// something else keeps fresh: one is exchanged for a session of the platform,
// and the session is kept going. Both functions are one RPC each,
// ExchangeExternalToken and RefreshTokens of curfew.auth.v1.AuthService.
func Example_externalSession() {
	path := filepath.Join(os.TempDir(), "creds-example-token")
	if err := os.WriteFile(path, []byte("from-the-provider\n"), 0o600); err != nil {
		panic(err)
	}
	defer func() { _ = os.Remove(path) }()
	exchange := func(_ context.Context, external token.Raw) (creds.Pair, error) {
		fmt.Println("exchanged once:", string(external) == "from-the-provider")
		return creds.Pair{Access: creds.Token{Value: "access", ExpiresAt: time.Now().Add(5 * time.Minute)}, Refresh: "refresh"}, nil
	}
	refresh := func(_ context.Context, _, _ token.Raw) (creds.Pair, error) {
		return creds.Pair{Access: creds.Token{Value: "access-2", ExpiresAt: time.Now().Add(5 * time.Minute)}, Refresh: "refresh-2"}, nil
	}
	store := creds.NewMemoryStore(creds.Pair{}) // a FileStore survives a restart
	credentials := creds.NewRefreshing(creds.ExternalSession(store, refresh, creds.File(path), exchange))
	defer credentials.Close()
	for range 2 {
		t, err := credentials.Token(context.Background())
		fmt.Println(string(t.Value), err)
		credentials.Reject(t.Value) // a server says that it is over
	}
	// Output:
	// exchanged once: true
	// access <nil>
	// access-2 <nil>
}
