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
//   - If the parent is killed, children with a control channel stop within the
//     orphan grace (300 ms) and then kill their process group; plain children get
//     their death signal from the kernel. A grandchild that made a session of its
//     own, and the descendants of a plain child that don't notice its death, are
//     beyond the reach of both.
//   - Output is never a reason for a child to block, nor for the parent's log to
//     be flooded: see [Spec.Log].
//
// Death signals, limits and waiting without reaping are Linux facilities.
// Elsewhere the package builds and supervises, without them.
package supervisor
