package publisher

import (
	"context"
	"fmt"
	"net"
	"sync"

	"github.com/functionmesh/terraform-provider-functionmesh/runner/broker/pulsar/entry"
)

// Publisher is a producer that heals itself. Sends are ordered by the calls of Send, so
// several callers need an order of their own.
type Publisher struct {
	o      Options
	life   context.Context // until Close
	cancel context.CancelFunc
	ended  chan struct{} // closed when the goroutine has returned
	order  chan struct{} // holds one: whoever takes it out may write

	mu      sync.Mutex
	pending pending
	session *session // nil: not connected
	known   known
	closing bool
	err     error         // terminal
	room    chan struct{} // closed and replaced when something settles while a Send waits
	waiting int
}

// known is what the broker said when it accepted the producer.
type known struct {
	name       string
	last       int64
	maxMessage int
	epoch      uint64 // of this producer, raised by every connection
	topicEpoch *uint64
}

// Open makes the producer known to the broker. It returns when the broker has accepted,
// or refuses for good, or ctx ends.
func Open(ctx context.Context, o Options) (*Publisher, error) {
	o, err := o.withDefaults()
	if err != nil {
		return nil, err
	}
	p := &Publisher{o: o, ended: make(chan struct{}), order: make(chan struct{}, 1), room: make(chan struct{}), known: known{name: o.Name, last: -1}}
	p.life, p.cancel = context.WithCancel(context.WithoutCancel(ctx))
	s, err := p.connect(ctx, true)
	if err != nil {
		p.cancel()
		return nil, fmt.Errorf("producer on %s: %w", o.Topic, err)
	}
	s.trusted = o.Name == "" // nobody sent anything under a name that was just made up
	p.session = s
	p.order <- struct{}{}
	go p.run(p.life, s)
	return p, nil
}

// Name is the producer's, for entry.Header.
func (p *Publisher) Name() string {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.known.name
}

// LastSequence is the highest sequence id that the broker had stored under the name
// when the producer last (re)connected; -1: none, or it does not deduplicate.
func (p *Publisher) LastSequence() int64 {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.known.last
}

// MaxMessage bounds entry.Encoded.Size.
func (p *Publisher) MaxMessage() int {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.known.maxMessage
}

// Send takes an entry over and queues it; it waits while too much has no receipt. The
// entry is released when its receipt is there. With an error it stays the caller's.
func (p *Publisher) Send(ctx context.Context, e entry.Encoded) (*Receipt, error) {
	r := &Receipt{entry: e, size: int64(len(e.Frame)), done: make(chan struct{})}
	if err := p.waitForRoom(ctx, r.size); err != nil {
		return nil, err
	}
	select {
	case <-p.order:
	case <-ctx.Done():
		return nil, ctx.Err()
	}
	defer func() { p.order <- struct{}{} }()
	p.mu.Lock()
	if err := p.refuse(&e); err != nil {
		p.mu.Unlock()
		return nil, err
	}
	p.pending.add(r)
	s := p.session
	if s == nil || p.pending.sent < len(p.pending.queue)-1 || !s.may() {
		p.mu.Unlock()
		return r, nil // written in its turn
	}
	p.pending.sent++
	frame := s.frame(r)
	p.mu.Unlock()
	p.write(s, r, frame)
	return r, nil
}

// refuse tells why nothing, or not this, can be sent. Called with the lock.
func (p *Publisher) refuse(e *entry.Encoded) error {
	switch {
	case p.err != nil:
		return p.err
	case p.closing:
		return ErrClosed
	case p.known.maxMessage > 0 && e.Size() > p.known.maxMessage:
		return fmt.Errorf("%s: %w: %d bytes, %d are allowed", p.o.Topic, ErrTooBig, e.Size(), p.known.maxMessage)
	}
	return nil
}

func (p *Publisher) waitForRoom(ctx context.Context, size int64) error {
	for {
		p.mu.Lock()
		if !p.full(size) {
			p.mu.Unlock()
			return nil
		}
		p.waiting++
		room := p.room
		p.mu.Unlock()
		var err error
		select {
		case <-room:
		case <-ctx.Done():
			err = ctx.Err()
		}
		p.mu.Lock()
		p.waiting--
		p.mu.Unlock()
		if err != nil {
			return err
		}
	}
}

// full tells whether size more bytes have to wait; one entry is always let in, and Send
// itself refuses what comes after the end. Called with the lock.
func (p *Publisher) full(size int64) bool {
	n := len(p.pending.queue)
	return n > 0 && !p.closing && p.err == nil && (p.pending.bytes+size > p.o.MaxPendingBytes || p.o.MaxPending > 0 && n >= p.o.MaxPending)
}

// settled wakes whoever waits for room. Called with the lock.
func (p *Publisher) settled() {
	if p.waiting > 0 || p.closing {
		close(p.room)
		p.room = make(chan struct{})
	}
}

// Flush waits until everything sent before has its receipt. It returns the first error
// of those.
func (p *Publisher) Flush(ctx context.Context) error {
	p.mu.Lock()
	open := p.pending.open()
	p.mu.Unlock()
	var first error
	for _, r := range open {
		if _, _, err := r.Wait(ctx); err != nil && first == nil {
			first = err
		}
	}
	return first
}

// Err is why the publisher ended; nil while it goes on.
func (p *Publisher) Err() error {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.err
}

// Close waits for receipts as long as ctx lets it, fails the rest with ErrClosed, and
// closes the producer. Its error says that not everything had its receipt.
func (p *Publisher) Close(ctx context.Context) error {
	p.mu.Lock()
	p.closing = true
	p.settled()
	p.mu.Unlock()
	err := p.Flush(ctx)
	p.fail(ErrClosed)
	p.cancel()
	<-p.ended // it waits for nothing but what its context ends
	p.mu.Lock()
	s := p.session
	p.session = nil
	p.mu.Unlock()
	if s != nil {
		s.close(ctx)
	}
	return err
}

// fail ends the publisher: everything open is answered with the error.
func (p *Publisher) fail(err error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.err == nil {
		p.err = err
	}
	for _, r := range p.pending.open() {
		p.answer(r, entry.ID{}, false, err)
	}
}

// answer settles one. Memory that a connection may still read is left to the garbage
// collector: only a receipt of the broker says that it was read. Called with the lock.
func (p *Publisher) answer(r *Receipt, id entry.ID, repeat bool, err error) {
	r.id, r.repeat, r.err = id, repeat, err
	if err != nil {
		r.entry.Detach(nil)
	} else {
		r.entry.Release()
	}
	p.pending.settle(r)
	p.settled()
}

// frame is what to write for a receipt. Called with the publisher's lock, because the
// entry may be answered, by the end of the publisher, while it is written.
func (s *session) frame(r *Receipt) []byte {
	r.entry.SetProducer(s.id)
	return r.entry.Frame
}

// write hands a frame to the connection, in turn. An error means that the connection or
// the session ended, which the session is told too, and that nothing of it was taken.
func (p *Publisher) write(s *session, r *Receipt, frame []byte) {
	if err := s.conn.Write(s.ctx, net.Buffers{frame}); err != nil {
		p.mu.Lock()
		r.kept = true
		p.mu.Unlock()
	}
}
