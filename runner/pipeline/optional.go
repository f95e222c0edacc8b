package pipeline

import (
	"context"
	"errors"
)

// Grower is a Source whose lanes become more while it is read: a topic got partitions.
type Grower interface {
	// Grown blocks until there are lanes that neither Open nor Grown returned before and
	// returns them; it fails only with ctx. Called by one goroutine, after Open.
	Grown(ctx context.Context) ([]Lane, error)
}

// Recycler is a Lane that uses the memory of a batch again.
type Recycler interface {
	// Recycle takes back a batch at which nobody looks any more, settled or not: its
	// messages, and whatever their slices point to, change from here on. Not calling it
	// costs garbage and nothing else.
	Recycle(b Batch)
}

// ErrHandedOver is wrapped by an error of a Lane or a Sink when the messages under way
// belong to another instance by now: the lane drops them unsettled, as if it had never
// read them, and reads on, for they may be its own again later. Unlike ErrFenced it ends
// no lane and is no failure.
var ErrHandedOver = errors.New("handed over to another instance")
