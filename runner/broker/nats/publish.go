package nats

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"strconv"
	"strings"
	"sync"
	"time"

	natsio "github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"
)

const (
	window      = 512              // messages published and not confirmed, per write
	windowBytes = 4 << 20          // and their bytes
	ackProgress = 10 * time.Second // without a confirmation for so long, the connection is given up
)

// publisher is one connection that never comes back: a reconnect in the middle of a
// write would publish what follows a lost message (RATIONALE.md: why NoReconnect).
type publisher struct {
	nc     *natsio.Conn
	js     jetstream.JetStream
	closed chan struct{}

	mu    sync.Mutex
	slots []*slot // free ones
}

// slot is where one write at a time receives its confirmations.
type slot struct {
	inbox  string
	acks   chan *natsio.Msg
	writes uint64
}

// free returns a slot, a new one when lanes write at the same time.
func (p *publisher) free() (*slot, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if n := len(p.slots); n > 0 {
		s := p.slots[n-1]
		p.slots = p.slots[:n-1]
		return s, nil
	}
	s := &slot{inbox: p.nc.NewRespInbox(), acks: make(chan *natsio.Msg, 2*window)}
	if _, err := p.nc.ChanSubscribe(s.inbox+".*.*", s.acks); err != nil {
		return nil, err
	}
	return s, nil
}

func (p *publisher) give(s *slot) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.slots = append(p.slots, s)
}

// write is one Write's progress: next is the first message not published, prefix the
// first not confirmed, answered how many were confirmed or refused.
type write struct {
	p        *publisher
	s        *slot
	reply    string // prefix of the acknowledgement subjects
	sizes    []int
	acked    []bool
	next     int
	prefix   int
	answered int
	bytes    int
	refused  int   // the first message that the broker refused, with failed
	failed   error // why
}

func newWrite(p *publisher, s *slot, n int) *write {
	s.writes++
	return &write{
		p: p, s: s, sizes: make([]int, n), acked: make([]bool, n),
		reply: s.inbox + "." + strconv.FormatUint(s.writes, 10) + ".",
	}
}

// publish sends the next message, waiting for room in the window.
func (w *write) publish(ctx context.Context, m *natsio.Msg) error {
	for w.next-w.answered >= window || (w.bytes >= windowBytes && w.next > w.answered) {
		if err := w.await(ctx); err != nil {
			return err
		}
	}
	if w.failed != nil {
		return w.failed
	}
	m.Reply = w.reply + strconv.Itoa(w.next)
	if err := w.p.nc.PublishMsg(m); err != nil {
		return err
	}
	w.sizes[w.next] = len(m.Data)
	w.bytes += len(m.Data)
	w.next++
	return nil
}

// finish waits until everything published is confirmed or refused.
func (w *write) finish(ctx context.Context) error {
	for w.answered < w.next {
		if err := w.await(ctx); err != nil {
			return err
		}
	}
	return w.failed
}

// await takes one confirmation, or fails when the connection does.
func (w *write) await(ctx context.Context) error {
	if w.arrived() {
		return nil
	}
	t := time.NewTimer(ackProgress)
	defer t.Stop()
	for {
		select {
		case m := <-w.s.acks:
			if i, ok := w.index(m.Subject); ok {
				w.settle(i, m)
				return nil
			}
		case <-w.p.closed:
			return fmt.Errorf("publish: %w", natsio.ErrConnectionClosed)
		case <-t.C:
			return fmt.Errorf("publish: no confirmation for %s: %w", ackProgress, natsio.ErrTimeout)
		case <-ctx.Done():
			return context.Cause(ctx)
		}
	}
}

// arrived takes a confirmation that is there already, which needs no timer.
func (w *write) arrived() bool {
	for {
		select {
		case m := <-w.s.acks:
			if i, ok := w.index(m.Subject); ok {
				w.settle(i, m)
				return true
			}
		default:
			return false
		}
	}
}

// index is which message a confirmation is for; those of earlier writes are not ours.
func (w *write) index(subject string) (int, bool) {
	text, ok := strings.CutPrefix(subject, w.reply)
	if !ok {
		return 0, false
	}
	i, err := strconv.Atoi(text)
	return i, err == nil && i >= 0 && i < w.next
}

func (w *write) settle(i int, m *natsio.Msg) {
	w.answered++
	w.bytes -= w.sizes[i]
	if err := ackError(m); err != nil {
		if w.failed == nil || i < w.refused {
			w.refused, w.failed = i, err
		}
		return
	}
	w.acked[i] = true
	for w.prefix < w.next && w.acked[w.prefix] {
		w.prefix++
	}
}

// pubAck is the part of JetStream's answer that matters here.
type pubAck struct {
	Error *jetstream.APIError `json:"error"`
}

var errNoStream = errors.New("no stream takes the message")

func ackError(m *natsio.Msg) error {
	if m.Header.Get(headerStatus) == "503" {
		return errNoStream
	}
	if bytes.HasPrefix(m.Data, []byte(`{"stream":`)) && !bytes.Contains(m.Data, []byte(`"error":`)) {
		return nil
	}
	var a pubAck
	if err := json.Unmarshal(m.Data, &a); err != nil {
		return fmt.Errorf("publish: answer of the broker: %w", err)
	}
	if a.Error != nil {
		return fmt.Errorf("publish: %w", a.Error)
	}
	return nil
}
