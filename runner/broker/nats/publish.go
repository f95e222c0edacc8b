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

	"github.com/functionmesh/terraform-provider-functionmesh/runner/pipeline"
)

const (
	window      = 1024             // messages of one lane published and not confirmed
	windowBytes = 4 << 20          // and their bytes
	ackProgress = 10 * time.Second // without a confirmation for so long, the connection is given up
)

// publisher is one connection that never comes back: a reconnect in the middle of a
// write would publish what follows a lost message (RATIONALE.md: why NoReconnect).
type publisher struct {
	nc     *natsio.Conn
	js     jetstream.JetStream
	closed chan struct{}

	mu   sync.Mutex
	free []*way
}

// take returns a way that nobody uses, or a new one.
func (p *publisher) take() (*way, error) {
	p.mu.Lock()
	if n := len(p.free); n > 0 {
		w := p.free[n-1]
		p.free = p.free[:n-1]
		p.mu.Unlock()
		return w, nil
	}
	p.mu.Unlock()
	return newWay(p)
}

// give takes a way back on which nothing is under way.
func (p *publisher) give(w *way) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.free = append(p.free, w)
}

// way is where the messages of one lane go out and their confirmations come in. Message
// number i has the place i modulo window; confirmations arrive in any order.
type way struct {
	p       *publisher
	replies [window]string
	sizes   [window]int32

	mu       sync.Mutex
	answered [window]bool
	next     uint64        // number of the next message that is published
	head     uint64        // first that is not answered
	bytes    int           // of those under way
	refused  uint64        // first message that the broker refused, with failed
	failed   error         // why
	want     uint64        // Wait asks for news when head is there
	news     chan struct{} // head is at want
	room     chan struct{} // somewhere is room
	full     bool          // somebody waits for it
}

func newWay(p *publisher) (*way, error) {
	w := &way{p: p, news: make(chan struct{}, 1), room: make(chan struct{}, 1)}
	inbox := p.nc.NewRespInbox() + "."
	for i := range w.replies {
		w.replies[i] = inbox + strconv.Itoa(i)
	}
	sub, err := p.nc.Subscribe(inbox+"*", w.confirm)
	if err != nil {
		return nil, err
	}
	return w, sub.SetPendingLimits(-1, -1) // bounded by the window
}

// confirm takes one answer of the broker.
func (w *way) confirm(m *natsio.Msg) {
	i, err := strconv.Atoi(m.Subject[strings.LastIndexByte(m.Subject, '.')+1:])
	if err != nil || i < 0 || i >= window {
		return
	}
	failed := ackError(m)
	w.mu.Lock()
	defer w.mu.Unlock()
	// The only message under way with this place.
	number := w.head + (uint64(i)-w.head)%window
	if number >= w.next || w.answered[i] {
		return
	}
	w.answered[i] = true
	w.bytes -= int(w.sizes[i])
	if failed != nil && (w.failed == nil || number < w.refused) {
		w.refused, w.failed = number, failed
	}
	w.advance()
}

// advance moves on over what is answered, and tells who waits for that.
func (w *way) advance() {
	for w.head < w.next && w.answered[w.head%window] {
		w.answered[w.head%window] = false
		w.head++
	}
	if w.want > 0 && w.head >= w.want {
		w.want = 0
		wake(w.news)
	}
	if w.full && w.hasRoom(window/2) {
		w.full = false
		wake(w.room)
	}
}

func wake(c chan struct{}) {
	select {
	case c <- struct{}{}:
	default:
	}
}

// hasRoom says whether most messages are under way, or fewer. The lock is held.
func (w *way) hasRoom(most uint64) bool {
	under := w.next - w.head
	return under < most && w.bytes < windowBytes || under == 0
}

// reserve waits for room and gives the message its number.
func (w *way) reserve(ctx context.Context, size int) (number uint64, err error) {
	for {
		w.mu.Lock()
		switch {
		case w.failed != nil:
			err := w.failed
			w.mu.Unlock()
			return 0, err
		case w.hasRoom(window):
			number = w.next
			w.next++
			w.bytes += size
			w.sizes[number%window] = int32(size) //nolint:gosec // bounded by the server's limit
			w.mu.Unlock()
			return number, nil
		}
		w.full = true
		head := w.head
		w.mu.Unlock()
		if err := w.sleep(ctx, w.room, head); err != nil {
			return 0, err
		}
	}
}

// publish sends m as the next message.
func (w *way) publish(ctx context.Context, m *natsio.Msg) error {
	number, err := w.reserve(ctx, len(m.Data))
	if err != nil {
		return fmt.Errorf("%w: %w", pipeline.ErrUnsent, err)
	}
	m.Reply = w.replies[number%window]
	return w.p.nc.PublishMsg(m)
}

// until waits for the answers to all messages before number to. It returns the first
// message from number from on that is not confirmed, and why.
func (w *way) until(ctx context.Context, from, to uint64) (uint64, error) {
	for {
		w.mu.Lock()
		head, failed, refused := w.head, w.failed, w.refused
		if head < to {
			w.want = to
		}
		w.mu.Unlock()
		var err error
		if head < to {
			if err = w.sleep(ctx, w.news, head); err == nil {
				continue
			}
			w.mu.Lock()
			head, failed, refused = w.head, w.failed, w.refused
			w.mu.Unlock()
		}
		if failed != nil && refused >= from && refused < to {
			return min(head, refused), failed
		}
		return max(from, min(head, to)), err
	}
}

// sleep waits for news, as long as there is progress: head is where it was before.
func (w *way) sleep(ctx context.Context, news <-chan struct{}, head uint64) error {
	t := time.NewTimer(ackProgress)
	defer t.Stop()
	for {
		select {
		case <-news:
			return nil
		case <-w.p.closed:
			return fmt.Errorf("publish: %w", natsio.ErrConnectionClosed)
		case <-ctx.Done():
			return context.Cause(ctx)
		case <-t.C:
		}
		w.mu.Lock()
		now := w.head
		w.mu.Unlock()
		if now == head {
			return fmt.Errorf("publish: no confirmation for %s: %w", ackProgress, natsio.ErrTimeout)
		}
		head = now
		t.Reset(ackProgress)
	}
}

// idle says whether everything published is answered; then the way is as new.
func (w *way) idle() bool {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.head < w.next {
		return false
	}
	w.failed = nil
	return true
}

// number of the next message.
func (w *way) number() uint64 {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.next
}

// pubAck is the part of JetStream's answer that matters here.
type pubAck struct {
	Error *jetstream.APIError `json:"error"`
}

var errNoStream = errors.New("no stream takes the message")

func ackError(m *natsio.Msg) error {
	if len(m.Header) > 0 && m.Header.Get(headerStatus) == "503" {
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
