// Package message holds the messages of the leased feed as plain Go values, so
// that engine and watcher need not know the transport. They mean what the
// messages of the same names in curfew.revocation.v1 mean.
//
// A message must not be changed once it was sent, because receivers share its
// slices.
package message

import (
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/curfew-platform/curfew/pkg/interceptors/revocation"
)

// Request is what a watcher sends: [Hello], [Renew] or [Leave].
type Request interface{ request() }

// Response is what the engine sends: [Snapshot], [Events], [Grant] or [Move].
type Response interface{ response() }

// Hello is the first message of a stream.
type Hello struct {
	// ReplicaID names the replica for people. 1 to 200 bytes, no NUL.
	ReplicaID string
	// Incarnation is random for each process. 1 to 200 bytes, no NUL.
	Incarnation string
	// LastSeq is the highest position applied; above the server's head is legal.
	LastSeq int64
	// Generation is the feed generation of LastSeq; empty before the first snapshot.
	Generation string
}

// maxName is the longest name in a Hello, in bytes.
const maxName = 200

// Check returns an error if a name or the position is not valid.
func (h Hello) Check() error {
	switch {
	case h.ReplicaID == "" || len(h.ReplicaID) > maxName, h.Incarnation == "" || len(h.Incarnation) > maxName, len(h.Generation) > maxName:
		return fmt.Errorf("name of replica, incarnation or generation is missing or longer than %d bytes", maxName)
	case strings.ContainsRune(h.ReplicaID+h.Incarnation, 0):
		return errors.New("name with a NUL")
	case h.LastSeq < 0:
		return errors.New("negative position")
	}
	return nil
}

// Renew asks for a lease and acknowledges.
type Renew struct {
	// Nonce is unique within the stream.
	Nonce uint64
	// AppliedSeq: rules up to here are published and their calls cancelled.
	AppliedSeq int64
	// Generation is the feed generation of AppliedSeq.
	Generation string
}

// Leave says that the watcher admits nothing any more.
type Leave struct{}

// Snapshot is the set as of HeadSeq, in one or several parts. It is merged.
type Snapshot struct {
	// Generation is that of the server.
	Generation string
	// HeadSeq is the position of the snapshot; it counts with the last part.
	HeadSeq int64
	// Rules in sequence order.
	Rules []revocation.Rule
	// More is true if another part follows.
	More bool
}

// Events are rules that follow each other in the feed.
type Events struct {
	// Generation is that of the server.
	Generation string
	// Rules in sequence order.
	Rules []revocation.Rule
	// Seq is the position after the last rule.
	Seq int64
}

// Grant is a lease that counts from the sending of the Renew with its nonce.
type Grant struct {
	// Nonce of the Renew that is answered.
	Nonce uint64
	// TTL is the length; zero is no lease.
	TTL time.Duration
	// Generation is that of the server.
	Generation string
}

// Move asks the watcher to go to another server.
type Move struct{}

func (Hello) request()     {}
func (Renew) request()     {}
func (Leave) request()     {}
func (Snapshot) response() {}
func (Events) response()   {}
func (Grant) response()    {}
func (Move) response()     {}

// ClientStream is the watcher's end of a stream. One goroutine may send while
// another one receives.
type ClientStream interface {
	// Send blocks until the message is on its way.
	Send(Request) error
	// Recv blocks until a message arrives or the stream ends.
	Recv() (Response, error)
	// Close ends the stream in both directions and lets Send and Recv return.
	// It may be called more than once.
	Close()
}

// ServerStream is the engine's end of a stream. One goroutine may send while
// another one receives. The stream ends with the context of the call.
type ServerStream interface {
	// Send blocks until the message is on its way.
	Send(Response) error
	// Recv blocks until a message arrives or the stream ends.
	Recv() (Request, error)
}
