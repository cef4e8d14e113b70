// Package lifecycle starts and stops a process under one deadline.
//
// A [Group] holds parts. Each [Part] does one job in one of six fixed phases of the stop: announce, intake off, drain,
// commit, leave, close. Parts start in the reverse order of the phases. When a signal, a failure or [Group.Shutdown]
// begins the stop, the phases run one after the other, the parts of a phase in parallel, and every phase has a budget
// whose floor no earlier phase can take, whatever the parts do: overrun, hang, panic, or ignore their context.
//
// # Time
//
//	G  grace        how long the platform waits between the first signal and SIGKILL (WithGrace)
//	P  pre-stop     what a preStop hook spends of the grace before the signal arrives (WithPreStop)
//	R  reserve      signal latency, kills, writing the report (WithReserve)
//	T0 first signal, or Shutdown
//	D  = T0 + (G - P) - R
//
//	deadline(i) = min(now + Max(i), D - sum of Min(j) for j > i)
//
// Time that a phase leaves unused flows to the phases behind it; a floor is never eaten. [New] refuses budgets that
// cannot hold (P + R + sum of Min > G) with a [*BudgetError] that prints the table.
//
// # Start and health
//
// All parts together have a deadline to start (WithStartTimeout). A Start that takes long says how far it is by
// [Progress]; a start that fails or is late stops what had started. While the group runs, each part says how healthy it
// is, see [Part] and [Condition]; [Group.Status] is what health checks answer with, and is not ready from the first moment
// of the stop.
//
// # The watchdog
//
// Every Start and Stop runs in a goroutine of its own. At the deadline of its phase the context of a part ends and its
// Kill is called; after 250 ms more the part is abandoned, named in the report with its stack, and the stop goes on.
// Nothing in this package waits without a bound.
//
// # Signals
//
// The first signal begins the stop. After the second, announce and drain end now and every other phase gets its floor
// and no more. After the third, Run returns at once: the only case in which commit may be skipped.
//
// # Exit codes
//
// [ExitCode] maps the error of [Group.Run]: 0 clean, 1 error, 2 usage, 3 deadline exceeded.
//
// The package requires no other module.
package lifecycle
