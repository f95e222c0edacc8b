package instance

import (
	"context"
	"fmt"
	"io"

	"github.com/functionmesh/terraform-provider-functionmesh/runner/pipeline"
)

// readySource makes the instance ready: once the source has opened its lanes, and the
// sinks are connected. User code runs by then.
type readySource struct {
	pipeline.Source
	sinks []pipeline.Sink
	ready func(bool)
}

// connecter is a sink that can be connected before its first write.
type connecter interface {
	Connect(ctx context.Context) error
}

// Open opens the source and connects the sinks.
func (s *readySource) Open(ctx context.Context) ([]pipeline.Lane, error) {
	for _, sink := range s.sinks {
		if c, ok := sink.(connecter); ok {
			if err := c.Connect(ctx); err != nil {
				return nil, fmt.Errorf("connect sink: %w", err)
			}
		}
	}
	lanes, err := s.Source.Open(ctx)
	if err == nil {
		s.ready(true)
	}
	return lanes, err
}

// Grown passes lanes on that appear while the source is read.
func (s *readySource) Grown(ctx context.Context) ([]pipeline.Lane, error) {
	if g, ok := s.Source.(pipeline.Growing); ok {
		return g.Grown(ctx)
	}
	return nil, io.EOF
}

// namedOnly drops what has no destination: results of a function without an output.
type namedOnly struct{ pipeline.Sink }

// Connect connects the sink below.
func (s *namedOnly) Connect(ctx context.Context) error {
	if c, ok := s.Sink.(connecter); ok {
		return c.Connect(ctx)
	}
	return nil
}

// Write passes on what names a topic. The prefix it reports counts what it dropped.
func (s *namedOnly) Write(ctx context.Context, out []pipeline.Message) (int, error) {
	kept, at := make([]pipeline.Message, 0, len(out)), make([]int, 0, len(out))
	for i := range out {
		if out[i].Topic != "" {
			kept, at = append(kept, out[i]), append(at, i)
		}
	}
	if len(kept) == 0 {
		return len(out), nil
	}
	n, err := s.Sink.Write(ctx, kept)
	if n < len(kept) {
		return at[n], err
	}
	return len(out), err
}
