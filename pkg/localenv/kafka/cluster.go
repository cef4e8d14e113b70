// Package kafka runs a real Apache Kafka broker (KRaft, one node) for tests and
// benches. It needs Java; its jars come from Maven Central.
package kafka

import (
	"bytes"
	"context"
	"crypto/rand"
	"encoding/base64"
	"errors"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/curfew-platform/curfew/pkg/localenv/daemon"
	"github.com/curfew-platform/curfew/pkg/localenv/freeport"
	"github.com/curfew-platform/curfew/pkg/localenv/java"
	"github.com/curfew-platform/curfew/pkg/localenv/maven"
)

// Version of Apache Kafka.
const Version = "4.3.0"

var libraries = java.Libraries{
	Name: "kafka-" + Version,
	Roots: []java.Coordinate{
		"org.apache.kafka:kafka_2.13:" + Version,
		"org.apache.logging.log4j:log4j-slf4j-impl:2.25.2",
	},
}

// Dial connects as net.Dialer's DialContext does.
type Dial func(ctx context.Context, network, address string) (net.Conn, error)

// Config describes a broker. Only Dir is required.
type Config struct {
	// Dir is the state folder.
	Dir string
	// Port to listen on; 0 picks one that is free on loopback. The controller
	// always gets a free one.
	Port int
	// Host is the address to listen on and to be known by; empty is loopback.
	Host string
	// Dial, if not nil, is how this process reaches the broker, for one in
	// another network namespace.
	Dial Dial
	// Heap is the most memory of the JVM's heap as in -Xmx; empty means 512m.
	Heap string
	// Secure, if not nil, adds a listener that asks for TLS and a password.
	Secure *Secure
	// Progress, if not nil, is told about steps that take seconds.
	Progress func(message string)
}

// Cluster is a formatted broker folder.
type Cluster struct {
	config Config
	java   string
	jars   string
	// securePort is that of Config.Secure.
	securePort int
	log        *os.File
	process    *daemon.Process
}

// Prepare fetches the jars, and formats the folder if it is new. It does not
// start the broker.
func Prepare(ctx context.Context, config Config) (*Cluster, error) {
	cache, err := maven.CacheDir()
	if err != nil {
		return nil, err
	}
	c := &Cluster{config: config}
	if c.config.Dir, err = filepath.Abs(config.Dir); err != nil {
		return nil, fmt.Errorf("resolve the state folder: %w", err)
	}
	if c.config.Heap == "" {
		c.config.Heap = "512m"
	}
	if c.java, err = java.Find(ctx); err != nil {
		return nil, err
	}
	if c.jars, err = libraries.Fetch(ctx, cache, config.Progress); err != nil {
		return nil, err
	}
	if c.config.Port, err = freeport.Or(ctx, config.Port); err != nil {
		return nil, err
	}
	controller, err := freeport.Or(ctx, 0)
	if err != nil {
		return nil, err
	}
	if config.Secure != nil {
		if c.securePort, err = freeport.Or(ctx, 0); err != nil {
			return nil, err
		}
	}
	if err := os.MkdirAll(c.config.Dir, 0o700); err != nil {
		return nil, fmt.Errorf("make the state folder: %w", err)
	}
	if err := os.WriteFile(c.file("server.properties"), c.properties(controller), 0o600); err != nil {
		return nil, fmt.Errorf("write the broker's properties: %w", err)
	}
	if err := os.WriteFile(c.file("log4j2.xml"), []byte(logging), 0o600); err != nil {
		return nil, fmt.Errorf("write the broker's log settings: %w", err)
	}
	return c, c.format(ctx)
}

// Spec is the command that runs the broker in the foreground.
func (c *Cluster) Spec() daemon.Spec {
	return daemon.Spec{
		Name: "kafka", Path: c.java, Dir: c.config.Dir,
		Args: []string{
			"-Xmx" + c.config.Heap, "-XX:TieredStopAtLevel=1", "-Dlog4j2.configurationFile=" + c.file("log4j2.xml"),
			"-cp", filepath.Join(c.jars, "*"), "kafka.Kafka", c.file("server.properties"),
		},
	}
}

// Start starts the broker as a child of this process and waits until it
// answers. The child ends when this process does.
func (c *Cluster) Start(ctx context.Context) error {
	log, err := os.OpenFile(c.LogFile(), os.O_CREATE|os.O_WRONLY|os.O_APPEND, 0o600)
	if err != nil {
		return fmt.Errorf("open the broker's log: %w", err)
	}
	spec := c.Spec()
	spec.Output = log
	process, err := daemon.Start(spec)
	if err != nil {
		return errors.Join(err, log.Close())
	}
	if err := process.Await(ctx, c.Ready); err != nil {
		killed, cancel := context.WithCancel(ctx)
		cancel()
		_ = process.Stop(killed) // Already failing: the first error counts.
		return fmt.Errorf("see %s: %w", c.LogFile(), errors.Join(err, log.Close()))
	}
	c.log, c.process = log, process
	return nil
}

// Stop ends the broker that Start started.
func (c *Cluster) Stop(ctx context.Context) error {
	if c.process == nil {
		return nil
	}
	return errors.Join(c.process.Stop(ctx), c.log.Close())
}

// Ready returns nil when the broker answers requests.
func (c *Cluster) Ready(ctx context.Context) error { return Ping(ctx, c.Address(), c.config.Dial) }

// Address is the broker's host:port.
func (c *Cluster) Address() string {
	host := c.config.Host
	if host == "" {
		host = "127.0.0.1"
	}
	return net.JoinHostPort(host, strconv.Itoa(c.config.Port))
}

// LogFile is where a broker started by Start writes.
func (c *Cluster) LogFile() string { return c.file("kafka.log") }

// Ping returns nil when the broker at the address answers a metadata request, by
// connections of dial, which may be nil.
func Ping(ctx context.Context, address string, dial Dial) error {
	ctx, cancel := context.WithTimeout(ctx, 2*time.Second)
	defer cancel()
	options := []kgo.Opt{kgo.SeedBrokers(address), kgo.RequestRetries(0)}
	if dial != nil {
		options = append(options, kgo.Dialer(dial))
	}
	client, err := kgo.NewClient(options...)
	if err != nil {
		return fmt.Errorf("make a kafka client: %w", err)
	}
	defer client.Close()
	if err := client.Ping(ctx); err != nil {
		return fmt.Errorf("ask the broker: %w", err)
	}
	return nil
}

func (c *Cluster) file(name string) string { return filepath.Join(c.config.Dir, name) }

func (c *Cluster) data() string { return c.file("data") }

func (c *Cluster) format(ctx context.Context) error {
	if _, err := os.Stat(filepath.Join(c.data(), "meta.properties")); err == nil {
		return nil
	}
	if c.config.Progress != nil {
		c.config.Progress("formatting a Kafka log folder")
	}
	var id [16]byte
	_, _ = rand.Read(id[:]) // Never fails.
	id[0] &= 0x7f           // A leading dash would be read as an option.
	args := []string{
		"-Xmx256m", "-XX:TieredStopAtLevel=1", "-Dlog4j2.configurationFile=" + c.file("log4j2.xml"),
		"-cp", filepath.Join(c.jars, "*"), "kafka.tools.StorageTool", "format", "--standalone",
		"-t", base64.RawURLEncoding.EncodeToString(id[:]), "-c", c.file("server.properties"),
	}
	cmd := exec.CommandContext(ctx, c.java, append(args, c.config.Secure.scram()...)...)
	if out, err := cmd.CombinedOutput(); err != nil {
		return fmt.Errorf("format the kafka folder: %w\n%s", err, bytes.TrimSpace(out))
	}
	return nil
}

func (c *Cluster) properties(controller int) []byte {
	quorum := net.JoinHostPort("127.0.0.1", strconv.Itoa(controller))
	listeners := "PLAINTEXT://" + c.Address() + ",CONTROLLER://" + quorum
	protocols := "PLAINTEXT:PLAINTEXT,CONTROLLER:PLAINTEXT"
	if c.config.Secure != nil {
		listeners += ",SASL_SSL://" + c.SecureAddress()
		protocols += ",SASL_SSL:SASL_SSL"
	}
	return []byte(strings.Join(append([]string{
		"process.roles=broker,controller",
		"node.id=1",
		"controller.quorum.bootstrap.servers=" + quorum,
		"controller.listener.names=CONTROLLER",
		"listeners=" + listeners,
		"advertised.listeners=" + listeners,
		"listener.security.protocol.map=" + protocols,
		"log.dirs=" + c.data(),
		"offsets.topic.replication.factor=1",
		"offsets.topic.num.partitions=8",
		"transaction.state.log.replication.factor=1",
		"transaction.state.log.min.isr=1",
		"transaction.state.log.num.partitions=8",
		"share.coordinator.state.topic.replication.factor=1",
		"share.coordinator.state.topic.min.isr=1",
		"group.initial.rebalance.delay.ms=0",
		// Tests name the partitions they want; a topic made by a typo hides it.
		"auto.create.topics.enable=false",
	}, c.config.Secure.properties()...), "\n") + "\n")
}

const logging = `<Configuration status="ERROR"><Appenders><Console name="out" target="SYSTEM_OUT">` +
	`<PatternLayout pattern="%d{ISO8601} %p %c{1} %m%n"/></Console></Appenders>` +
	`<Loggers><Root level="warn"><AppenderRef ref="out"/></Root></Loggers></Configuration>
`
