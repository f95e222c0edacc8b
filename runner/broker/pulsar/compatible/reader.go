package compatible

import (
	"context"
	"errors"
	"io"
	"slices"
	"strconv"
	"sync"

	pulsario "github.com/apache/pulsar-client-go/pulsar"

	"github.com/functionmesh/terraform-provider-functionmesh/runner/broker/pulsar"
	"github.com/functionmesh/terraform-provider-functionmesh/runner/pipeline"
)

// ReaderOptions are those of the entry path.
type ReaderOptions = pulsar.ReaderOptions

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
	c, err := newClient(o.Broker, orDiscard(nil), nil)
	if err != nil {
		return nil, err
	}
	r := &Reader{options: o, client: c, ready: make(chan read)}
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
		reader, err := r.client.CreateReader(pulsario.ReaderOptions{Topic: name, StartMessageID: start})
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
		if !r.options.Follow && !p.HasNext() {
			out.err = io.EOF
		} else if m, err := p.Next(ctx); err != nil {
			out.err = classed(err)
		} else {
			out.message = messageOf(m, p.of, p.number)
		}
		select {
		case r.ready <- out:
		case <-ctx.Done():
			return
		}
		if out.err != nil {
			return
		}
	}
}

// collect keeps the newest of all partitions.
func (r *Reader) collect(ctx context.Context) error {
	for {
		m, err := r.receive(ctx)
		if errors.Is(err, io.EOF) {
			return nil
		}
		if err != nil {
			return errors.Join(err, r.Close(ctx))
		}
		r.newest = append(r.newest, m)
		slices.SortStableFunc(r.newest, func(x, y pipeline.Message) int { return int(x.PublishTime - y.PublishTime) })
		r.newest = r.newest[max(0, len(r.newest)-r.options.Last):]
	}
}

// Next waits for a message; io.EOF where the end was reached and nobody follows.
func (r *Reader) Next(ctx context.Context) (pipeline.Message, error) {
	if r.options.Last == 0 {
		return r.receive(ctx)
	}
	if len(r.newest) == 0 {
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
		case <-ctx.Done():
			return pipeline.Message{}, context.Cause(ctx)
		}
	}
	return pipeline.Message{}, io.EOF
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
