// Package freeport finds TCP ports on loopback that nobody listens on, and
// that nobody else who asks it is given meanwhile.
package freeport

import (
	"context"
	"fmt"
	"math/rand/v2"
	"net"
	"strconv"
)

// The ports lie below the ranges from which Linux (32768) and macOS (49152)
// take those of outgoing connections: one of them can only be taken meanwhile
// by somebody who asks for it.
const lowest, highest = 20000, 32767

// Find returns n different ports that were free a moment ago and that no other
// call of this user returns while this process lives: an environment may listen
// on the last of its ports seconds after it has chosen them. A program that does
// not ask here may still take one.
func Find(ctx context.Context, n int) ([]int, error) {
	var ports []int
	for i, port := range rand.Perm(highest - lowest + 1) {
		if len(ports) == n || i == attempts {
			break
		}
		if !promised.take(lowest + port) {
			continue
		}
		if lis, err := listen(ctx, lowest+port); err == nil {
			ports = append(ports, lowest+port)
			if err := lis.Close(); err != nil {
				return nil, fmt.Errorf("find a free port: %w", err)
			}
		}
	}
	if len(ports) < n {
		return nil, fmt.Errorf("found %d free ports from %d to %d, needed %d", len(ports), lowest, highest, n)
	}
	return ports, nil
}

// attempts bounds the search on a machine where nothing can listen.
const attempts = 2000

func listen(ctx context.Context, port int) (net.Listener, error) {
	return new(net.ListenConfig).Listen(ctx, "tcp", net.JoinHostPort("127.0.0.1", strconv.Itoa(port)))
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

// Between returns the lowest free port from first to last.
func Between(ctx context.Context, first, last int) (int, error) {
	for port := first; port <= last; port++ {
		lis, err := listen(ctx, port)
		if err != nil {
			continue
		}
		return port, lis.Close()
	}
	return 0, fmt.Errorf("all ports from %d to %d are taken", first, last)
}
