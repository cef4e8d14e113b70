// Package interceptors is the chain that a gRPC server runs in front of its
// handlers: who calls, is the token still good, may the caller do this, is the
// request well formed. It is for any service in Go and any issuer of OpenID
// Connect; docs/add-to-your-service.md of the repository shows it whole.
//
// The chain is data: links with names in a declared order, the same for unary
// calls and streams because both run the same links. New refuses a
// configuration with a missing or a wrong part; there is no default that lets
// a call through. Check refuses a server with a method that has no rule.
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
// A handler finds its caller with identity.FromContext and, right before a
// side effect, asks revocation.CommitGuard. Its errors reach the client if they
// are of package status. Who knows about revocations is chosen in package
// revocation; clients use package creds.
package interceptors
