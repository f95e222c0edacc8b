package nats

import (
	"context"
	"errors"
	"fmt"
	"time"

	natsio "github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"
)

// followIdle is how long the server keeps the cursor of a follower that asks nothing.
const followIdle = 5 * time.Minute

// follower reads a stream in order from a sequence on. Its consumer on the server is
// only a cursor: whatever is doubtful (a lost connection, a gap), it makes a new one
// where it stopped.
type follower struct {
	js     jetstream.JetStream
	stream string
	topic  string
	filter string

	last       uint64 // stream sequence of the last message returned
	pull       *puller
	consumer   string
	delivered  uint64 // consumer sequence of the last message
	reconnects uint64 // of the connection when the consumer was made
}

// read returns the next messages. A damaged cursor is replaced and reported as an
// error that is worth another attempt.
func (f *follower) read(ctx context.Context, most int, maxBytes int64, wait bool) ([]received, error) {
	if err := f.ensure(ctx); err != nil {
		return nil, err
	}
	got, err := f.pull.fetch(ctx, most, maxBytes, wait)
	if err != nil {
		if ctx.Err() == nil {
			f.drop()
		}
		return nil, err
	}
	out := make([]received, 0, len(got))
	for _, m := range got {
		r := received{reply: m.Reply}
		d, err := decode(f.topic, m, &r.message)
		if err != nil {
			return nil, err
		}
		r.sequence, r.delivered = d.stream, d.consumer
		if r.delivered != f.delivered+1 {
			f.drop()
			if len(out) > 0 {
				return out, nil
			}
			return nil, fmt.Errorf("topic %s: %w", f.topic, errLost)
		}
		f.delivered, f.last = r.delivered, r.sequence
		out = append(out, r)
	}
	return out, nil
}

// ensure makes the cursor where there is none that can be trusted.
func (f *follower) ensure(ctx context.Context) error {
	nc := f.js.Conn()
	if !nc.IsConnected() {
		return errDisconnected
	}
	if f.pull != nil && f.reconnects == nc.Stats().Reconnects {
		return nil
	}
	f.drop()
	reconnects := nc.Stats().Reconnects
	stream, err := f.js.Stream(ctx, f.stream)
	if err != nil {
		return f.failed(err)
	}
	if end := stream.CachedInfo().State.LastSeq; end < f.last {
		f.last = end // the server lost its newest messages; their numbers are used again
	}
	consumer, err := stream.CreateConsumer(ctx, jetstream.ConsumerConfig{
		AckPolicy:         jetstream.AckNonePolicy,
		DeliverPolicy:     jetstream.DeliverByStartSequencePolicy,
		OptStartSeq:       f.last + 1,
		FilterSubject:     f.filter,
		InactiveThreshold: followIdle,
		MemoryStorage:     true,
		Replicas:          1,
	})
	if err != nil {
		return f.failed(err)
	}
	pull, err := newPuller(nc, f.stream, consumer.CachedInfo().Name, pullExpires)
	if err != nil {
		return f.failed(err)
	}
	f.pull, f.consumer, f.delivered, f.reconnects = pull, consumer.CachedInfo().Name, 0, reconnects
	return nil
}

func (f *follower) failed(err error) error {
	if errors.Is(err, jetstream.ErrStreamNotFound) {
		return noTopic(f.topic)
	}
	return fmt.Errorf("read topic %s: %w", f.topic, err)
}

// drop forgets the cursor; the server removes it by itself when nobody asks.
func (f *follower) drop() {
	if f.pull == nil {
		return
	}
	_ = f.pull.sub.Unsubscribe() // fails only when the connection is closed
	f.pull = nil
}

// close removes the cursor.
func (f *follower) close(ctx context.Context) {
	if f.pull == nil {
		return
	}
	f.drop()
	err := f.js.DeleteConsumer(ctx, f.stream, f.consumer)
	if err != nil && !errors.Is(err, natsio.ErrTimeout) {
		return // it ends by itself after followIdle
	}
}
