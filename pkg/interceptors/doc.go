// Package interceptors is the chain that every gRPC server of the platform
// runs: who calls, is the token still good, may the caller do this, is the
// request well formed. See DESIGN.md of this folder.
package interceptors
