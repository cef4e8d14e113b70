// Package kfakebroker serves the Kafka protocol from franz-go's kfake on a real
// port, with its records, groups and topics in a data folder: a broker that
// needs no Java and survives a SIGKILL of its process.
package kfakebroker

import (
	"context"
	"errors"
	"fmt"
	"net"
	"strconv"

	"github.com/twmb/franz-go/pkg/kfake"
)

// Config describes a broker.
type Config struct {
	// Dir is the data folder.
	Dir string
	// Port on loopback; 0 picks a free one. The advertised address holds it, so
	// clients survive a restart only on a fixed one.
	Port int
	// Topics are made, each with its number of partitions, unless they exist.
	Topics map[string]int32
}

// Broker is a running broker.
type Broker struct{ cluster *kfake.Cluster }

// Start serves until Close. A written batch has reached the operating system
// when its produce call is answered: it survives the death of this process,
// though not that of the machine.
func Start(config Config) (*Broker, error) {
	cluster, err := kfake.NewCluster(
		kfake.NumBrokers(1), kfake.Ports(config.Port), kfake.DataDir(config.Dir),
		kfake.ListenFn(listen),
	)
	if err != nil {
		return nil, fmt.Errorf("start the broker: %w", err)
	}
	for topic, partitions := range config.Topics {
		if cluster.TopicInfo(topic) != nil {
			continue
		}
		if err := cluster.CreateTopic(topic, partitions, nil); err != nil {
			cluster.Close()
			return nil, fmt.Errorf("make topic %s: %w", topic, err)
		}
	}
	return &Broker{cluster: cluster}, nil
}

// Address is the broker's host:port.
func (b *Broker) Address() string { return b.cluster.ListenAddrs()[0] }

// Close stops serving and syncs the data folder.
func (b *Broker) Close() { b.cluster.Close() }

// listen serves loopback only, whatever address kfake asks for.
func listen(network, address string) (net.Listener, error) {
	_, port, err := net.SplitHostPort(address)
	if err != nil {
		return nil, fmt.Errorf("read the broker's address: %w", err)
	}
	if _, err := strconv.ParseUint(port, 10, 16); err != nil {
		return nil, errors.New("the broker's port is no number")
	}
	return new(net.ListenConfig).Listen(context.Background(), network, net.JoinHostPort("127.0.0.1", port))
}
