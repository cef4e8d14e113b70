package grpcserver

import (
	"time"

	"google.golang.org/grpc/keepalive"

	"github.com/curfew-platform/curfew/pkg/lifecycle"
)

const (
	ageFactor = 10
	minAge    = time.Minute
)

// ConnectionAge returns keepalive parameters for [grpc.KeepaliveParams] that fit the budgets of plan. A connection gets
// a GOAWAY after ten times the longest drain, but not before a minute, so that clients look for new addresses; a stream
// that lives on is cut after the longest drain. A stream that can't be drained is then known every day, not only when
// the process stops. Long-lived streams have to be reopened by their clients.
func ConnectionAge(plan lifecycle.Plan) keepalive.ServerParameters {
	drain := plan.Longest(lifecycle.Drain)
	return keepalive.ServerParameters{
		MaxConnectionAge:      max(minAge, ageFactor*drain),
		MaxConnectionAgeGrace: max(time.Millisecond, drain),
	}
}
