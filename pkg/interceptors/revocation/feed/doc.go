// Package feed is the server side of the leased feed of revocations: it holds
// the watchers' leases and the barrier that a revoking call waits at. It knows
// no transport; package feedgrpc puts it behind gRPC, and the engine's own
// process watches through [Engine.Dial].
//
// One engine runs in every replica of the auth service, all over one [Store].
// Leases have two levels. A watcher holds a lease from an engine; an engine
// holds a lease from the store, its row, and grants nothing beyond it. So a
// revoking call needs to know the rows only, wherever the watchers are.
//
// Numbers in comments (rule 7) are those of the design in DESIGN.md of package
// revocation.
package feed
