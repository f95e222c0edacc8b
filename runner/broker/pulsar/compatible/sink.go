package compatible

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"log/slog"
	"strconv"
	"strings"
	"sync"
	"time"

	pulsario "github.com/apache/pulsar-client-go/pulsar"

	"github.com/functionmesh/terraform-provider-functionmesh/internal/spec"
	"github.com/functionmesh/terraform-provider-functionmesh/internal/wire"
	"github.com/functionmesh/terraform-provider-functionmesh/runner/broker/pulsar"
	"github.com/functionmesh/terraform-provider-functionmesh/runner/pipeline"
)

// Pulsar's defaults of a producer's batching.
const (
	batchMessages = 1000
	batchBytes    = 128 << 10
	// batchBytesMost leaves room in the largest entry of a broker for what compression may
	// add, so that an entry that is too large holds one message.
	batchBytesMost = 4 << 20
	batchDelay     = 10 * time.Millisecond
	pendingMost    = 1000
)

// Sink publishes messages with Pulsar's own client. Lanes share one producer per topic,
// so that messages of several may lie in one entry.
type Sink struct {
	options  pulsar.SinkOptions
	log      *slog.Logger
	producer pulsario.ProducerOptions // of every topic
	name     string                   // of the producers, where they must not be taken for others

	mu     sync.Mutex
	client *client
	topics map[string]*outlet // by the name that messages use; "": the output
	closed bool
}

//nolint:gochecknoglobals // a table
var compressions = map[string]pulsario.CompressionType{
	"": pulsario.LZ4, "none": pulsario.NoCompression, "lz4": pulsario.LZ4,
	"zlib": pulsario.ZLib, "zstd": pulsario.ZSTD, "snappy": pulsario.SNAPPY,
}

// NewSink checks the options and connects to nothing. What no restart can help is a
// *pipeline.TerminalError.
func NewSink(o pulsar.SinkOptions) (*Sink, error) {
	if o.Broker.Kind != "pulsar" {
		return nil, invalid("brokers[%q].kind: %q is not a Pulsar", o.Output.Broker, o.Broker.Kind)
	}
	if o.Delivery.Guarantee == effectivelyOnce {
		return nil, invalid(`delivery.guarantee: effectively_once needs the entry path: set data_path = "entry"`)
	}
	s := &Sink{options: o, log: orDiscard(o.Logger), topics: map[string]*outlet{}}
	s.name = o.Component.Tenant + "/" + o.Component.Namespace + "/" + o.Component.Name + "-" + strconv.Itoa(o.Instance.ID) + "-" + rand.Text()
	return s, s.tune(o.Output.Producer)
}

func (s *Sink) tune(p *wire.Producer) error {
	if p == nil {
		p = &wire.Producer{}
	}
	compression, ok := compressions[strings.ToLower(p.Compression)]
	if !ok {
		return invalid("output.producer.compression: %q is not known; known are none, lz4, zlib, zstd, snappy", p.Compression)
	}
	encryption, err := encryption(p.Crypto)
	if err != nil {
		return err
	}
	batching := wire.Batching{Enabled: true}
	if p.Batching != nil {
		batching = *p.Batching
	}
	s.producer = pulsario.ProducerOptions{
		CompressionType: compression, Encryption: encryption,
		SendTimeout:        -1, // as Pulsar's own runtimes: none
		MaxPendingMessages: positive(p.MaxPending, pendingMost), DisableBatching: !batching.Enabled,
		BatchingMaxMessages:     uint(positive(batching.MaxMessages, batchMessages)),
		BatchingMaxSize:         uint(min(positive(batching.MaxBytes, batchBytes), batchBytesMost)),
		BatchingMaxPublishDelay: max(batchDelay, time.Duration(batching.DelayMs)*time.Millisecond),
	}
	switch batching.Builder {
	case "", "default":
	case "key_based":
		s.producer.BatcherBuilderType = pulsario.KeyBasedBatchBuilder
	default:
		return invalid("output.producer.batching.builder: %q is neither default nor key_based", batching.Builder)
	}
	o := &s.options
	s.producer.Properties = map[string]string{
		"application": "pulsar-" + o.Component.Kind,
		"id":          o.Component.Tenant + "/" + o.Component.Namespace + "/" + o.Component.Name,
		"instance_id": strconv.Itoa(o.Instance.ID),
	}
	return nil
}

func positive(n, standard int) int {
	if n > 0 {
		return n
	}
	return standard
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
	w, used := newWriting(0), map[string]*use{}
	defer s.release(used)
	l, err := s.line(ctx, used, "", w)
	if err == nil {
		l.leave(w)
	}
	return err
}

func (s *Sink) connected() (*client, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.closed {
		return nil, errClosed
	}
	if s.client == nil {
		c, err := newClient(s.options.Broker, s.log, func(err error) { s.log.Warn("producer", "error", err) })
		if err != nil {
			return nil, err
		}
		s.client = c
	}
	return s.client, nil
}

// Write implements pipeline.Sink. A message that the client may refuse is sent alone, so
// that nothing behind it is stored when it is.
func (s *Sink) Write(ctx context.Context, out []pipeline.Message) (int, error) {
	done := 0
	for done < len(out) {
		n := 0
		for done+n < len(out) && !alone(&out[done+n]) {
			n++
		}
		n = max(n, 1)
		stored, err := s.write(ctx, out[done:done+n])
		done += stored
		if err != nil {
			return done, err
		}
	}
	return done, nil
}

// alone says that a message is large enough for a broker to refuse it.
func alone(m *pipeline.Message) bool { return m.Size() > 512<<10 }

// write sends messages and waits for their receipts.
func (s *Sink) write(ctx context.Context, out []pipeline.Message) (int, error) {
	w := newWriting(len(out))
	sending, stop := w.until(ctx)
	defer stop()
	used, sent := map[string]*use{}, 0
	defer s.release(used)
	for ; sent < len(out); sent++ {
		l, err := s.line(sending, used, out[sent].Topic, w)
		if err != nil {
			w.fail(sent, err)
			break
		}
		if !w.send(sending, l, &out[sent], sent) {
			sent++
			break
		}
	}
	for _, u := range used {
		u.flush(sending)
	}
	n, err := w.wait(ctx)
	for _, u := range used {
		u.leave(w)
	}
	if err == nil {
		return len(out), nil
	}
	if _, refused := errors.AsType[*pipeline.MessageError](err); refused {
		return n, err
	}
	// The client keeps what has no receipt and sends it again; a producer that ends does
	// not. Messages that are written again would come behind those.
	for _, u := range used {
		u.close()
	}
	if n == sent {
		err = fmt.Errorf("%w: %w", pipeline.ErrUnsent, err)
	}
	return n, err
}

// use is what one write has of a topic.
type use struct {
	*outlet
	line *line // nil: it could not be opened
}

func (u *use) flush(ctx context.Context) {
	u.turn.Add(1)
	if u.line != nil {
		_ = u.line.producer.FlushWithCtx(ctx) // what failed tells it by itself
	}
}

func (u *use) leave(w *writing) {
	if u.line != nil {
		u.line.leave(w)
	}
}

func (u *use) close() {
	if u.line != nil {
		u.outlet.close(u.line)
	}
}

// line is that of a topic by the name that messages give it: the same for a whole write,
// so that no part of it can pass another.
func (s *Sink) line(ctx context.Context, used map[string]*use, name string, w *writing) (*line, error) {
	if u := used[name]; u != nil {
		return u.line, nil
	}
	u := &use{outlet: s.outlet(name)}
	used[name] = u
	var err error
	u.line, err = u.enter(ctx, s, w)
	return u.line, err
}

// outlet must be released.
func (s *Sink) outlet(name string) *outlet {
	s.mu.Lock()
	defer s.mu.Unlock()
	o := s.topics[name]
	if o == nil {
		o = newOutlet(name)
		s.topics[name] = o
	}
	o.users++
	return o
}

// release forgets topics that nobody uses and that could not be opened.
func (s *Sink) release(used map[string]*use) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for name, u := range used {
		if u.users--; u.users == 0 && s.topics[name] == u.outlet && u.outlet.line == nil {
			delete(s.topics, name)
		}
	}
}

// full is the full name of a topic.
func (s *Sink) full(name string) (string, error) {
	if name == "" {
		if s.options.Output.Topic == "" {
			return "", &pipeline.MessageError{Err: errors.New("the component has no output topic and the message names none")}
		}
		return s.options.Output.Topic, nil
	}
	parsed, err := spec.ParseTopic(name, s.options.Component.Tenant, s.options.Component.Namespace)
	if err != nil {
		return "", &pipeline.MessageError{Err: fmt.Errorf("destination topic: %w", err)}
	}
	return parsed.String(), nil
}

// Close implements pipeline.Sink.
func (s *Sink) Close(context.Context) error {
	s.mu.Lock()
	s.closed = true
	topics, c := s.topics, s.client
	s.topics, s.client = map[string]*outlet{}, nil
	s.mu.Unlock()
	for _, o := range topics {
		o.close(nil)
	}
	if c != nil {
		return c.close()
	}
	return nil
}
