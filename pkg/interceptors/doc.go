// Package interceptors is the chain of checks that a gRPC server runs in front of
// its handlers. It answers, for every call: who is the caller, is the token still
// good, may the caller do this, and is the request well formed. It works with any
// OpenID Connect issuer.
//
// Start with docs/add-to-your-service.md of the repository, which builds a server
// in five minutes; DESIGN.md in this folder is for those who change the package.
//
// A chain is a fixed sequence of named links. Unary calls and streams run the same
// links. [New] refuses a configuration in which something is missing, so there is
// no default that lets a call through. [Chain.Check] refuses a server that has a
// method without a rule.
//
//	profile := token.OIDC("https://idp.example.com", keys)
//	profile.Audiences = []string{"orders"}
//	verifier, err := token.NewVerifier(profile)
//	policy, err := authz.NewPolicy(services, permissions)
//	chain, err := interceptors.New(interceptors.Config{
//		Verifier: verifier, Revocation: memory.New(), Policy: policy, Logger: logger,
//	})
//	server := grpc.NewServer(chain.ServerOptions()...)
//	// register services
//	err = chain.Check(server)
//
// A handler finds its caller with identity.FromContext and calls
// revocation.CommitGuard right before a side effect. Only errors of package status
// reach the client; every other error becomes INTERNAL.
//
// What to read next: package token (which tokens are accepted), package authz (who
// may call what), package revocation (who knows about revoked tokens), and package
// creds (the client side).
package interceptors
