package compatible

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"sync"
	"time"

	"golang.org/x/sync/errgroup"

	"github.com/functionmesh/terraform-provider-functionmesh/internal/wire"
	"github.com/functionmesh/terraform-provider-functionmesh/runner/broker/pulsar"
	"github.com/functionmesh/terraform-provider-functionmesh/runner/pipeline"
)

const (
	openTimeout   = time.Minute      // an instance that cannot open by then ends, and is started again
	opensAtOnce   = 8                // subscriptions
	growInterval  = time.Minute      // between looks at the number of partitions
	matchInterval = 10 * time.Second // between looks for topics that match a pattern
	activeWait    = 3 * time.Second  // a broker picks the active consumer after one second
)

// Source reads subscribed topics with Pulsar's own client, one consumer and one lane per
// partition. Of a failover subscription it has the lanes that the broker gave to this
// instance; others come and go.
type Source struct {
	options  pulsar.SourceOptions
	inputs   []*input
	log      *slog.Logger
	every    time.Duration // between looks for new partitions and topics
	patience time.Duration // with a consumer that does not come back

	running context.Context //nolint:containedctx // ends with Close; lanes and tasks live as long
	stop    context.CancelFunc
	tasks   sync.WaitGroup
	grown   *pulsar.Inbox

	mu       sync.Mutex
	clients  map[string]*client
	stations map[string]*station // by full name of the partition's topic
	leaking  map[string]bell     // likewise: permits were lost
	closed   bool
}

// NewSource checks the options and connects to nothing. What no restart can help is a
// *pipeline.TerminalError.
func NewSource(o pulsar.SourceOptions) (*Source, error) {
	switch o.Source.Subscription.Mode {
	case wire.Shared, wire.Failover, wire.KeyShared, wire.Exclusive:
	case "":
		o.Source.Subscription.Mode = wire.Shared
	default:
		return nil, invalid("source.subscription.mode: %q is not known; known are shared, failover, key_shared, exclusive", o.Source.Subscription.Mode)
	}
	switch {
	case o.Delivery.Guarantee == effectivelyOnce:
		return nil, invalid(`delivery.guarantee: effectively_once needs the entry path: set data_path = "entry"`)
	case len(o.Source.Inputs) == 0:
		return nil, invalid("source.inputs: missing")
	case o.Source.Subscription.Name == "":
		return nil, invalid("source.subscription.name: missing")
	}
	s := &Source{
		options: o, log: orDiscard(o.Logger), grown: pulsar.NewInbox(), every: growInterval, patience: reconnectPatience,
		clients: map[string]*client{}, stations: map[string]*station{}, leaking: map[string]bell{},
	}
	for i := range o.Source.Inputs {
		in, err := newInput(&o, i)
		if err != nil {
			return nil, err
		}
		if in.pattern != nil {
			s.every = matchInterval
		}
		s.inputs = append(s.inputs, in)
	}
	return s, nil
}

// Open implements pipeline.Source: it subscribes to every partition, within a minute.
// No lane at all is no error: a failover subscription may have given all to others, and
// a pattern may match nothing yet.
func (s *Source) Open(ctx context.Context) ([]pipeline.Lane, error) {
	s.running, s.stop = context.WithCancel(context.WithoutCancel(ctx))
	opening, cancel := context.WithTimeout(ctx, openTimeout)
	defer cancel()
	for _, in := range s.inputs {
		if err := s.subscribe(opening, in, false); err != nil {
			return nil, err
		}
	}
	s.tasks.Go(s.growing)
	first, cancel := context.WithTimeout(opening, activeWait)
	defer cancel()
	lanes, _ := s.grown.Take(first) // none: they may come later
	return lanes, nil
}

// Grown implements pipeline.Growing.
func (s *Source) Grown(ctx context.Context) ([]pipeline.Lane, error) { return s.grown.Take(ctx) }

func (s *Source) client(broker string) (*client, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.closed {
		return nil, errClosed
	}
	if c := s.clients[broker]; c != nil {
		return c, nil
	}
	c, err := newClient(s.options.Brokers[broker], s.log, s.report)
	if err != nil {
		return nil, err
	}
	s.clients[broker] = c
	return c, nil
}

// subscribe opens the partitions of an input that are not open yet; later says that they
// appeared while the source was read.
func (s *Source) subscribe(ctx context.Context, in *input, later bool) error {
	c, err := s.client(in.Broker)
	if err != nil {
		return err
	}
	topics, err := in.topics(ctx, c)
	if err != nil {
		return err
	}
	var group errgroup.Group
	group.SetLimit(opensAtOnce)
	for _, t := range topics {
		for p := range max(t.partitions, 1) {
			st := newStation(s, in, t, p)
			if s.knows(st.topic) {
				continue
			}
			group.Go(func() error {
				if err := st.open(ctx, c, later); err != nil {
					return fmt.Errorf("subscription %s of %s: %w", s.options.Source.Subscription.Name, st.topic, err)
				}
				return s.start(st)
			})
		}
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
	s.tasks.Go(func() { st.run(s.running) })
	return nil
}

// growing looks for partitions and topics that were added.
func (s *Source) growing() {
	t := time.NewTicker(s.every)
	defer t.Stop()
	for {
		select {
		case <-t.C:
		case <-s.running.Done():
			return
		}
		for _, in := range s.inputs {
			s.look(in)
		}
	}
}

func (s *Source) look(in *input) {
	ctx, cancel := context.WithTimeout(s.running, openTimeout)
	defer cancel()
	if err := s.subscribe(ctx, in, true); err != nil && s.running.Err() == nil {
		s.log.Warn("cannot look for new topics and partitions", "topic", in.Topic, "error", err)
	}
}

// report is for what went wrong and did not end the source.
func (s *Source) report(err error) {
	s.log.Warn("subscription", "error", err)
	s.count(defectOf(err))
	if passed, ok := errors.AsType[*passedError](err); ok {
		s.leaks(passed.topic).ring()
	}
	if s.options.Report != nil {
		s.options.Report(err)
	}
}

// leaks tells a partition's reader that permits were lost.
func (s *Source) leaks(topic string) bell {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.leaking[topic] == nil {
		s.leaking[topic] = newBell()
	}
	return s.leaking[topic]
}

// count counts an entry that could not be opened; "": it could.
func (s *Source) count(defect string) {
	if defect != "" && s.options.Malformed != nil {
		s.options.Malformed(defect, 1)
	}
}

// Close implements pipeline.Source. What is acknowledged is sent; what was read and is
// not goes to others at once.
func (s *Source) Close(context.Context) error {
	s.mu.Lock()
	s.closed = true
	s.mu.Unlock()
	if s.stop != nil {
		s.stop()
	}
	s.tasks.Wait() // until then one that looks for partitions may add to both
	s.mu.Lock()
	stations, clients := s.stations, s.clients
	s.stations, s.clients = map[string]*station{}, map[string]*client{}
	s.mu.Unlock()
	var closing sync.WaitGroup
	for _, st := range stations {
		closing.Go(st.present().consumer.Close)
	}
	closing.Wait()
	var err error
	for _, c := range clients {
		err = errors.Join(err, c.close())
	}
	return err
}
