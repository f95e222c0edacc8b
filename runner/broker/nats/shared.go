package nats

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"slices"
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
	topic     string
	queue     int // most messages of one read; 0: as many as are asked for
	nc        *natsio.Conn
	log       *slog.Logger
	pull      *puller
	strict    bool          // a late acknowledgement is an error
	nackDelay time.Duration // 0: the growing delay of verdicts; at once for user code
	wait      time.Duration // the consumer's acknowledgement timeout

	done []byte // what acknowledges

	mu      sync.Mutex
	working []*sharedBatch
	free    []*sharedBatch
	kept    map[int64]string // guarantee manual: reply by sequence, until it is acknowledged
	stopped chan struct{}
	beats   sync.WaitGroup
}

// sharedBatch is the token of a batch: where its messages are acknowledged.
type sharedBatch struct {
	asked    time.Time // no message of it was delivered earlier
	messages []pipeline.Message
	replies  []string
	settled  int // so many of the first
}

// keptBatches is how many batches wait to be used again.
const keptBatches = 16

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
		topic: in.Topic, queue: in.QueueSize, nc: js.Conn(), log: s.log, strict: s.options.AtMostOnce, done: []byte(ackDone), kept: map[int64]string{}, nackDelay: nackDelay(sub.NackDelayMs),
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
	asked := time.Now()
	got, err := l.pull.fetch(ctx, atMost(most, l.queue), maxBytes, true)
	if err != nil {
		return pipeline.Batch{}, fmt.Errorf("read %s: %w", l.topic, err)
	}
	token := l.take()
	token.asked = asked
	token.messages = slices.Grow(token.messages, len(got))[:len(got)]
	token.replies = slices.Grow(token.replies, len(got))[:len(got)]
	for i, m := range got {
		if _, err := decode(l.topic, m, &token.messages[i]); err != nil {
			return pipeline.Batch{}, err
		}
		token.replies[i] = m.Reply
	}
	l.mu.Lock()
	l.working = append(l.working, token)
	l.mu.Unlock()
	return pipeline.Batch{Messages: token.messages, Token: token}, nil
}

func (l *sharedLane) take() *sharedBatch {
	l.mu.Lock()
	defer l.mu.Unlock()
	if n := len(l.free); n > 0 {
		b := l.free[n-1]
		l.free = l.free[:n-1]
		return b
	}
	return &sharedBatch{}
}

// Release implements pipeline.Releaser. What is not settled by now comes again after the
// acknowledgement timeout.
func (l *sharedLane) Release(b pipeline.Batch) {
	token, ok := b.Token.(*sharedBatch)
	if !ok {
		return
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	clear(token.messages)
	clear(token.replies)
	*token = sharedBatch{messages: token.messages[:0], replies: token.replies[:0]}
	l.working = slices.DeleteFunc(l.working, func(w *sharedBatch) bool { return w == token })
	if len(l.free) < keptBatches {
		l.free = append(l.free, token)
	}
}

func atMost(most, queue int) int {
	if queue > 0 {
		return min(most, queue)
	}
	return most
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
	if !l.nc.IsConnected() {
		return
	}
	for _, b := range l.working {
		for _, reply := range b.replies[b.settled:] {
			if l.nc.Publish(reply, word) != nil {
				return
			}
		}
	}
	for _, reply := range l.kept {
		if l.nc.Publish(reply, word) != nil {
			return
		}
	}
}

// Settle implements pipeline.Lane. A consumer handles what one connection tells it in
// order, so the confirmation of the last word confirms all.
func (l *sharedLane) Settle(ctx context.Context, b pipeline.Batch, v []pipeline.Verdict) error {
	token, ok := b.Token.(*sharedBatch)
	if !ok || token.settled+len(v) > len(token.replies) {
		return fmt.Errorf("settle %s: not a batch of this lane", l.topic)
	}
	l.keep(token, v)
	if err := l.tell(ctx, token.replies[token.settled:], v); err != nil {
		return fmt.Errorf("acknowledge %s: %w", l.topic, err)
	}
	l.mu.Lock()
	token.settled += len(v)
	l.mu.Unlock()
	if l.strict && time.Since(token.asked) > l.wait {
		// R2: another instance may have it already.
		return fmt.Errorf("acknowledge %s: %w", l.topic, errLate)
	}
	return nil
}

// tell publishes a word for every message but those that are kept; the last is confirmed.
func (l *sharedLane) tell(ctx context.Context, replies []string, v []pipeline.Verdict) error {
	last := len(v) - 1
	for last >= 0 && v[last].Keep {
		last--
	}
	if last < 0 {
		return nil
	}
	for i := range v[:last] {
		if v[i].Keep {
			continue
		}
		if err := l.nc.Publish(replies[i], l.word(v[i])); err != nil {
			return err
		}
	}
	return l.confirm(ctx, replies[last], l.word(v[last]))
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

func (l *sharedLane) word(v pipeline.Verdict) []byte {
	switch {
	case !v.Redeliver:
		return l.done
	case l.nackDelay > 0:
		v.Delay = l.nackDelay
	}
	return fmt.Appendf(nil, `%s {"delay": %d}`, ackNotNow, max(v.Delay, time.Millisecond).Nanoseconds())
}

// close hands back what was not settled.
func (l *sharedLane) close() {
	close(l.stopped)
	l.beats.Wait()
	back := l.word(pipeline.Verdict{Redeliver: true})
	for _, m := range l.pull.stop() {
		_ = l.nc.Publish(m.Reply, back) // else it comes again after the timeout
	}
	l.each(back)
	_ = l.nc.FlushTimeout(requestTimeout)
}
