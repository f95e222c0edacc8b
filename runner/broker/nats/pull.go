package nats

import (
	"context"
	"encoding/json"
	"fmt"
	"strconv"
	"time"

	natsio "github.com/nats-io/nats.go"
)

const (
	maxPull     = 4096            // messages of one request; the queue holds two requests
	pullSlack   = 3 * time.Second // a request that is not answered so long after its end is lost
	pullExpires = 5 * time.Second
)

// Answers to a pull request that are not messages.
const (
	statusHeartbeat = "100"
	statusNone      = "404"
	statusTimeout   = "408"
	statusLimit     = "409"
)

// Headers of such an answer.
const (
	headerStatus = "Status"
	headerText   = "Description"
)

// puller asks a pull consumer for one batch at a time, bounded by number and by bytes;
// nothing is requested that was not asked for (RATIONALE.md: why no read ahead).
type puller struct {
	nc      *natsio.Conn
	subject string
	inbox   string
	queue   chan *natsio.Msg
	sub     *natsio.Subscription
	number  uint64
	wait    time.Duration
}

func newPuller(nc *natsio.Conn, stream, consumer string, wait time.Duration) (*puller, error) {
	p := &puller{
		nc:      nc,
		subject: "$JS.API.CONSUMER.MSG.NEXT." + stream + "." + consumer,
		inbox:   nc.NewRespInbox(),
		queue:   make(chan *natsio.Msg, 2*maxPull+16),
		wait:    wait,
	}
	sub, err := nc.ChanSubscribe(p.inbox+".*", p.queue)
	if err != nil {
		return nil, err
	}
	p.sub = sub
	return p, nil
}

// pullRequest is JetStream's request for messages.
type pullRequest struct {
	Batch    int           `json:"batch"`
	MaxBytes int64         `json:"max_bytes,omitempty"`
	NoWait   bool          `json:"no_wait,omitempty"`
	Expires  time.Duration `json:"expires,omitempty"`
}

// fetch blocks for the first message, then returns what is there. wait false: it does
// not block, and nothing there is no error.
func (p *puller) fetch(ctx context.Context, most int, maxBytes int64, wait bool) ([]*natsio.Msg, error) {
	// One-shot: the server waits for the first message and ends the request when
	// there are no more.
	first := pullRequest{Batch: min(max(most, 1), maxPull), MaxBytes: maxBytes, NoWait: true}
	if wait {
		first.Expires = p.wait
	}
	for r := first; ; {
		got, status, err := p.request(ctx, r)
		if len(got) > 0 || err != nil {
			return got, err
		}
		switch {
		case ctx.Err() != nil:
			return nil, ctx.Err()
		case status == statusLimit && r.MaxBytes > 0:
			// The first message alone is over the bound: it must pass all the same.
			r = pullRequest{Batch: 1, Expires: p.wait, NoWait: !wait}
		case status == statusLimit:
			return nil, fmt.Errorf("the consumer gives no more: %w", errLost)
		case !wait:
			return nil, nil
		default:
			r = p.again(r, first, status)
		}
	}
}

// again is the request that follows r, which found nothing.
func (p *puller) again(r, first pullRequest, status string) pullRequest {
	if status == statusTimeout && r.NoWait {
		// Others wait already, which a one-shot request may not: queue behind them.
		return pullRequest{Batch: 1, Expires: p.wait}
	}
	return first
}

// request sends r and collects its answers until the server ends it.
func (p *puller) request(ctx context.Context, r pullRequest) (got []*natsio.Msg, status string, err error) {
	reply, err := p.publish(r)
	if err != nil {
		return nil, "", err
	}
	timer := time.NewTimer(r.Expires + pullSlack)
	defer timer.Stop()
	for len(got) < r.Batch {
		select {
		case m := <-p.queue:
			if !isStatus(m) {
				got = append(got, m)
			} else if m.Subject == reply && m.Header.Get(headerStatus) != statusHeartbeat {
				return p.ended(got, m)
			}
		case <-timer.C:
			if len(got) > 0 {
				return got, "", nil
			}
			return nil, "", fmt.Errorf("no answer from the broker: %w", errLost)
		case <-ctx.Done():
			return got, "", nil
		}
	}
	return got, "", nil
}

// publish returns the subject of r's answers.
func (p *puller) publish(r pullRequest) (reply string, err error) {
	if !p.nc.IsConnected() {
		return "", errDisconnected
	}
	p.number++
	reply = p.inbox + "." + strconv.FormatUint(p.number, 10)
	body, err := json.Marshal(r)
	if err != nil {
		return "", err
	}
	return reply, p.nc.PublishRequest(p.subject, reply, body)
}

func (p *puller) ended(got []*natsio.Msg, m *natsio.Msg) ([]*natsio.Msg, string, error) {
	status := m.Header.Get(headerStatus)
	switch status {
	case statusNone, statusTimeout, statusLimit:
		return got, status, nil
	}
	if len(got) > 0 {
		return got, status, nil
	}
	return nil, status, fmt.Errorf("pull request: status %s %s: %w", status, m.Header.Get(headerText), errLost)
}

// isStatus: an answer that is not a message has no acknowledgement subject.
func isStatus(m *natsio.Msg) bool { return m.Reply == "" && len(m.Header[headerStatus]) > 0 }

// stop ends the subscription and returns the messages that nobody took.
func (p *puller) stop() []*natsio.Msg {
	if p.sub.Unsubscribe() != nil {
		return nil
	}
	if p.nc.FlushTimeout(requestTimeout) != nil { // what is on its way arrives first
		return nil
	}
	var left []*natsio.Msg
	for {
		select {
		case m := <-p.queue:
			if !isStatus(m) {
				left = append(left, m)
			}
		default:
			return left
		}
	}
}
