package supervisor

import (
	"context"
	"sync"
	"time"

	"google.golang.org/protobuf/types/known/durationpb"

	supervisorv1 "github.com/curfew-platform/curfew/proto/gen/curfew/internalapi/supervisor/v1"
)

// mailbox holds the message that the child should get next. A newer one
// replaces an older one that was not sent yet, so that nobody waits for a child
// that doesn't read.
type mailbox struct {
	mu      sync.Mutex
	message *supervisorv1.SuperviseRequest
	filled  chan struct{}
}

func newMailbox() *mailbox { return &mailbox{filled: make(chan struct{}, 1)} }

func (m *mailbox) put(message *supervisorv1.SuperviseRequest) {
	m.mu.Lock()
	m.message = message
	m.mu.Unlock()
	select {
	case m.filled <- struct{}{}:
	default:
	}
}

// hangUp ends the sending.
func (m *mailbox) hangUp() { m.put(nil) }

// deliver sends what is put until it is to hang up, ctx ends or send fails; the
// reader of the same stream learns of a failure.
func (m *mailbox) deliver(ctx context.Context, stream supervisorv1.SupervisorService_SuperviseClient) {
	for {
		select {
		case <-ctx.Done():
			return
		case <-m.filled:
		}
		m.mu.Lock()
		message := m.message
		m.mu.Unlock()
		if message == nil {
			_ = stream.CloseSend()
			return
		}
		if err := stream.Send(message); err != nil {
			return
		}
	}
}

func drainRequest(remaining time.Duration) *supervisorv1.SuperviseRequest {
	return &supervisorv1.SuperviseRequest{Message: &supervisorv1.SuperviseRequest_Drain{
		Drain: &supervisorv1.Drain{Remaining: durationpb.New(max(0, remaining))},
	}}
}

func stopRequest() *supervisorv1.SuperviseRequest {
	return &supervisorv1.SuperviseRequest{Message: &supervisorv1.SuperviseRequest_Stop{Stop: &supervisorv1.Stop{}}}
}
