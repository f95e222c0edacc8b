package nats

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"sync"
	"time"

	natsio "github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"

	"github.com/functionmesh/terraform-provider-functionmesh/internal/wire"
	"github.com/functionmesh/terraform-provider-functionmesh/runner/pipeline"
)

// Words of the acknowledgement protocol.
const (
	ackDone    = "+ACK"
	ackWorking = "+WPI"
	ackNotNow  = "-NAK"
)

// sharedLane reads a durable consumer that all instances share.
type sharedLane struct {
	topic  string
	queue  int // most messages of one read; 0: as many as are asked for
	nc     *natsio.Conn
	log    *slog.Logger
	pull   *puller
	strict bool          // a late acknowledgement is an error
	wait   time.Duration // the consumer's acknowledgement timeout

	mu      sync.Mutex
	working *sharedBatch
	stopped chan struct{}
	beats   sync.WaitGroup
}

// sharedBatch is the token of a batch: where its messages are acknowledged.
type sharedBatch struct {
	asked   time.Time // no message of it was delivered earlier
	replies []string  // of the messages not settled yet
}

func (s *Source) openShared(ctx context.Context, js jetstream.JetStream, stream jetstream.Stream, in wire.Input) (*sharedLane, error) {
	sub := s.options.Source.Subscription
	consumer, err := stream.Consumer(ctx, wire.ConsumerName(sub.Name))
	if errors.Is(err, jetstream.ErrConsumerNotFound) {
		err = ErrNoSubscription
	}
	if err != nil {
		return nil, fmt.Errorf("subscription %s of topic %s: %w", sub.Name, in.Topic, err)
	}
	l := &sharedLane{
		topic: in.Topic, queue: in.QueueSize, nc: js.Conn(), log: s.log, strict: s.options.AtMostOnce,
		wait: consumer.CachedInfo().Config.AckWait, stopped: make(chan struct{}),
	}
	name := consumer.CachedInfo().Name
	if l.pull, err = newPuller(l.nc, wire.StreamName(in.Topic), name, min(pullExpires, l.wait/2)); err != nil {
		return nil, err
	}
	l.beats.Go(l.heartbeat)
	return l, nil
}

// Name implements pipeline.Lane.
func (l *sharedLane) Name() string { return l.topic }

// Ordered implements pipeline.Lane.
func (l *sharedLane) Ordered() bool { return false }

// Read implements pipeline.Lane.
func (l *sharedLane) Read(ctx context.Context, most int, maxBytes int64) (pipeline.Batch, error) {
	l.work(nil)
	asked := time.Now()
	got, err := l.pull.fetch(ctx, atMost(most, l.queue), maxBytes, true)
	if err != nil {
		return pipeline.Batch{}, fmt.Errorf("read %s: %w", l.topic, err)
	}
	messages := make([]pipeline.Message, len(got))
	token := &sharedBatch{asked: asked, replies: make([]string, len(got))}
	for i, m := range got {
		r, err := decode(l.topic, m)
		if err != nil {
			return pipeline.Batch{}, err
		}
		messages[i], token.replies[i] = r.message, r.reply
	}
	l.work(token)
	return pipeline.Batch{Messages: messages, Token: token}, nil
}

func atMost(most, queue int) int {
	if queue > 0 {
		return min(most, queue)
	}
	return most
}

func (l *sharedLane) work(b *sharedBatch) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.working = b
}

// heartbeat tells the server that a batch is worked on, so that it is not delivered to
// another instance meanwhile.
func (l *sharedLane) heartbeat() {
	t := time.NewTicker(max(l.wait/3, time.Millisecond))
	defer t.Stop()
	for {
		select {
		case <-t.C:
			l.each([]byte(ackWorking))
		case <-l.stopped:
			return
		}
	}
}

// each publishes word for every message not settled yet.
func (l *sharedLane) each(word []byte) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.working == nil || !l.nc.IsConnected() {
		return
	}
	for _, reply := range l.working.replies {
		if l.nc.Publish(reply, word) != nil {
			return
		}
	}
}

// Settle implements pipeline.Lane. A consumer handles what one connection tells it in
// order, so the confirmation of the last word confirms all.
func (l *sharedLane) Settle(ctx context.Context, b pipeline.Batch, v []pipeline.Verdict) error {
	token, ok := b.Token.(*sharedBatch)
	if !ok || len(v) > len(token.replies) {
		return fmt.Errorf("settle %s: not a batch of this lane", l.topic)
	}
	if len(v) == 0 {
		return nil
	}
	last := len(v) - 1
	for i, verdict := range v[:last] {
		if err := l.nc.Publish(token.replies[i], word(verdict)); err != nil {
			return fmt.Errorf("acknowledge %s: %w", l.topic, err)
		}
	}
	if err := l.confirm(ctx, token.replies[last], word(v[last])); err != nil {
		return fmt.Errorf("acknowledge %s: %w", l.topic, err)
	}
	l.mu.Lock()
	token.replies = token.replies[len(v):]
	l.mu.Unlock()
	if l.strict && time.Since(token.asked) > l.wait {
		// R2: another instance may have it already.
		return fmt.Errorf("acknowledge %s: %w", l.topic, errLate)
	}
	return nil
}

// confirm publishes the last word and waits for the answer. A server that lost its
// newest state when it was killed gives none: to it these messages are undelivered, and
// it delivers them again whatever it is told.
func (l *sharedLane) confirm(ctx context.Context, reply string, word []byte) error {
	wait, cancel := context.WithTimeout(ctx, requestTimeout)
	defer cancel()
	_, err := l.nc.RequestWithContext(wait, reply, word)
	switch {
	case err == nil:
		return nil
	case l.strict, ctx.Err() != nil:
		return err
	}
	if alive := l.nc.FlushTimeout(requestTimeout); alive != nil {
		return errors.Join(err, alive)
	}
	l.log.Warn("the broker does not know these messages as delivered; they come again", "lane", l.topic)
	return nil
}

func word(v pipeline.Verdict) []byte {
	if !v.Redeliver {
		return []byte(ackDone)
	}
	return fmt.Appendf(nil, `%s {"delay": %d}`, ackNotNow, max(v.Delay, time.Millisecond).Nanoseconds())
}

// close hands back what was not settled.
func (l *sharedLane) close() {
	close(l.stopped)
	l.beats.Wait()
	back := word(pipeline.Verdict{Redeliver: true})
	for _, m := range l.pull.stop() {
		_ = l.nc.Publish(m.Reply, back) // else it comes again after the timeout
	}
	l.each(back)
	_ = l.nc.FlushTimeout(requestTimeout)
}
