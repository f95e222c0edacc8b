package publisher

import (
	"bytes"
	"context"

	"github.com/functionmesh/terraform-provider-functionmesh/runner/broker/pulsar/entry"
)

// Receipt is the answer to one Send, now or later.
type Receipt struct {
	entry  entry.Encoded
	size   int64
	tries  int  // answered by a checksum error
	kept   bool // the present connection did not take it
	closed bool // done is closed

	done   chan struct{}
	id     entry.ID
	repeat bool
	err    error
}

// Done is closed when the answer is there.
func (r *Receipt) Done() <-chan struct{} { return r.done }

// Wait returns where the entry is stored. repeat: the broker had its sequence id
// already and dropped it; where that is stored is not known.
func (r *Receipt) Wait(ctx context.Context) (id entry.ID, repeat bool, err error) {
	select {
	case <-r.done:
		return r.id, r.repeat, r.err
	case <-ctx.Done():
		return entry.ID{}, false, ctx.Err()
	}
}

// pending are entries without receipt, in the order of their sends. The first sent of
// them were written to the present connection.
type pending struct {
	queue []*Receipt
	sent  int
	bytes int64
}

func (p *pending) add(r *Receipt) {
	p.queue = append(p.queue, r)
	p.bytes += r.size
}

// next is the first one not written yet; nil: none.
func (p *pending) next() *Receipt {
	for p.sent < len(p.queue) {
		r := p.queue[p.sent]
		p.sent++
		if !r.closed {
			r.kept = false
			return r
		}
	}
	return nil
}

// find is the first one written with a sequence id and not answered. It is the head of
// the queue unless the broker drops a repeat while it still stores what came before.
func (p *pending) find(sequence uint64) *Receipt {
	for _, r := range p.queue[:p.sent] {
		if r.entry.Sequence == sequence && !r.closed {
			return r
		}
	}
	return nil
}

// settle answers one and drops what is answered from the head.
func (p *pending) settle(r *Receipt) {
	r.closed = true
	p.bytes -= r.size
	close(r.done)
	for len(p.queue) > 0 && p.queue[0].closed {
		p.queue[0] = nil
		p.queue = p.queue[1:]
		p.sent = max(0, p.sent-1)
	}
}

// again makes everything unwritten. Where the connection that has them goes on, read, it
// may still read their memory: they get memory of their own.
func (p *pending) again(read bool) {
	if read {
		for _, r := range p.queue[:p.sent] {
			if !r.closed && !r.kept {
				r.entry.Detach(bytes.Clone(r.entry.Frame))
			}
		}
	}
	p.sent = 0
}

// written are those that the present connection took and that are not answered.
func (p *pending) written() []*Receipt {
	var out []*Receipt
	for _, r := range p.queue[:p.sent] {
		if !r.closed && !r.kept {
			out = append(out, r)
		}
	}
	return out
}

// open are all that are not answered.
func (p *pending) open() []*Receipt {
	var out []*Receipt
	for _, r := range p.queue {
		if !r.closed {
			out = append(out, r)
		}
	}
	return out
}
