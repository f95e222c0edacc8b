package pulsar

import (
	"context"
	"sync"

	"github.com/functionmesh/terraform-provider-functionmesh/runner/pipeline"
)

// Inbox hands the lanes that a source opens while it runs over to the pipeline, all that
// are there at once.
type Inbox struct {
	wake chan struct{}

	mu    sync.Mutex
	lanes []pipeline.Lane
}

// NewInbox makes an empty one.
func NewInbox() *Inbox { return &Inbox{wake: make(chan struct{}, 1)} }

// Put adds a lane and never waits.
func (b *Inbox) Put(l pipeline.Lane) {
	b.mu.Lock()
	b.lanes = append(b.lanes, l)
	b.mu.Unlock()
	select {
	case b.wake <- struct{}{}:
	default:
	}
}

// Take waits for lanes, or for the end of ctx, whose cause it returns.
func (b *Inbox) Take(ctx context.Context) ([]pipeline.Lane, error) {
	for {
		b.mu.Lock()
		lanes := b.lanes
		b.lanes = nil
		b.mu.Unlock()
		if len(lanes) > 0 {
			return lanes, nil
		}
		select {
		case <-b.wake:
		case <-ctx.Done():
			return nil, context.Cause(ctx)
		}
	}
}
