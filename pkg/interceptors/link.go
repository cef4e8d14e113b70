package interceptors

import (
	"context"
	"fmt"
	"slices"

	"google.golang.org/protobuf/proto"
)

// Link describes one link of the chain.
type Link struct {
	// Name of the link, unique in the chain.
	Name string
	// Does says in one line what the link does, with its settings.
	Does string
}

// Names of the links.
const (
	Recovery       = "recovery"
	RequestIDs     = "request-id"
	Logging        = "logging"
	Metrics        = "metrics"
	Audit          = "audit"
	Errors         = "errors"
	LimitsLink     = "limits"
	AddressRate    = "address-rate"
	Authentication = "authentication"
	Revocation     = "revocation"
	IdentityRate   = "identity-rate"
	Authorization  = "authorization"
	Validation     = "validation"
)

// order is the one order of the links, outermost first. Its reasons:
// logging, metrics and audit stand outside of errors, so that they see the
// status that travels, and outside of authentication, so that they see
// refusals; limits come before anything that costs, the rate of an address
// before a signature is verified; revocation needs the identity; the rate of a
// caller counts denied calls, but none with a revoked token; nothing of the request is judged before the caller is known; validation comes after
// authorization, so that a foreigner learns nothing about a request's shape.
var order = []string{
	Recovery, RequestIDs, Logging, Metrics, Audit, Errors, LimitsLink, AddressRate,
	Authentication, Revocation, IdentityRate, Authorization, Validation,
}

// link is one station of a call. Every function is optional. The same links
// run for unary calls and streams.
type link struct {
	Link

	// before runs on the way in. An error ends the call; inner links are then
	// not entered.
	before func(ctx context.Context, c *call) (context.Context, error)
	// message runs for the request of a unary call and for every message that a
	// stream receives, after all befores.
	message func(ctx context.Context, c *call, m proto.Message) error
	// after runs on the way out, innermost first, if before was entered and
	// did not fail, also after a panic. It returns what the caller shall see.
	after func(c *call, err error) error
}

// checkOrder refuses links that are not exactly the declared ones, in the
// declared order.
func checkOrder(links []link) error {
	names := make([]string, len(links))
	for i, l := range links {
		names[i] = l.Name
	}
	if !slices.Equal(names, order) {
		return fmt.Errorf("chain: links are %v, declared are %v", names, order)
	}
	return nil
}
