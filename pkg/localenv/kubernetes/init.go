//go:build linux

package kubernetes

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"syscall"
	"time"
)

// InitArgument is the command of the program that Start runs as the first
// process of a node; that program has to call Init with what follows it.
const InitArgument = "kubernetes-node"

// Init is the first process of a node, in namespaces of its own. It mounts what
// a machine has, waits for its network, starts the node's programs and reaps
// processes until one of those programs ends or it is killed. It also ends when
// whoever starts the lab ends before the node is done.
//
// The arguments are the lab's folder, the node's number and the folder of the
// programs.
func Init(args []string) error {
	if len(args) != 3 || os.Getpid() != 1 {
		return errors.New("this is the first process of a lab's node: start it by `localenv kubernetes up`")
	}
	number, err := strconv.Atoi(args[1])
	if err != nil {
		return fmt.Errorf("the node's number: %w", err)
	}
	l, err := Open(args[0], args[2], nil)
	if err != nil {
		return err
	}
	n := l.node(number)
	if err := n.mount(); err != nil {
		return err
	}
	ended := make(chan error, 2)
	go func() { ended <- n.run() }()
	go func() {
		n.followDriver()
		ended <- errors.New("the driver ended before the node was up")
	}()
	return <-ended // And with it all processes of the namespaces.
}

func (n node) run() error {
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	if err := await(ctx, "the node's network", func(context.Context) error { return n.marked("network") }); err != nil {
		return err
	}
	running := map[int]component{}
	if err := n.start(ctx, running); err != nil {
		return err
	}
	if err := n.mark("started"); err != nil {
		return err
	}
	return n.reap(running)
}

// mount hides what belongs to the machine's own runtime and shows the node's
// own processes.
func (n node) mount() error {
	if err := syscall.Mount("", "/", "", syscall.MS_REC|syscall.MS_PRIVATE, ""); err != nil {
		return fmt.Errorf("separate the node's mounts: %w", err)
	}
	const safe = syscall.MS_NOSUID | syscall.MS_NODEV
	if err := syscall.Mount("proc", "/proc", "proc", safe|syscall.MS_NOEXEC, ""); err != nil {
		return fmt.Errorf("mount /proc: %w", err)
	}
	for _, dir := range []string{"/run/netns", "/run/cni", runtimeDir, "/var/lib/cni", "/var/log/containers"} {
		if err := makeDir(dir); err != nil {
			return err
		}
		if err := syscall.Mount("lab", dir, "tmpfs", syscall.MS_NOSUID, ""); err != nil {
			return fmt.Errorf("mount %s: %w", dir, err)
		}
	}
	if err := makeDir(kubeletDir); err != nil {
		return err
	}
	if err := syscall.Mount(n.path("kubelet"), kubeletDir, "", syscall.MS_BIND|syscall.MS_REC, ""); err != nil {
		return fmt.Errorf("mount %s: %w", kubeletDir, err)
	}
	return os.WriteFile("/proc/sys/net/ipv4/ip_forward", []byte("1"), 0o600)
}

// start starts the node's programs in the order in which they need each other.
func (n node) start(ctx context.Context, running map[int]component) error {
	if err := n.launch(running, n.runtime()); err != nil {
		return err
	}
	if n.number == 1 {
		if err := n.launch(running, n.store(), n.api()); err != nil {
			return err
		}
		if err := await(ctx, "kube-apiserver", n.lab.ready); err != nil {
			return err
		}
		if err := n.launch(running, n.controllers(), n.scheduler(), n.names()); err != nil {
			return err
		}
	}
	if err := await(ctx, "containerd", listens); err != nil {
		return err
	}
	return n.launch(running, n.agent(), n.proxy())
}

// listens returns nil when containerd takes connections. What it knows of
// earlier containers it reads first.
func listens(ctx context.Context) error {
	conn, err := new(net.Dialer).DialContext(ctx, "unix", containerdSocket)
	if err != nil {
		return err
	}
	return conn.Close()
}

func (n node) launch(running map[int]component, list ...component) error {
	for _, c := range list {
		path, err := exec.LookPath(c.path)
		if err != nil {
			return fmt.Errorf("start %s: %w", c.name, err)
		}
		log, err := os.OpenFile(n.path("log", c.name+".log"), os.O_CREATE|os.O_WRONLY|os.O_APPEND, 0o600)
		if err != nil {
			return fmt.Errorf("open a log: %w", err)
		}
		process, err := os.StartProcess(path, append([]string{filepath.Base(path)}, c.args...), &os.ProcAttr{
			Dir: "/", Env: os.Environ(), Files: []*os.File{nil, log, log}, Sys: &syscall.SysProcAttr{Setsid: true},
		})
		if err = errors.Join(err, log.Close()); err != nil {
			return fmt.Errorf("start %s: %w", c.name, err)
		}
		running[process.Pid] = c
	}
	return nil
}

// reap waits for children, adopted ones too, until one is a program of the node
// that is not to end. The kubelet may: it gives up on a runtime that is slow to
// start, for example, and machines start it again.
func (n node) reap(running map[int]component) error {
	for {
		var status syscall.WaitStatus
		pid, err := syscall.Wait4(-1, &status, 0, nil)
		if errors.Is(err, syscall.EINTR) {
			continue
		}
		if err != nil {
			return fmt.Errorf("wait for the node's programs: %w", err)
		}
		c, ours := running[pid]
		if !ours {
			continue
		}
		err = fmt.Errorf("%s ended with status %d, signal %d", c.name, status.ExitStatus(), status.Signal())
		if c.name != n.agent().name {
			return err
		}
		fmt.Fprintln(os.Stderr, "localenv:", err, "- it is started again")
		<-time.After(time.Second)
		delete(running, pid)
		if err := n.launch(running, c); err != nil {
			return err
		}
	}
}

// followDriver returns when the driver ended before the node was up: the lock is
// free then, and the node is not marked. Else it never returns.
func (n node) followDriver() {
	for range time.Tick(time.Second) {
		if n.marked("up") == nil {
			select {}
		}
		if unlock, err := n.lab.lock(false); err == nil {
			unlock()
			if n.marked("up") != nil {
				return
			}
		}
	}
}

// ready returns nil when the API server answers that it is ready.
func (l *Lab) ready(ctx context.Context) error {
	pair, err := tls.LoadX509KeyPair(l.pki("admin.crt"), l.pki("admin.key"))
	if err != nil {
		return fmt.Errorf("read the administrator's key: %w", err)
	}
	ca, err := os.ReadFile(l.pki("ca.crt"))
	if err != nil {
		return fmt.Errorf("read the lab's authority: %w", err)
	}
	pool := x509.NewCertPool()
	pool.AppendCertsFromPEM(ca)
	transport := &http.Transport{TLSClientConfig: &tls.Config{
		RootCAs: pool, Certificates: []tls.Certificate{pair}, MinVersion: tls.VersionTLS13,
	}}
	defer transport.CloseIdleConnections()
	ctx, cancel := context.WithTimeout(ctx, 2*time.Second)
	defer cancel()
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, "https://"+l.Address()+":6443/readyz", nil)
	if err != nil {
		return err
	}
	response, err := transport.RoundTrip(request)
	if err != nil {
		return err
	}
	body, err := io.ReadAll(io.LimitReader(response.Body, 4<<10))
	if err = errors.Join(err, response.Body.Close()); err != nil {
		return err
	}
	if response.StatusCode != http.StatusOK {
		return fmt.Errorf("kube-apiserver is not ready: %s: %s", response.Status, body)
	}
	return nil
}

// mark and marked are how a node's first process and its driver, who share no
// namespace, tell each other how far they are.
func (n node) mark(what string) error {
	return os.WriteFile(n.path("is-"+what), nil, 0o600)
}

func (n node) marked(what string) error {
	_, err := os.Stat(n.path("is-" + what))
	return err
}
