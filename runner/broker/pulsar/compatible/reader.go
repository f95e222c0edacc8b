package compatible

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"slices"
	"strconv"
	"sync"
	"time"

	pulsario "github.com/apache/pulsar-client-go/pulsar"
	"github.com/apache/pulsar-client-go/pulsar/crypto"

	"github.com/functionmesh/terraform-provider-functionmesh/internal/wire"
	"github.com/functionmesh/terraform-provider-functionmesh/runner/broker/pulsar/entry"
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

// Reader reads all partitions of a topic, each in its order, and touches no lasting
// subscription. It is for tools: they see what only Pulsar's own client can read, too.
type Reader struct {
	options    ReaderOptions
	client     *client
	partitions []*partition

	ready    chan read
	stop     context.CancelFunc
	reading  sync.WaitGroup
	finished int                // partitions that have ended
	newest   []pipeline.Message // of Last, in the order of publishing
	faults   []error            // of Last: what could not be read

	mu     sync.Mutex
	passed []error // what the client passed over and nobody was told yet
	told   bell    // there is something in passed
}

// partition is one of a topic, or the whole of one without.
type partition struct {
	pulsario.Reader
	of     topic
	number int
}

type read struct {
	message pipeline.Message
	err     error // io.EOF: this partition has ended
}

// NewReader connects; the topic must exist.
func NewReader(ctx context.Context, o ReaderOptions) (*Reader, error) {
	r := &Reader{options: o, ready: make(chan read), told: newBell()}
	c, err := newClient(o.Broker, orDiscard(nil), r.pass)
	if err != nil {
		return nil, err
	}
	r.client = c
	if err := r.open(ctx); err != nil {
		return nil, errors.Join(err, r.Close(ctx))
	}
	reading, stop := context.WithCancel(context.WithoutCancel(ctx))
	r.stop = stop
	for _, p := range r.partitions {
		r.reading.Go(func() { r.run(reading, p) })
	}
	if o.Last > 0 {
		return r, r.collect(ctx)
	}
	return r, nil
}

func (r *Reader) open(ctx context.Context) error {
	n, err := r.client.ask.Partitions(ctx, r.options.Topic)
	if err != nil {
		return classed(err)
	}
	of := topic{r.options.Topic, n}
	for number := range max(n, 1) {
		name := r.options.Topic
		if n > 0 {
			name += partitionSuffix + strconv.Itoa(number)
		}
		start := pulsario.LatestMessageID()
		if r.options.Earliest || r.options.Last > 0 {
			start = pulsario.EarliestMessageID()
		}
		decryption, err := opening(nil, func(error) {}) // the message tells
		if err != nil {
			return err
		}
		decryption.ConsumerCryptoFailureAction = crypto.ConsumerCryptoFailureActionConsume
		reader, err := r.client.CreateReader(pulsario.ReaderOptions{Topic: name, StartMessageID: start, Decryption: decryption})
		if err != nil {
			return classed(err)
		}
		p := &partition{Reader: reader, of: of, number: number}
		r.partitions = append(r.partitions, p)
		if err := r.skip(p); err != nil {
			return classed(err)
		}
	}
	return nil
}

// skip passes over what is certainly older than the last messages that are wanted: an
// entry holds one message at least.
func (r *Reader) skip(p *partition) error {
	if r.options.Last == 0 {
		return nil
	}
	last, err := p.GetLastMessageID()
	if err != nil || last.EntryID() < int64(r.options.Last) {
		return err
	}
	return p.Seek(pulsario.NewMessageID(last.LedgerID(), last.EntryID()-int64(r.options.Last), -1, int32(p.number))) //nolint:gosec // a number of a partition
}

// run reads one partition until it has ended or the reader is closed.
func (r *Reader) run(ctx context.Context, p *partition) {
	for {
		var out read
		out.message, out.err = r.next(ctx, p)
		select {
		case r.ready <- out:
		case <-ctx.Done():
			return
		}
		if out.err != nil && !passable(out.err) {
			return
		}
	}
}

// passable says that an error is about one entry, and others follow.
func passable(err error) bool {
	_, is := errors.AsType[entry.Defect](err)
	return is
}

// idle is how long a reader waits for an entry that the broker counts and the client
// passes over: one that is malformed, or of an aborted transaction.
const idle = 5 * time.Second

func (r *Reader) next(ctx context.Context, p *partition) (pipeline.Message, error) {
	waiting := ctx
	if !r.options.Follow {
		if !p.HasNext() {
			return pipeline.Message{}, io.EOF
		}
		var cancel context.CancelFunc
		waiting, cancel = context.WithTimeout(ctx, idle)
		defer cancel()
	}
	m, err := p.Next(waiting)
	switch {
	case err != nil && waiting.Err() != nil && ctx.Err() == nil:
		return pipeline.Message{}, io.EOF
	case err != nil:
		return pipeline.Message{}, classed(err)
	case encrypted(m):
		return pipeline.Message{}, fmt.Errorf("topic %s, entry %d:%d: %w", p.Topic(), m.ID().LedgerID(), m.ID().EntryID(), entry.Encrypted)
	}
	return messageOf(m, p.of, p.number), nil
}

// pass notes what the client passed over. It is called by the client's goroutines.
func (r *Reader) pass(err error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.passed = append(r.passed, err)
	r.told.ring()
}

func (r *Reader) overlooked() error {
	r.mu.Lock()
	defer r.mu.Unlock()
	if len(r.passed) == 0 {
		return nil
	}
	err := r.passed[0]
	if r.passed = r.passed[1:]; len(r.passed) > 0 {
		r.told.ring()
	}
	return err
}

// collect keeps the newest of all partitions.
func (r *Reader) collect(ctx context.Context) error {
	for {
		m, err := r.receive(ctx)
		switch {
		case errors.Is(err, io.EOF):
			return nil
		case err != nil && passable(err):
			r.faults = append(r.faults, err)
			continue
		case err != nil:
			return errors.Join(err, r.Close(ctx))
		}
		r.newest = append(r.newest, m)
		slices.SortStableFunc(r.newest, func(x, y pipeline.Message) int { return int(x.PublishTime - y.PublishTime) })
		r.newest = r.newest[max(0, len(r.newest)-r.options.Last):]
	}
}

// Next waits for a message; io.EOF where the end was reached and nobody follows. An entry
// that cannot be read is an error of its own; the next call goes on behind it.
func (r *Reader) Next(ctx context.Context) (pipeline.Message, error) {
	switch {
	case r.options.Last == 0:
		return r.receive(ctx)
	case len(r.faults) > 0:
		err := r.faults[0]
		r.faults = r.faults[1:]
		return pipeline.Message{}, err
	case len(r.newest) == 0:
		return pipeline.Message{}, io.EOF
	}
	m := r.newest[0]
	r.newest = r.newest[1:]
	return m, nil
}

func (r *Reader) receive(ctx context.Context) (pipeline.Message, error) {
	for r.finished < len(r.partitions) {
		select {
		case got := <-r.ready:
			if errors.Is(got.err, io.EOF) {
				r.finished++
				continue
			}
			return got.message, got.err
		case <-r.told:
			if err := r.overlooked(); err != nil {
				return pipeline.Message{}, err
			}
		case <-ctx.Done():
			return pipeline.Message{}, context.Cause(ctx)
		}
	}
	return pipeline.Message{}, cmp.Or(r.overlooked(), io.EOF)
}

// Close ends the connections. Twice is safe.
func (r *Reader) Close(context.Context) error {
	if r.stop != nil {
		r.stop()
	}
	r.reading.Wait()
	for _, p := range r.partitions {
		p.Close()
	}
	r.partitions = nil
	if r.client == nil {
		return nil
	}
	c := r.client
	r.client = nil
	return c.close()
}
