// Package grpcserver stops a grpc.Server as parts of a lifecycle.Group.
//
//	tracker := grpcserver.NewTracker()
//	srv := grpc.NewServer(append(tracker.ServerOptions(), options...)...)
//	...
//	err := grpcserver.Add(group, "grpc", srv, lis, healthServer, grpcserver.WithTracker(tracker))
//
// What the parts do:
//
//	announce    health turns NOT_SERVING, the listener still serves
//	intake off  health watches end, the listener closes, clients get GOAWAY
//	drain       long streams are told to end one after the other, see [Stopping]; calls in flight are awaited; when there
//	            was none for a second, or at the deadline, the rest is cut
//	leave       handlers that outlived the cut are awaited again, so that nothing they use is closed under them
//	close       the listener of a server that never came to serve
//
// Why not just GracefulStop: it waits for ever for an open Health/Watch stream, for a client that is frozen, for a
// connection that never finishes its handshake, and, even after Stop, for a handler that ignores its context; and Stop
// alone does not wait for handlers at all.
package grpcserver
