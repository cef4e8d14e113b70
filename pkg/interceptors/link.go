package interceptors

import (
	"context"
	"fmt"
	"slices"

	"google.golang.org/protobuf/proto"
)

// Link describes one link of a [Chain].
type Link struct {
	// Name is unique in the chain: "authentication", for example.
	Name string
	// Does says in one line what the link does, with its settings.
	Does string
}

// order is the one order of the links, outermost first. The reasons for it:
//
//   - logging, metrics and audit are outside of errors, so that they see the
//     status the client gets, and outside of authentication, so that they see
//     refused calls;
//   - limits come before anything that is expensive, and the rate of an address
//     before the verification of a signature;
//   - revocation needs the identity;
//   - the rate of an identity counts calls that are then denied, but not those
//     with a revoked token;
//   - nothing in the request is judged before the caller is known;
//   - validation comes after authorization, so that a caller without permission
//     learns nothing about the shape of a request.
var order = []string{
	"recovery", "request-id", "logging", "metrics", "audit", "errors", "limits", "address-rate",
	"authentication", "revocation", "identity-rate", "authorization", "validation",
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
