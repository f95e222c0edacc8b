package compatible

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	pulsario "github.com/apache/pulsar-client-go/pulsar"
	"github.com/apache/pulsar-client-go/pulsar/backoff"
)

var errStale = errors.New("received over a connection that was lost; the broker delivers it again")

// session is one consumer of a station. The client connects it anew by itself, but not
// with at-most-once: what it then hands out came over two connections, and cannot be told
// apart. There it ends with its connection, and another takes its place.
type session struct {
	consumer pulsario.Consumer
	messages <-chan pulsario.ConsumerMessage
	once     sync.Once
	gone     chan struct{} // closed when nothing of it may be handed out any more
}

func (s *session) end() { s.once.Do(func() { close(s.gone) }) }

func (s *session) ended() bool {
	select {
	case <-s.gone:
		return true
	default:
		return false
	}
}

// subscribe makes a consumer the present one.
func (st *station) subscribe(c *client, earliest bool) error {
	s := &session{gone: make(chan struct{})}
	o, err := st.options(s)
	if err != nil {
		return err
	}
	if earliest {
		o.SubscriptionInitialPosition = pulsario.SubscriptionPositionEarliest
	}
	if s.consumer, err = c.Subscribe(o); err != nil {
		return err
	}
	s.messages = s.consumer.Chan()
	st.mu.Lock()
	defer st.mu.Unlock()
	st.now = s
	return nil
}

// present is the session messages come from. Those of at-least-once sessions before it are
// acknowledged by it, too.
func (st *station) present() *session {
	st.mu.Lock()
	defer st.mu.Unlock()
	return st.now
}

// renew puts another consumer in the place of one that starves or has ended. Nothing that
// the one before has not handed out is taken from it: the broker delivers that again, and
// before it what was handed out and not acknowledged.
func (st *station) renew(ctx context.Context) error {
	c, err := st.source.client(st.in.Broker)
	if err != nil {
		return err
	}
	st.present().end()
	st.present().consumer.Close()
	// Ours asks all hosts at once; the client asks one after the other, and is slow with one
	// that does not answer. What is wrong the client tells, too.
	waiting, cancel := context.WithTimeout(ctx, reconnectPatience)
	_, _ = c.ask.Connect(waiting, st.topic)
	cancel()
	if ctx.Err() != nil {
		return context.Cause(ctx)
	}
	if err := st.subscribe(c, false); err != nil {
		return fmt.Errorf("subscription %s of %s: %w", st.source.options.Source.Subscription.Name, st.topic, err)
	}
	st.leaking = false
	return nil
}

// reconnecting is called by the client when a consumer's connection is lost, before it
// looks for another.
func (st *station) reconnecting(s *session) func() backoff.Policy {
	return func() backoff.Policy {
		if st.once() {
			s.end()
		}
		return &patient{Policy: newPauses(), until: time.Now().Add(st.source.patience), end: s.end}
	}
}

// reconnectPatience is how long the client may try to connect a consumer anew. After a
// SUBSCRIBE that it waited too long for, brokers refuse the consumer's number on that
// connection for good, and the client keeps both until it finds the connection idle, after
// three minutes. A new consumer has a new number.
const reconnectPatience = 20 * time.Second

// patient is asked for a pause after each attempt that failed.
type patient struct {
	backoff.Policy
	until time.Time
	end   func()
}

// Next implements the client's policy.
func (p *patient) Next() time.Duration {
	if time.Now().After(p.until) {
		p.end()
	}
	return p.Policy.Next()
}

// rejoin renews a session that nobody reads. On an error it is tried again after a pause.
func (st *station) rejoin(ctx context.Context, reads *sync.Mutex) {
	reads.Lock()
	defer reads.Unlock()
	if !st.present().ended() {
		return
	}
	if err := st.renew(ctx); err != nil {
		st.source.log.Warn("subscription", "error", err)
		select {
		case <-time.After(longestPause):
		case <-ctx.Done():
		}
	}
}

func (st *station) once() bool { return st.source.options.Delivery.Guarantee == atMostOnce }

// opened subscribes for the first time: the instance before this one may still hold it.
func (st *station) opened(ctx context.Context, c *client, earliest bool) error {
	for {
		err := st.subscribe(c, earliest)
		if err == nil {
			return nil
		}
		select {
		case <-time.After(time.Second):
		case <-ctx.Done():
			return err
		}
	}
}
