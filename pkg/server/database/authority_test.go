package database_test

import (
	"crypto/tls"
	"io"
	"net"
	"net/url"
	"os"
	"path/filepath"
	"sync"
	"testing"

	"github.com/curfew-platform/curfew/pkg/interceptors/certfile"
	"github.com/curfew-platform/curfew/pkg/localenv/authority"
	"github.com/curfew-platform/curfew/pkg/localenv/pgtest"
	"github.com/curfew-platform/curfew/pkg/server/database"
)

// overTLS is the real server behind a listener that speaks TLS with the files,
// by PostgreSQL's protocol: SSLRequest, one byte S, the handshake.
func overTLS(t *testing.T, server string, paths certfile.Paths) (address string) {
	t.Helper()
	files, err := certfile.Open(paths, nil)
	if err != nil {
		t.Fatal(err)
	}
	cfg := files.Server()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	var serving sync.WaitGroup
	forward := func(plain net.Conn) {
		defer plain.Close()
		const sslRequest = 8
		if _, err := io.ReadFull(plain, make([]byte, sslRequest)); err != nil {
			return
		}
		if _, err := plain.Write([]byte("S")); err != nil {
			return
		}
		secure := tls.Server(plain, cfg)
		if secure.Handshake() != nil {
			return
		}
		to, err := net.Dial("tcp", server)
		if err != nil {
			return
		}
		defer to.Close()
		serving.Go(func() {
			_, _ = io.Copy(to, secure)
			_ = to.Close()
		})
		_, _ = io.Copy(secure, to)
	}
	serving.Go(func() {
		for {
			conn, err := l.Accept()
			if err != nil {
				return
			}
			serving.Go(func() { forward(conn) })
		}
	})
	t.Cleanup(func() {
		_ = l.Close()
		serving.Wait()
	})
	return l.Addr().String()
}

// The authorities are a file that the URL names: also where the URL itself is
// in no file, they are read for each connection.
func TestTheAuthoritiesOfTheDatabaseAreReadAgainForEveryConnection(t *testing.T) {
	admin, err := url.Parse(pgtest.Database(t, nil))
	if err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	before, after := authority.New(t, dir, "before"), authority.New(t, dir, "after")
	cert, key := before.Issue(t, dir, "postgres")
	roots := filepath.Join(t.TempDir(), "ca.crt")
	trust := func(a *authority.Authority) {
		t.Helper()
		content, err := os.ReadFile(a.File)
		if err != nil {
			t.Fatal(err)
		}
		replace(t, roots, string(content))
	}
	trust(before)
	admin.Host = overTLS(t, admin.Host, certfile.Paths{Cert: cert, Key: key})
	admin.RawQuery = url.Values{"sslmode": {"verify-full"}, "sslrootcert": {roots}, "pool_max_conns": {"1"}}.Encode()
	pool, err := database.Open(t.Context(), admin.String(), "test")
	if err != nil {
		t.Fatal(err)
	}
	defer pool.Close()
	for _, step := range []struct {
		what   string
		trusts *authority.Authority
		fresh  bool // a new connection
		want   bool
	}{
		{"trusted", before, true, true},
		{"dropped, on a connection that is open", after, false, true},
		{"dropped", after, true, false},
		{"trusted again", before, true, true},
	} {
		trust(step.trusts)
		if step.fresh {
			pool.Reset()
		}
		if err := pool.Ping(t.Context()); (err == nil) != step.want {
			t.Errorf("%s: %v", step.what, err)
		}
	}
}
