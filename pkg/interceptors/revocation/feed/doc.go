// Package feed is the server side of the leased feed of revocations. Its [Engine]
// passes revocations on to watchers, grants them leases, and tells a revoking call
// when every replica refuses what was revoked. Embed it in the server that revokes:
// the example shows how; package feedgrpc serves it over gRPC.
//
// One engine runs in every replica of that server, and all of them share one [Store].
// Leases have two levels. A watcher holds a lease from an engine. An engine holds a
// lease from the store, which is its row, and grants nothing beyond it. A revoking
// call therefore only has to know the rows, wherever the watchers are.
//
// DESIGN.md of package revocation has the guarantee, the map of the files, and the
// rule that each test protects.
package feed
