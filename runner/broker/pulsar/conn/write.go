package conn

import (
	"context"
	"crypto/tls"
	"net"
	"slices"
	"sync"
)

const (
	// maxQueued is how many bytes may wait before writers are made to.
	maxQueued = 4 << 20
	// gatherSize is the buffer that small pieces are gathered in.
	gatherSize = 64 << 10
	// gatherBelow is the size of pieces that are rather copied than sent by reference.
	gatherBelow = 2 << 10
)

// writer queues frames for the goroutine that writes them: what comes while one system
// call runs goes out together in the next.
type writer struct {
	mu    sync.Mutex
	queue net.Buffers
	bytes int
	room  chan struct{} // closed when the queue was taken
	wake  chan struct{}
}

func (w *writer) init() {
	w.room, w.wake = make(chan struct{}), make(chan struct{}, 1)
}

// put queues frames as soon as there is room.
func (w *writer) put(ctx context.Context, ending <-chan struct{}, frames net.Buffers) error {
	for {
		select {
		case <-ending:
			return ErrClosed
		default:
		}
		w.mu.Lock()
		if w.bytes < maxQueued {
			w.add(frames)
			w.mu.Unlock()
			return nil
		}
		room := w.room
		w.mu.Unlock()
		select {
		case <-room:
		case <-ending:
			return ErrClosed
		case <-ctx.Done():
			return context.Cause(ctx)
		}
	}
}

// force queues a small frame whatever else waits: the answer to a PING must not.
func (w *writer) force(frame []byte) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.add(net.Buffers{frame})
}

func (w *writer) add(frames net.Buffers) {
	for _, b := range frames {
		w.bytes += len(b)
	}
	w.queue = append(w.queue, frames...)
	select {
	case w.wake <- struct{}{}:
	default:
	}
}

// take gives everything queued and leaves an empty queue in the memory of before.
func (w *writer) take(spare net.Buffers) net.Buffers {
	w.mu.Lock()
	defer w.mu.Unlock()
	taken := w.queue
	w.queue, w.bytes = spare[:0], 0
	close(w.room)
	w.room = make(chan struct{})
	return taken
}

// run writes until the connection ends or a write fails.
func (w *writer) run(network net.Conn, ending <-chan struct{}) error {
	_, secure := network.(*tls.Conn)
	g := gatherer{network: network, all: secure, buffer: make([]byte, 0, gatherSize)}
	var spare net.Buffers
	for {
		select {
		case <-ending:
			return ErrClosed
		case <-w.wake:
		}
		frames := w.take(spare)
		if err := g.write(frames); err != nil {
			return err
		}
		clear(frames)
		spare = frames
	}
}

// gatherer writes many pieces in few system calls. Small ones are copied together; large
// ones go by reference, but over TLS, where every piece would become a record.
type gatherer struct {
	network net.Conn
	all     bool
	buffer  []byte      // what was copied
	pieces  net.Buffers // of buffer and of the frames, in order
	sending net.Buffers
}

func (g *gatherer) write(frames net.Buffers) error {
	for _, b := range frames {
		if len(b) >= gatherBelow && !g.all {
			g.pieces = append(g.pieces, b)
			continue
		}
		if err := g.copy(b); err != nil {
			return err
		}
	}
	return g.flush()
}

// copy appends to the buffer and to its last piece.
func (g *gatherer) copy(b []byte) error {
	for len(b) > 0 {
		if len(g.buffer) == cap(g.buffer) {
			if err := g.flush(); err != nil {
				return err
			}
		}
		start := len(g.buffer)
		n := min(len(b), cap(g.buffer)-start)
		g.buffer = append(g.buffer, b[:n]...)
		b = b[n:]
		if last := len(g.pieces) - 1; last >= 0 && g.endsAt(g.pieces[last], start) {
			g.pieces[last] = g.pieces[last][:len(g.pieces[last])+n]
		} else {
			g.pieces = append(g.pieces, g.buffer[start:])
		}
	}
	return nil
}

// endsAt says whether a piece is of the buffer and ends where the next copy begins.
func (g *gatherer) endsAt(piece []byte, end int) bool {
	return end > 0 && len(piece) > 0 && &piece[len(piece)-1] == &g.buffer[end-1]
}

func (g *gatherer) flush() error {
	g.sending = append(g.sending[:0], g.pieces...)
	clear(g.pieces)
	g.pieces, g.buffer = g.pieces[:0], g.buffer[:0]
	if len(g.sending) == 1 {
		_, err := g.network.Write(g.sending[0])
		return err
	}
	rest := slices.Clip(g.sending)
	_, err := rest.WriteTo(g.network)
	return err
}
