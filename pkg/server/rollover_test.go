package server

import (
	"context"
	"encoding/pem"
	"fmt"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/curfew-platform/curfew/pkg/interceptors/certfile"
	"github.com/curfew-platform/curfew/pkg/interceptors/creds"
	authv1 "github.com/curfew-platform/curfew/proto/gen/curfew/auth/v1"
)

// place puts a certificate of leaf, and the authorities that are trusted, into a
// folder of their own, and lets link point there in one instant.
func place(t *testing.T, link string, leaf *authority, trusted ...*authority) {
	t.Helper()
	dir := t.TempDir()
	leaf.write(t, dir, 2)
	var roots []byte
	for _, a := range trusted {
		roots = append(roots, pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: a.cert.Raw})...)
	}
	if err := os.WriteFile(filepath.Join(dir, "ca.crt"), roots, 0o600); err != nil {
		t.Fatal(err)
	}
	if err := os.Symlink(dir, link+".new"); err != nil {
		t.Fatal(err)
	}
	if err := os.Rename(link+".new", link); err != nil {
		t.Fatal(err)
	}
}

func pathsOf(link string) certfile.Paths {
	return certfile.Paths{Cert: filepath.Join(link, "tls.crt"), Key: filepath.Join(link, "tls.key"), CA: filepath.Join(link, "ca.crt")}
}

// callers call the server over gRPC or the edge, by its own connection or by a
// new one for each call.
func callers(t *testing.T, bound addresses, files *certfile.Files) map[string]func(context.Context) error {
	t.Helper()
	dial := func(ctx context.Context) (func() error, func(), error) {
		conn, err := creds.Dial(creds.Target{Address: bound.GRPC, Files: files}, nil)
		if err != nil {
			return nil, nil, err
		}
		return func() error {
			_, err := authv1.NewTokenServiceClient(conn).GetJwks(ctx, &authv1.GetJwksRequest{})
			return err
		}, func() { _ = conn.Close() }, nil
	}
	kept, hangUp, err := dial(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(hangUp)
	get := func(base *http.Transport) func(context.Context) error {
		client := &http.Client{Transport: files.HTTP(base)}
		t.Cleanup(client.CloseIdleConnections)
		return func(ctx context.Context) error {
			req, err := http.NewRequestWithContext(ctx, http.MethodGet, "https://"+bound.HTTP+"/auth/v1/jwks", nil)
			if err != nil {
				return err
			}
			res, err := client.Do(req)
			if err != nil {
				return err
			}
			defer res.Body.Close()
			if _, err := io.Copy(io.Discard, res.Body); err != nil {
				return err
			}
			if res.StatusCode != http.StatusOK {
				return fmt.Errorf("status %d", res.StatusCode)
			}
			return nil
		}
	}
	return map[string]func(context.Context) error{
		"gRPC, one connection": func(context.Context) error { return kept() },
		"gRPC, a new connection": func(ctx context.Context) error {
			call, hangUp, err := dial(ctx)
			if err != nil {
				return err
			}
			defer hangUp()
			return call()
		},
		"edge, HTTP/2":                   get(&http.Transport{ForceAttemptHTTP2: true}),
		"edge, HTTP/1, one connection":   get(&http.Transport{}),
		"edge, HTTP/1, a new connection": get(&http.Transport{DisableKeepAlives: true}),
		"edge, HTTP/2, a new connection": get(&http.Transport{ForceAttemptHTTP2: true, DisableKeepAlives: true}),
	}
}

// TestAnAuthorityIsReplacedUnderLoadOnBothListeners: trust both, show the new
// one, trust the new one only; first the server, then the clients.
func TestAnAuthorityIsReplacedUnderLoadOnBothListeners(t *testing.T) {
	before, after := newAuthority(t), newAuthority(t)
	dir := t.TempDir()
	server, client := filepath.Join(dir, "server"), filepath.Join(dir, "client")
	place(t, server, before, before)
	place(t, client, before, before)
	at := pathsOf(server)
	bound := serve(t, &Settings{TLSCert: at.Cert, TLSKey: at.Key, TLSClientCA: at.CA})
	files, err := certfile.Open(pathsOf(client), nil)
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(t.Context(), 5*patience) // some hundred handshakes
	defer cancel()
	all := callers(t, bound, files)
	counts := map[string]*atomic.Int64{}
	done := make(chan struct{})
	var load sync.WaitGroup
	for name, call := range all {
		count := &atomic.Int64{}
		counts[name] = count
		load.Go(func() {
			for {
				select {
				case <-done:
					return
				default:
				}
				if err := call(ctx); err != nil {
					t.Errorf("%s, call %d: %v", name, count.Load(), err)
					return
				}
				count.Add(1)
			}
		})
	}
	// more waits until everybody has called on.
	more := func() {
		t.Helper()
		tick := time.NewTicker(5 * time.Millisecond)
		defer tick.Stop()
		for name, count := range counts {
			for want := count.Load() + 5; count.Load() < want && !t.Failed(); <-tick.C {
				if ctx.Err() != nil {
					t.Fatalf("%s stands still", name)
				}
			}
		}
	}
	more()
	for _, step := range []func(link string){
		func(link string) { place(t, link, before, before, after) },
		func(link string) { place(t, link, after, before, after) },
		func(link string) { place(t, link, after, after) },
	} {
		for _, link := range []string{server, client} {
			step(link)
			more()
		}
	}
	close(done)
	load.Wait()
	for name, count := range counts {
		t.Logf("%s: %d calls", name, count.Load())
	}
}
