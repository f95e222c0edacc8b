package compatible

import (
	"context"
	"fmt"
	"sync"
	"sync/atomic"

	pulsario "github.com/apache/pulsar-client-go/pulsar"
	"github.com/apache/pulsar-client-go/pulsar/backoff"

	"github.com/functionmesh/terraform-provider-functionmesh/internal/wire"
	"github.com/functionmesh/terraform-provider-functionmesh/runner/broker/pulsar/conn"
	"github.com/functionmesh/terraform-provider-functionmesh/runner/pipeline"
)

// outlet is a topic that is written to. It has one line at a time.
type outlet struct {
	name  string        // as messages use it
	users int           // writes that have it or wait for it; with the sink's lock
	busy  chan struct{} // holds a token while somebody opens or closes the line
	line  *line         // nil: none is open
	turn  atomic.Uint64 // of keyless messages
}

func newOutlet(name string) *outlet { return &outlet{name: name, busy: make(chan struct{}, 1)} }

// enter lets a write join the line, which it opens if need be. A line that failed is
// closed before, so that what the client still holds of it never comes behind what is
// written from now on.
func (o *outlet) enter(ctx context.Context, s *Sink, w *writing) (*line, error) {
	select {
	case o.busy <- struct{}{}:
		defer func() { <-o.busy }()
	case <-ctx.Done():
		return nil, context.Cause(ctx)
	}
	for {
		if o.line == nil {
			l, err := o.open(ctx, s)
			if err != nil {
				return nil, err
			}
			o.line = l
		}
		if o.line.join(w) {
			return o.line, nil
		}
		select {
		case <-o.line.left:
			o.line.producer.Close()
			o.line = nil
		case <-ctx.Done():
			return nil, context.Cause(ctx)
		}
	}
}

func (o *outlet) open(ctx context.Context, s *Sink) (*line, error) {
	c, err := s.connected()
	if err != nil {
		return nil, err
	}
	full, err := s.full(o.name)
	if err != nil {
		return nil, err
	}
	// The client would say "connection error" where this says why.
	n, err := c.ask.Partitions(ctx, full)
	if err == nil {
		_, err = c.ask.Connect(ctx, partitionName(full, n))
	}
	if err != nil {
		return nil, o.refused(full, err)
	}
	l := newLine()
	options := s.producer
	options.Topic, options.MessageRouter, options.BackOffPolicyFunc = full, o.route, newPauses
	if s.options.Delivery.Guarantee == atMostOnce {
		// R2: what may be stored is not sent again.
		options.MaxReconnectToBroker = new(uint)
		options.BackOffPolicyFunc = func() backoff.Policy {
			l.lose()
			return newPauses()
		}
		// R4: while the broker may still read from a connection that we have lost, it
		// refuses the name.
		options.Name = s.name
	}
	if l.producer, err = c.CreateProducer(options); err != nil {
		return nil, fmt.Errorf("producer on %s: %w", full, err)
	}
	return l, nil
}

func partitionName(topic string, partitions int) string {
	if partitions == 0 {
		return topic
	}
	return topic + partitionSuffix + "0"
}

// refused makes the refusal of a topic that a message names that message's failure.
func (o *outlet) refused(full string, err error) error {
	if _, terminal := conn.Terminal(err); terminal && o.name != "" {
		return &pipeline.MessageError{Err: fmt.Errorf("destination topic %s: %w", full, err)}
	}
	return fmt.Errorf("output topic %s: %w", full, classed(err))
}

// route is the partition by the key, else by turns, one write each.
func (o *outlet) route(m *pulsario.ProducerMessage, t pulsario.TopicMetadata) int {
	n := int(t.NumPartitions())
	switch {
	case n <= 1:
		return 0
	case m.Key != "":
		return wire.PartitionFor([]byte(m.Key), n)
	}
	return int(o.turn.Load() % uint64(n)) //nolint:gosec // positive and small
}

// close ends the line, unless it is another than the given one; nil: whichever it is.
func (o *outlet) close(l *line) {
	o.busy <- struct{}{}
	defer func() { <-o.busy }()
	if o.line == nil || l != nil && o.line != l {
		return
	}
	o.line.lose()
	<-o.line.left
	o.line.producer.Close()
	o.line = nil
}

// line is a producer, of all partitions, for those who write with it. When it fails for
// one of them it ends for all.
type line struct {
	producer pulsario.Producer
	left     chan struct{} // closed when it is lost and nobody writes any more

	mu      sync.Mutex
	writing map[*writing]bool // under way
	lost    bool
}

func newLine() *line { return &line{left: make(chan struct{}), writing: map[*writing]bool{}} }

// lose ends all that is under way; nobody may join any more.
func (l *line) lose() {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.lost {
		return
	}
	l.lost = true
	for w := range l.writing {
		w.abort()
	}
	l.rest()
}

func (l *line) join(w *writing) bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	if !l.lost {
		l.writing[w] = true
	}
	return !l.lost
}

func (l *line) leave(w *writing) {
	l.mu.Lock()
	defer l.mu.Unlock()
	delete(l.writing, w)
	l.rest()
}

// rest is called with the lock, when one has left or the line is lost.
func (l *line) rest() {
	if l.lost && len(l.writing) == 0 {
		close(l.left)
	}
}
