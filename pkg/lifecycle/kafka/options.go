package kafka

import "github.com/twmb/franz-go/pkg/kgo"

// ClientOptions returns options that let a client close at once even if its broker is frozen. Closing a fetch session and
// pushing the last metrics each wait for the broker, up to 11 s together with franz-go 1.22.2, whatever the bound; without
// these options such a client is abandoned at the deadline of phase lifecycle.Close, and the process exits with 3.
//
// The price: every fetch request lists all its partitions, which matters from hundreds of them on, and brokers get no
// client metrics (KIP-714).
func ClientOptions() []kgo.Opt {
	return []kgo.Opt{kgo.DisableFetchSessions(), kgo.DisableClientMetrics()}
}
