package nats

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"time"

	natsio "github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"

	"github.com/functionmesh/terraform-provider-functionmesh/internal/wire"
	"github.com/functionmesh/terraform-provider-functionmesh/runner/pipeline"
)

// ReaderOptions say what a Reader shows.
type ReaderOptions struct {
	Broker wire.Broker
	Topic  string // full name
	Last   int    // begin so many messages before the end; 0: see Earliest
	// Earliest begins with the oldest message kept; otherwise only new ones are shown.
	Earliest bool
	Follow   bool // wait for more instead of ending with io.EOF
}

// Reader reads all partitions of a topic in the order in which messages arrived and
// touches no subscription.
type Reader struct {
	nc      *natsio.Conn
	follow  *follower
	end     uint64 // last sequence to show; unused when following
	forever bool
	ready   []received
}

// What a Reader holds.
const (
	readerBatch = 256
	readerBytes = 1 << 20
)

// NewReader connects; the topic must exist.
func NewReader(ctx context.Context, o ReaderOptions) (*Reader, error) {
	if err := checkBroker("", o.Broker); err != nil {
		return nil, err
	}
	nc, err := dialReading(ctx, o.Broker, "reader of "+o.Topic, slog.New(slog.DiscardHandler))
	if err != nil {
		return nil, err
	}
	r, err := newReader(ctx, nc, o)
	if err != nil {
		nc.Close()
		return nil, err
	}
	return r, nil
}

func newReader(ctx context.Context, nc *natsio.Conn, o ReaderOptions) (*Reader, error) {
	js, err := jetstream.New(nc, jetstream.WithDefaultTimeout(requestTimeout))
	if err != nil {
		return nil, err
	}
	stream, err := js.Stream(ctx, wire.StreamName(o.Topic))
	switch {
	case errors.Is(err, jetstream.ErrStreamNotFound):
		return nil, noTopic(o.Topic)
	case err != nil:
		return nil, fmt.Errorf("topic %s: %w", o.Topic, err)
	}
	state := stream.CachedInfo().State
	r := &Reader{nc: nc, end: state.LastSeq, forever: o.Follow}
	r.follow = &follower{js: js, stream: wire.StreamName(o.Topic), topic: o.Topic, filter: wire.SubjectAll(o.Topic)}
	switch {
	case o.Last > 0:
		r.follow.last = state.LastSeq - min(state.LastSeq, uint64(o.Last))
	case !o.Earliest:
		r.follow.last = state.LastSeq
	}
	return r, nil
}

// Next returns the next message. io.EOF: there are no more and Follow was not asked.
func (r *Reader) Next(ctx context.Context) (pipeline.Message, error) {
	for len(r.ready) == 0 {
		if !r.forever && r.follow.last >= r.end {
			return pipeline.Message{}, io.EOF
		}
		if err := r.fill(ctx); err != nil {
			return pipeline.Message{}, err
		}
	}
	next := r.ready[0]
	if !r.forever && next.sequence > r.end {
		return pipeline.Message{}, io.EOF
	}
	r.ready = r.ready[1:]
	return next.message, nil
}

// fill reads what comes next. After a passing trouble it leaves ready empty.
func (r *Reader) fill(ctx context.Context) error {
	got, err := r.follow.read(ctx, readerBatch, readerBytes, r.forever)
	switch {
	case errors.Is(err, errLost):
		return nil
	case errors.Is(err, errDisconnected) && r.forever:
		return pause(ctx, reconnectMin)
	case err != nil:
		return err
	case len(got) == 0: // the newest ones were deleted
		return io.EOF
	}
	r.ready = got
	return nil
}

func pause(ctx context.Context, d time.Duration) error {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-t.C:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

// Close ends the connection.
func (r *Reader) Close(ctx context.Context) error {
	r.follow.close(ctx)
	r.nc.Close()
	return nil
}
