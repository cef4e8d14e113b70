// Package telemetry counts calls with OpenTelemetry: the Meter of a chain
// (interceptors.Config.Metrics), and gauges of what the chain holds. It is a
// module of its own, so that who wants no metrics downloads none.
//
// The instruments, of scope github.com/curfew-platform/curfew/pkg/interceptors:
//
//	curfew.call.duration    histogram, s    rpc.method, rpc.grpc.status_code, curfew.reason if there is one
//	curfew.call.running     up-down count   rpc.method
//	curfew.token.cache      count           curfew.result: hit, miss or eviction
//	curfew.token.entries    gauge           verified tokens that are held
//	curfew.token.bytes      gauge, By       what they weigh
//	curfew.revocation.rules gauge           rules that are held
//	curfew.revocation.lease gauge, s        what is left of the lease; negative when it is over
//	curfew.revocation.lease.losses count    leases that ended before the next one was held
//
// and of an engine of the feed (Receipts, ObserveEngine):
//
//	curfew.feed.barrier.duration histogram, s  curfew.result: acked, expired or pending
//	curfew.feed.watchers    gauge           processes that hold a lease of this replica
//	curfew.feed.lapsed      count           leases that ended while a rule was not acknowledged
//	curfew.feed.behind      gauge           positions that not every watcher has acknowledged
//	curfew.feed.row.lease   gauge, s        what is left of the right to grant leases
//	curfew.feed.row.losses  count           how often it was over before it was renewed
//
// The number of series is bounded by methods x codes x reasons: no attribute is
// a text that a client chooses, and none says who called.
package telemetry
