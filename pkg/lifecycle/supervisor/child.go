package supervisor

import "google.golang.org/grpc"

// Child is one generation of a child with a control channel, as
// [Spec.OnReady] gets it. It is a value and safe for concurrent use.
type Child struct{ p *process }

// Slot counts from 0.
func (c Child) Slot() int { return c.p.id.slot }

// Generation counts the starts of the slot, from 1.
func (c Child) Generation() int64 { return c.p.id.generation }

// Pid is the process id. Signal the child by [Supervisor.Stop] and
// [Supervisor.Restart], never by this number: it may be that of another
// process by then.
func (c Child) Pid() int { return c.p.os.Pid }

// Conn is the connection to the services that the child has registered with
// [Agent.Server]. Messages are limited to 1 MiB. It is closed when the child
// has ended, and calls in flight fail then; don't close it.
func (c Child) Conn() *grpc.ClientConn { return c.p.conn }
