// Package supervisor runs child processes under the deadline of a
// [lifecycle.Group]: worker processes that are re-execs of the same binary and
// speak a control channel, and plain programs such as a database server.
//
// # Two sides
//
// The parent calls [Add] with a [Spec]; the group then starts the children,
// keeps them running, and stops them within its budgets. A child calls [Attach]
// with its own group; the supervisor's Drain becomes the stop of that group.
// Both sides hold one end of a unix socketpair, the child on descriptor 3, and
// speak gRPC over it: the child serves, the parent calls. There is no path and
// no port that a third process could reach, and the end of the connection means
// that the other side has died.
//
// # What is guaranteed
//
//   - A child that is told to stop is gone when the group has stopped: Drain,
//     then SIGTERM, then SIGQUIT (the Go stacks are kept in [Exit]), then SIGKILL
//     for its whole process group. Who needed force is named in the error of the
//     part and so in the stop report.
//   - Every exit status is seen exactly once, by [Spec.OnExit].
//   - A child that dies takes the processes of its process group with it.
//   - If the parent is killed, children with a control channel see that, stop
//     within [Spec.OrphanGrace] and then kill their process group; plain children
//     get their death signal from the kernel. A warden, a small process beside the
//     parent, kills the groups of those that could not: that were stopped, or were
//     killed in the same instant. A descendant that made a session of its own is
//     beyond its reach.
//   - A child that hangs is found by its missing heartbeats, by a counter that
//     stands still with work in flight, or by the age of its oldest unit.
//   - As PID 1 of a container the supervisor collects orphans, and no status that
//     another part of the program waits for; see package reaper.
//   - Output is never a reason for a child to block, nor for the parent's log to
//     be flooded: see [Spec.Log].
//
// # Cost
//
// The warden is one more process, shared by all supervisors of the parent, with a
// few MiB. It runs the same binary, but not its main function.
//
// Death signals, limits, the warden and waiting without reaping are Linux
// facilities. Elsewhere the package builds and supervises, without them.
package supervisor
