// Package interceptors is the chain that a gRPC server of the platform runs
// in front of its handlers: who calls, is the token still good, may the caller
// do this, is the request well formed.
//
// The chain is data: links with names in a declared order, the same for unary
// calls and streams because both run the same links. New refuses a
// configuration with a missing or a wrong part; there is no default that lets
// a call through. Check refuses a server with a method that has no rule.
//
//	verifier, err := token.NewVerifier(token.Curfew(token.CurfewIssuer, keys))
//	policy, err := authz.NewPolicy(services, permissions)
//	chain, err := interceptors.New(interceptors.Config{
//		Verifier: verifier, Revocation: source, Policy: policy, Logger: logger,
//	})
//	server := grpc.NewServer(chain.ServerOptions()...)
//	// register services
//	err = chain.Check(server)
//
// A handler finds its caller with identity.FromContext and, right before a
// side effect, asks revocation.CommitGuard.
package interceptors
