// Package freeport finds TCP ports on loopback that nobody listens on.
package freeport

import (
	"context"
	"errors"
	"fmt"
	"net"
	"strconv"
)

// Find returns n different ports that were free a moment ago. Whoever is given
// one has to cope with it being taken meanwhile.
func Find(ctx context.Context, n int) (ports []int, err error) {
	var open []net.Listener
	defer func() {
		for _, lis := range open {
			err = errors.Join(err, lis.Close())
		}
	}()
	for range n {
		lis, err := new(net.ListenConfig).Listen(ctx, "tcp", "127.0.0.1:0")
		if err != nil {
			return nil, fmt.Errorf("find a free port: %w", err)
		}
		open = append(open, lis)
		ports = append(ports, lis.Addr().(*net.TCPAddr).Port) //nolint:forcetypeassert // A TCP listener has a TCP address.
	}
	return ports, nil
}

// Or returns port unless it is 0, else a free one.
func Or(ctx context.Context, port int) (int, error) {
	if port != 0 {
		return port, nil
	}
	ports, err := Find(ctx, 1)
	if err != nil {
		return 0, err
	}
	return ports[0], nil
}

// Between returns a free port from lowest to highest.
func Between(ctx context.Context, lowest, highest int) (int, error) {
	for port := lowest; port <= highest; port++ {
		lis, err := new(net.ListenConfig).Listen(ctx, "tcp", net.JoinHostPort("127.0.0.1", strconv.Itoa(port)))
		if err != nil {
			continue
		}
		return port, lis.Close()
	}
	return 0, fmt.Errorf("all ports from %d to %d are taken", lowest, highest)
}
