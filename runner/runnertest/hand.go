package runnertest

import (
	"context"

	"github.com/functionmesh/terraform-provider-functionmesh/runner/pipeline"
)

// HandLane is a MemoryLane that user code acknowledges by itself.
type HandLane struct{ *MemoryLane }

// Acknowledge implements pipeline.ByHand.
func (l *HandLane) Acknowledge(_ context.Context, acks []pipeline.Ack) error {
	l.mu.Lock()
	defer l.mu.Unlock()
	for _, a := range acks {
		m, ok := l.kept[a.Position]
		if !ok {
			continue
		}
		delete(l.kept, a.Position)
		if a.Nack {
			l.again(m, 0)
		} else {
			l.settled = append(l.settled, m.ID())
		}
	}
	return nil
}

// Unacknowledged implements pipeline.ByHand.
func (l *HandLane) Unacknowledged() int {
	l.mu.Lock()
	defer l.mu.Unlock()
	return len(l.kept)
}
