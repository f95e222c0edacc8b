package pulsar

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"sync"
	"time"

	"golang.org/x/sync/errgroup"

	"github.com/functionmesh/terraform-provider-functionmesh/internal/wire"
	"github.com/functionmesh/terraform-provider-functionmesh/runner/broker/pulsar/conn"
	"github.com/functionmesh/terraform-provider-functionmesh/runner/broker/pulsar/subscription"
	"github.com/functionmesh/terraform-provider-functionmesh/runner/pipeline"
)

const (
	openTimeout  = time.Minute      // an instance that cannot open by then ends, and is started again
	opensAtOnce  = 16               // subscriptions
	lookInterval = time.Minute      // between looks at the number of partitions
	activeWait   = 3 * time.Second  // a broker picks the active consumer after one second
	awayMost     = 10 * time.Second // a lane waits so long for its connection before others may go on with it
)

// Source reads subscribed topics, one lane per partition. Of a failover subscription it
// has the lanes that the broker gave to this instance; others come and go.
type Source struct {
	options SourceOptions
	log     *slog.Logger
	running context.Context // ends with Close
	stop    context.CancelFunc
	tasks   sync.WaitGroup
	grown   *Inbox

	mu       sync.Mutex
	clients  map[string]*conn.Client
	stations map[string]*station // by full name of the partition's topic
	closed   bool
}

// NewSource checks the options and connects to nothing. What no restart can help is a
// *pipeline.TerminalError.
func NewSource(o SourceOptions) (*Source, error) {
	sub := o.Source.Subscription
	switch sub.Mode {
	case wire.Shared, wire.Failover, wire.KeyShared, wire.Exclusive:
	case "":
		o.Source.Subscription.Mode = wire.Shared
	default:
		return nil, invalid("source.subscription.mode: %q is not known; known are shared, failover, key_shared, exclusive", sub.Mode)
	}
	switch {
	case len(o.Source.Inputs) == 0:
		return nil, invalid("source.inputs: missing")
	case sub.Name == "":
		return nil, invalid("source.subscription.name: missing")
	case o.Delivery.Guarantee == effectivelyOnce && sub.Mode != wire.Failover && sub.Mode != wire.Exclusive:
		return nil, invalid("source.subscription.mode: %q has no order of its own, and effectively_once numbers outputs by their input's order: use failover or exclusive", o.Source.Subscription.Mode)
	}
	for i := range o.Source.Inputs {
		if err := checkInput(&o, i); err != nil {
			return nil, err
		}
	}
	return &Source{
		options: o, log: orDiscard(o.Logger), grown: NewInbox(),
		clients: map[string]*conn.Client{}, stations: map[string]*station{},
	}, nil
}

func checkInput(o *SourceOptions, i int) error {
	in := &o.Source.Inputs[i]
	switch {
	case in.Pattern:
		return needsClient("source.inputs[%d].pattern", i)
	case in.Crypto != nil:
		return needsClient("source.inputs[%d].crypto", i)
	}
	b, ok := o.Brokers[in.Broker]
	if !ok {
		return invalid("source.inputs[%d].broker: there is no connection %q", i, in.Broker)
	}
	return checkBroker(in.Broker, b)
}

// Open implements pipeline.Source: it subscribes to every partition, within a minute.
// No lane at all is no error: a failover subscription may have given all to others.
func (s *Source) Open(ctx context.Context) ([]pipeline.Lane, error) {
	s.running, s.stop = context.WithCancel(context.WithoutCancel(ctx))
	opening, cancel := context.WithTimeout(ctx, openTimeout)
	defer cancel()
	for i := range s.options.Source.Inputs {
		in := &s.options.Source.Inputs[i]
		n, err := s.partitions(opening, in)
		if err == nil {
			err = s.subscribe(opening, in, n, false)
		}
		if err != nil {
			return nil, err
		}
	}
	s.tasks.Go(s.growing)
	return s.first(opening), nil
}

// first are the lanes that are there at once, or within the time that a broker takes to
// choose among the consumers of a failover subscription.
func (s *Source) first(ctx context.Context) []pipeline.Lane {
	ctx, cancel := context.WithTimeout(ctx, activeWait)
	defer cancel()
	lanes, _ := s.grown.Take(ctx) // none: they may come later
	return lanes
}

// Grown implements pipeline.Growing.
func (s *Source) Grown(ctx context.Context) ([]pipeline.Lane, error) {
	return s.grown.Take(ctx)
}

func (s *Source) client(broker string) (*conn.Client, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if c := s.clients[broker]; c != nil {
		return c, nil
	}
	c, err := conn.New(s.options.Brokers[broker], conn.Options{Logger: s.log, Trouble: s.options.Report})
	if err != nil {
		return nil, err
	}
	s.clients[broker] = c
	return c, nil
}

// partitions asks how many an input has.
func (s *Source) partitions(ctx context.Context, in *wire.Input) (int, error) {
	c, err := s.client(in.Broker)
	if err != nil {
		return 0, classed(err)
	}
	n, err := c.Partitions(ctx, in.Topic)
	switch {
	case err != nil:
		return 0, fmt.Errorf("partitions of topic %s: %w", in.Topic, classed(err))
	case n == 0 && in.Partitions > 0:
		return 0, fmt.Errorf("topic %s: %w, or has no partitions any more, where it had %d", in.Topic, ErrNoTopic, in.Partitions)
	}
	return n, nil
}

// subscribe opens the partitions of an input that are not open yet; later says that they
// appeared while the source was read.
func (s *Source) subscribe(ctx context.Context, in *wire.Input, partitions int, later bool) error {
	c, err := s.client(in.Broker)
	if err != nil {
		return classed(err)
	}
	group, ctx := errgroup.WithContext(ctx)
	group.SetLimit(opensAtOnce)
	for p := range max(partitions, 1) {
		st := newStation(s, in, p, partitions)
		if s.knows(st.topic) {
			continue
		}
		group.Go(func() error {
			if err := st.open(ctx, c, later); err != nil {
				return fmt.Errorf("subscription %s of %s: %w", s.options.Source.Subscription.Name, st.topic, classed(err))
			}
			return s.start(st)
		})
	}
	return group.Wait()
}

func (s *Source) knows(topic string) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.stations[topic] != nil
}

func (s *Source) start(st *station) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.stations[st.topic] = st
	if s.closed {
		return errClosed
	}
	if s.options.Source.Subscription.Mode != wire.Failover {
		st.give(s.running)
		return nil
	}
	s.tasks.Go(func() { st.run(s.running) })
	return nil
}

// growing looks for partitions that were added.
func (s *Source) growing() {
	t := time.NewTicker(cmp.Or(s.options.LookEvery, lookInterval))
	defer t.Stop()
	for {
		select {
		case <-t.C:
		case <-s.running.Done():
			return
		}
		for i := range s.options.Source.Inputs {
			s.look(&s.options.Source.Inputs[i])
		}
	}
}

func (s *Source) look(in *wire.Input) {
	ctx, cancel := context.WithTimeout(s.running, openTimeout)
	defer cancel()
	n, err := s.partitions(ctx, in)
	if err == nil {
		err = s.subscribe(ctx, in, n, true)
	}
	if err != nil && s.running.Err() == nil {
		s.log.Warn("cannot look for new partitions", "topic", in.Topic, "error", err)
	}
}

// report is for what went wrong and did not end the source.
func (s *Source) report(err error) {
	if _, ok := errors.AsType[*subscription.LostError](err); ok {
		s.log.Info("subscription", "error", err) // it comes back, and nothing was lost
		return
	}
	s.log.Warn("subscription", "error", err)
	if s.options.Report != nil {
		s.options.Report(err)
	}
}

// End is the newest entry of a partition, ledger and entry -1 of an empty one. Sinks
// compare it with what they find stored.
func (s *Source) End(ctx context.Context, topic string, partition int) (ledger, entry int64, err error) {
	s.mu.Lock()
	var found *station
	for _, st := range s.stations {
		if st.in.Topic == topic && st.partition == partition {
			found = st
		}
	}
	s.mu.Unlock()
	if found == nil {
		return 0, 0, fmt.Errorf("topic %s, partition %d: %w", topic, partition, ErrNoTopic)
	}
	id, err := found.sub.LastID(ctx)
	return id.Ledger, id.Entry, classed(err)
}

// Close implements pipeline.Source. What is acknowledged is sent; what was read and is
// not goes to others at once.
func (s *Source) Close(ctx context.Context) error {
	s.mu.Lock()
	s.closed = true
	s.mu.Unlock()
	if s.stop != nil {
		s.stop()
	}
	s.tasks.Wait() // until then one that looks for partitions may add to both
	s.mu.Lock()
	stations, clients := s.stations, s.clients
	s.stations, s.clients = map[string]*station{}, map[string]*conn.Client{}
	s.mu.Unlock()
	var group errgroup.Group
	for _, st := range stations {
		group.Go(func() error { return st.sub.Close(ctx) })
	}
	err := group.Wait()
	for _, c := range clients {
		err = errors.Join(err, c.Close())
	}
	return err
}
