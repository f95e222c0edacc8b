package conn

import (
	"context"
)

// slot is a connection being dialled or dialled.
type slot struct {
	ready chan struct{} // closed when conn or err is set
	conn  *Conn
	err   error
}

// dead says whether a slot holds a connection that is of no use any more.
func (s *slot) dead() bool {
	select {
	case <-s.ready:
		return s.err != nil || s.conn.ended()
	default:
		return false
	}
}

// connection returns the connection to a target, dialling it when there is none. One
// dial serves all who wait, so it outlives the one who asked first.
func (c *Client) connection(ctx context.Context, t target) (*Conn, error) {
	c.mu.Lock()
	if c.closed {
		c.mu.Unlock()
		return nil, ErrClosed
	}
	s := c.slots[t]
	if s == nil || s.dead() {
		s = &slot{ready: make(chan struct{})}
		c.slots[t] = s
		c.running.Go(func() { c.fill(t, s) })
	}
	c.mu.Unlock()
	select {
	case <-s.ready:
		return s.conn, s.err
	case <-ctx.Done():
		return nil, context.Cause(ctx)
	}
}

func (c *Client) fill(t target, s *slot) {
	s.conn, s.err = c.dial(c.context, t)
	close(s.ready)
	c.mu.Lock()
	defer c.mu.Unlock()
	if s.err != nil && c.slots[t] == s {
		delete(c.slots, t)
	}
	if c.closed && s.err == nil {
		s.conn.fail(ErrClosed)
	}
}
