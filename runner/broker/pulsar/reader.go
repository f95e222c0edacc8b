package pulsar

import (
	"context"
	"errors"
	"fmt"
	"io"
	"math"
	"sync"
	"time"

	"github.com/google/uuid"

	"github.com/functionmesh/terraform-provider-functionmesh/internal/wire"
	"github.com/functionmesh/terraform-provider-functionmesh/runner/broker/pulsar/conn"
	"github.com/functionmesh/terraform-provider-functionmesh/runner/broker/pulsar/entry"
	"github.com/functionmesh/terraform-provider-functionmesh/runner/broker/pulsar/subscription"
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

const (
	readerAhead = 256
	// readerIdle is how long a reader waits for an entry that the broker counts and does
	// not deliver: one of an aborted transaction, say.
	readerIdle = 3 * time.Second
)

// Reader reads all partitions of a topic, as far as it was written in the order of their
// publish times, and leaves no subscription behind.
type Reader struct {
	options ReaderOptions
	client  *conn.Client
	life    context.Context //nolint:containedctx // of the goroutines, until Close
	cancel  context.CancelFunc
	running sync.WaitGroup
	parts   []*readerPart
	ready   []pipeline.Message
	ended   bool // what was there when it was opened was shown
	live    chan item
}

// readerPart is one partition. Its goroutine puts messages into items, and closes it at
// the end, or goes on behind an item that says so.
type readerPart struct {
	place
	sub   *subscription.Subscription
	end   entry.ID
	empty bool // nothing is to be shown before the end
	items chan item
	head  *item
	done  bool
}

type item struct {
	message pipeline.Message
	end     bool // no message: the end is reached
	err     error
}

// NewReader connects; the topic must exist.
func NewReader(ctx context.Context, o ReaderOptions) (*Reader, error) {
	if err := checkBroker("", o.Broker); err != nil {
		return nil, err
	}
	c, err := conn.New(o.Broker, conn.Options{Patience: openTimeout})
	if err != nil {
		return nil, classed(err)
	}
	r := &Reader{options: o, client: c, live: make(chan item)}
	r.life, r.cancel = context.WithCancel(context.WithoutCancel(ctx))
	if err := r.open(ctx); err != nil {
		_ = r.Close(ctx) // the first error tells more
		return nil, err
	}
	return r, nil
}

func (r *Reader) open(ctx context.Context) error {
	n, err := r.client.Partitions(ctx, r.options.Topic)
	if err != nil {
		return fmt.Errorf("partitions of topic %s: %w", r.options.Topic, classed(err))
	}
	for p := range max(n, 1) {
		part := &readerPart{
			place: place{topic: r.options.Topic, partition: p, unpartitioned: n == 0},
			items: make(chan item, readerAhead),
		}
		if err := r.openPart(ctx, part, partitionName(r.options.Topic, n, p)); err != nil {
			return fmt.Errorf("read %s: %w", r.options.Topic, classed(err))
		}
		r.parts = append(r.parts, part)
		r.running.Go(func() { r.read(r.life, part) })
	}
	if r.options.Follow && r.options.Last == 0 {
		r.follow()
	}
	return nil
}

// openPart begins where it was asked to. Entries hold one message at least, so as many
// entries before the end hold the last messages.
func (r *Reader) openPart(ctx context.Context, part *readerPart, topic string) error {
	after := entry.ID{Ledger: math.MaxInt64, Entry: math.MaxInt64}
	if r.options.Earliest || r.options.Last > 0 {
		after = entry.ID{Ledger: -1, Entry: -1}
	}
	open := func(after entry.ID) (err error) {
		part.sub, err = subscription.Open(ctx, subscription.Options{
			Client: r.client, Topic: topic, Name: "reader-" + uuid.NewString()[:8], Mode: wire.Exclusive,
			Reader: true, After: after, QueueBytes: 1 << 20,
		})
		return err
	}
	if err := open(after); err != nil {
		return err
	}
	var err error
	if part.end, err = part.sub.LastID(ctx); err != nil {
		return err
	}
	part.empty = part.end.Entry < 0 || !r.options.Earliest && r.options.Last == 0
	if from := part.end.Entry - int64(r.options.Last); r.options.Last > 0 && !r.options.Earliest && from >= 0 {
		if err := part.sub.Close(ctx); err != nil {
			return err
		}
		return open(entry.ID{Ledger: part.end.Ledger, Entry: from})
	}
	return nil
}

// read is the goroutine of one partition.
func (r *Reader) read(ctx context.Context, part *readerPart) {
	defer close(part.items)
	if part.empty && !part.put(ctx, item{end: true}) {
		return
	}
	for ended := part.empty; !ended || r.options.Follow; {
		at, ok := part.pass(ctx, !ended)
		if !ok {
			return
		}
		if !ended && at.Compare(part.end) >= 0 {
			ended = true
			if !part.put(ctx, item{end: true}) {
				return
			}
		}
	}
}

// pass hands on the next entry and returns its place: the end, where an awaited one does
// not come.
func (p *readerPart) pass(ctx context.Context, awaited bool) (entry.ID, bool) {
	d, err := p.next(ctx, awaited)
	switch {
	case ctx.Err() != nil:
		return p.end, false
	case err != nil:
		p.put(ctx, item{err: classed(err)})
		return p.end, false
	case d == nil:
		return p.end, true
	}
	at := d.ID
	return at, p.show(ctx, d)
}

// next is the next entry; nil: nothing came, where something was awaited.
func (p *readerPart) next(ctx context.Context, awaited bool) (*subscription.Delivery, error) {
	if !awaited {
		return p.sub.Receive(ctx)
	}
	idle, cancel := context.WithTimeout(ctx, readerIdle)
	defer cancel()
	d, err := p.sub.Receive(idle)
	if _, connected, _ := p.sub.Standing(); connected && err != nil && idle.Err() != nil && ctx.Err() == nil {
		return nil, nil //nolint:nilnil // see above
	}
	return d, err
}

// show hands the messages of an entry out, or why there are none. It frees the entry for
// the broker.
func (p *readerPart) show(ctx context.Context, d *subscription.Delivery) bool {
	defer d.Release()
	if err := p.sub.AckUpTo(ctx, d.ID, false); err != nil {
		return p.put(ctx, item{err: err})
	}
	messages, err := p.all(d)
	for i := range messages {
		if !p.put(ctx, item{message: messages[i]}) {
			return false
		}
	}
	if err != nil && !errors.Is(err, entry.Marker) {
		return p.put(ctx, item{err: unreadable(p.topic, d.ID, err)})
	}
	return true
}

func (p *readerPart) put(ctx context.Context, i item) bool {
	select {
	case p.items <- i:
		return true
	case <-ctx.Done():
		return false
	}
}

// follow brings what all partitions get into one channel.
func (r *Reader) follow() {
	for _, p := range r.parts {
		r.running.Go(func() {
			for i := range p.items {
				if i.end {
					continue
				}
				select {
				case r.live <- i:
				case <-r.life.Done():
				}
			}
		})
	}
}

// Next returns the next message. io.EOF: there are no more and Follow was not asked. An
// entry that cannot be read is an error of its own; the next call goes on behind it.
func (r *Reader) Next(ctx context.Context) (pipeline.Message, error) {
	o := &r.options
	switch {
	case o.Follow && o.Last == 0:
		return r.fresh(ctx)
	case o.Last == 0:
		return r.merged(ctx)
	case !r.ended:
		if err := r.collect(ctx); err != nil {
			return pipeline.Message{}, err
		}
	}
	if len(r.ready) > 0 {
		m := r.ready[0]
		r.ready = r.ready[1:]
		return m, nil
	}
	if !o.Follow {
		return pipeline.Message{}, io.EOF
	}
	return r.fresh(ctx)
}

// collect reads to the end and keeps the last messages.
func (r *Reader) collect(ctx context.Context) error {
	for {
		m, err := r.merged(ctx)
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			return err
		}
		if r.ready = append(r.ready, m); len(r.ready) > r.options.Last {
			r.ready = r.ready[1:]
		}
	}
	r.ended = true
	if r.options.Follow {
		r.follow()
	}
	return nil
}

func (r *Reader) fresh(ctx context.Context) (pipeline.Message, error) {
	select {
	case i := <-r.live:
		return i.message, i.err
	case <-ctx.Done():
		return pipeline.Message{}, context.Cause(ctx)
	}
}

// merged is the oldest message that any partition has.
func (r *Reader) merged(ctx context.Context) (pipeline.Message, error) {
	var oldest *readerPart
	for _, p := range r.parts {
		if err := p.peek(ctx); err != nil {
			return pipeline.Message{}, err
		}
		if p.head != nil && (oldest == nil || p.head.message.PublishTime < oldest.head.message.PublishTime) {
			oldest = p
		}
	}
	if oldest == nil {
		return pipeline.Message{}, io.EOF
	}
	next := oldest.head
	oldest.head = nil
	return next.message, next.err
}

func (p *readerPart) peek(ctx context.Context) error {
	if p.head != nil || p.done {
		return nil
	}
	select {
	case i, ok := <-p.items:
		if !ok || i.end {
			p.done = true
			return nil
		}
		p.head = &i
		return nil
	case <-ctx.Done():
		return context.Cause(ctx)
	}
}

// Close ends the connection.
func (r *Reader) Close(ctx context.Context) error {
	r.cancel()
	r.running.Wait()
	var err error
	for _, p := range r.parts {
		err = errors.Join(err, p.sub.Close(ctx))
	}
	return errors.Join(err, r.client.Close())
}
