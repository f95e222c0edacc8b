package pulsar

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"sync"
	"sync/atomic"

	"github.com/functionmesh/terraform-provider-functionmesh/internal/wire"
	"github.com/functionmesh/terraform-provider-functionmesh/runner/broker/pulsar/conn"
	"github.com/functionmesh/terraform-provider-functionmesh/runner/broker/pulsar/entry"
	"github.com/functionmesh/terraform-provider-functionmesh/runner/broker/pulsar/publisher"
	"github.com/functionmesh/terraform-provider-functionmesh/runner/pipeline"
)

// Pulsar's defaults of a producer's batching, but for the delay: what one call of the
// pipeline gives is put together, and nothing waits for more.
const (
	batchMessages = 1000
	batchBytes    = 128 << 10
)

// headroom is kept free in every message for the properties of a dead letter.
const headroom = 8 << 10

// Sink publishes messages. Every lane has producers of its own, so that lanes neither
// wait for each other nor share numbers.
type Sink struct {
	options  SinkOptions
	log      *slog.Logger
	codec    entry.Codec
	batching wire.Batching
	exact    bool // effectively once
	topics   *topics
	frames   entry.Pool
	repeats  atomic.Int64

	mu     sync.Mutex
	client *conn.Client
	idle   []*sender          // of Write
	lanes  map[origin]*outlet // with effectively_once: the producers of each input lane
	closed bool
}

// NewSink checks the options and connects to nothing. What no restart can help is a
// *pipeline.TerminalError.
func NewSink(o SinkOptions) (*Sink, error) {
	if err := checkBroker(o.Output.Broker, o.Broker); err != nil {
		return nil, err
	}
	s := &Sink{
		options: o, log: orDiscard(o.Logger), exact: o.Delivery.Guarantee == effectivelyOnce,
		batching: wire.Batching{Enabled: true}, lanes: map[origin]*outlet{},
	}
	producer := o.Output.Producer
	if producer == nil {
		producer = &wire.Producer{}
	}
	if producer.Crypto != nil {
		return nil, needsClient("output.producer.crypto")
	}
	if producer.Batching != nil {
		s.batching = *producer.Batching
	}
	switch s.batching.Builder {
	case "", "default", keyBased:
	default:
		return nil, invalid("output.producer.batching.builder: %q is neither default nor %s", s.batching.Builder, keyBased)
	}
	if s.batching.MaxMessages <= 0 {
		s.batching.MaxMessages = batchMessages
	}
	if s.batching.MaxBytes <= 0 {
		s.batching.MaxBytes = batchBytes
	}
	var err error
	if s.codec, err = entry.ParseCodec(producer.Compression); err != nil {
		return nil, invalid("output.producer.compression: %w", err)
	}
	s.topics = newTopics(s)
	return s, nil
}

// connected is the client, made at the first use.
func (s *Sink) connected() (*conn.Client, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.closed {
		return nil, errClosed
	}
	if s.client == nil {
		c, err := conn.New(s.options.Broker, conn.Options{Logger: s.log, Trouble: s.options.Report})
		if err != nil {
			return nil, classed(err)
		}
		s.client = c
	}
	return s.client, nil
}

// Connect finds the output topic, so that an unreachable broker is known before the
// first write.
func (s *Sink) Connect(ctx context.Context) error {
	if s.options.Output.Topic == "" {
		_, err := s.connected()
		return err
	}
	ctx, cancel := context.WithTimeout(ctx, openTimeout)
	defer cancel()
	t, err := s.topics.own(ctx)
	if err != nil {
		return err
	}
	// A producer of no lane shows at once what the broker thinks of the credentials.
	p, err := s.open(ctx, partitionName(t.name, t.partitions, 0), "")
	if err != nil {
		return err
	}
	return p.Close(ctx)
}

// open makes a producer on one partition known to the broker.
func (s *Sink) open(ctx context.Context, topic, name string) (*publisher.Publisher, error) {
	c, err := s.connected()
	if err != nil {
		return nil, err
	}
	o := publisher.Options{
		Client: c, Topic: topic, Name: name,
		Properties: identity(s.options.Component, s.options.Instance),
		// R2: what may be stored is not sent again.
		FailUnconfirmed: s.options.Delivery.Guarantee == atMostOnce,
		Report:          s.report,
	}
	if producer := s.options.Output.Producer; producer != nil {
		o.MaxPending = producer.MaxPending
	}
	p, err := publisher.Open(ctx, o)
	switch {
	case errors.Is(err, publisher.ErrFenced):
		// The instance that had the lane before still answers. It is waited for, and said so.
		return nil, fmt.Errorf("producer %q on %s is another instance's: %w", name, topic, err)
	case err != nil:
		return nil, fmt.Errorf("producer on %s: %w", topic, classed(err))
	}
	return p, nil
}

func (s *Sink) report(err error) { s.log.Info("producer", "error", err) }

// repeated counts entries that the broker had already.
func (s *Sink) repeated(n int) {
	if n == 0 {
		return
	}
	all := s.repeats.Add(int64(n))
	s.log.Info("the broker had these entries already and dropped them", "entries", n, "so_far", all)
	if s.options.Repeated != nil {
		s.options.Repeated(n)
	}
}

// Repeats is how many entries the broker dropped because it had stored them before.
func (s *Sink) Repeats() int64 { return s.repeats.Load() }

// Write implements pipeline.Sink.
func (s *Sink) Write(ctx context.Context, out []pipeline.Message) (int, error) {
	if len(out) == 0 {
		return 0, nil
	}
	w, err := s.idler()
	if err != nil {
		return 0, err
	}
	defer s.done(ctx, w)
	defer w.Resume()
	return w.Send(ctx, out).Wait(ctx)
}

func (s *Sink) idler() (*sender, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.closed {
		return nil, errClosed
	}
	if n := len(s.idle); n > 0 {
		w := s.idle[n-1]
		s.idle = s.idle[:n-1]
		return w, nil
	}
	return newSender(s), nil
}

// done keeps a sender for the next write. With effectively_once its producers belong to
// input lanes, which may be another instance's by then.
func (s *Sink) done(ctx context.Context, w *sender) {
	if s.exact {
		if err := w.Close(ctx); err != nil {
			s.log.Warn("cannot close producers", "error", err)
		}
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if !s.closed {
		s.idle = append(s.idle, w)
	}
}

// Sender implements pipeline.Asynchronous.
func (s *Sink) Sender(context.Context, int) (pipeline.Sender, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.closed {
		return nil, errClosed
	}
	return newSender(s), nil
}

// Close implements pipeline.Sink. Senders are closed before it.
func (s *Sink) Close(ctx context.Context) error {
	s.mu.Lock()
	s.closed = true
	idle, client := s.idle, s.client
	s.idle, s.client = nil, nil
	s.mu.Unlock()
	var err error
	for _, w := range idle {
		err = errors.Join(err, w.Close(ctx))
	}
	if client != nil {
		err = errors.Join(err, client.Close())
	}
	return err
}
