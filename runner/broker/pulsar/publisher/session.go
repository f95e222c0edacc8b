package publisher

import (
	"context"
	"errors"
	"slices"
	"sync"
	"time"

	"github.com/cenkalti/backoff/v5"

	"github.com/functionmesh/terraform-provider-functionmesh/runner/broker/pulsar/conn"
	"github.com/functionmesh/terraform-provider-functionmesh/runner/broker/pulsar/conn/pulsarpb"
	"github.com/functionmesh/terraform-provider-functionmesh/runner/broker/pulsar/entry"
)

// session is the producer on one connection. It is told by that connection's reader.
type session struct {
	publisher *Publisher
	conn      *conn.Conn
	id        uint64
	ctx       context.Context
	cancel    context.CancelFunc

	// trusted: nothing that an earlier producer of the name sent can still be on its way
	// to the disk. Until then one entry at a time is sent. With the publisher's lock.
	trusted bool
	turn    chan struct{} // holds one when the next entry may be sent

	once sync.Once
	gone chan struct{} // closed when the producer is no more
	err  error         // why; nil: closed by the broker. Set before gone is closed
}

// run keeps the publisher connected.
func (p *Publisher) run(ctx context.Context, s *session) {
	defer close(p.ended)
	for {
		select {
		case <-s.turn:
			p.send(s)
			continue
		case <-s.gone:
		case <-ctx.Done():
			return
		}
		p.detach(s)
		if p.Err() != nil {
			return
		}
		if _, refused := errors.AsType[*conn.ServerError](s.err); refused {
			pause(ctx, firstPause) // what the broker could not tell it may know then
		}
		next, err := p.connect(ctx, false)
		if err != nil {
			if ctx.Err() == nil {
				p.fail(err)
			}
			return
		}
		p.attach(next, s.reading())
		s = next
	}
}

func pause(ctx context.Context, d time.Duration) {
	select {
	case <-time.After(d):
	case <-ctx.Done():
	}
}

// detach takes the session out; what it leaves without receipt waits for the next one,
// or fails.
func (p *Publisher) detach(s *session) {
	s.conn.RemoveProducer(s.id)
	s.cancel()
	<-p.order // whoever was writing knows by now whether it was taken
	p.mu.Lock()
	p.session = nil
	open := p.pending.written()
	if p.o.FailUnconfirmed {
		for _, r := range open {
			p.answer(r, entry.ID{}, false, ErrUnknown)
		}
	}
	p.mu.Unlock()
	p.order <- struct{}{}
	if s.err != nil && s.reading() {
		s.close(context.Background()) // it ended by a refusal: the broker still has it
	}
	p.o.Report(&LostError{Topic: p.o.Topic, Err: s.err, Again: len(open)})
}

// reading tells whether the connection goes on, and may still read frames.
func (s *session) reading() bool {
	select {
	case <-s.conn.Done():
		return false
	default:
		return true
	}
}

// attach sends what has no receipt, in its order, before anybody else may send.
// Frames that an earlier connection may still read get memory of their own.
func (p *Publisher) attach(s *session, read bool) {
	<-p.order
	p.mu.Lock()
	p.pending.again(read)
	p.session = s
	p.mu.Unlock()
	p.order <- struct{}{}
	p.send(s)
}

// send writes what is queued, as far as it may be.
func (p *Publisher) send(s *session) {
	<-p.order
	defer func() { p.order <- struct{}{} }()
	for {
		p.mu.Lock()
		var r *Receipt
		if p.session == s && s.may() {
			r = p.pending.next()
		}
		if r == nil {
			p.mu.Unlock()
			return
		}
		frame := s.frame(r)
		p.mu.Unlock()
		p.write(s, r, frame)
	}
}

// may tells whether an entry may be sent. A broker that deduplicates knows sequence ids
// that it was sent and has not stored, perhaps never will: it refuses those, and takes
// what was sent behind them. The refused ones would then pass for repeats. So, until it
// has stored something of this producer, no entry follows another before that one's
// receipt. Called with the publisher's lock.
func (s *session) may() bool {
	return s.trusted || len(s.publisher.pending.written()) == 0
}

// connect tries until the broker accepts the producer, refuses it for good, or patience
// or the context ends. At the first time fewer errors are hoped to pass.
func (p *Publisher) connect(ctx context.Context, first bool) (*session, error) {
	pauses := backoff.NewExponentialBackOff()
	pauses.InitialInterval, pauses.MaxInterval = firstPause, longestPause
	began := time.Now()
	for {
		s, err := p.try(ctx)
		if err == nil {
			return s, nil
		}
		if ctx.Err() != nil {
			return nil, errors.Join(ctx.Err(), err)
		}
		if err := p.final(err, time.Since(began), first); err != nil {
			return nil, err
		}
		pause := pauses.NextBackOff()
		p.o.Report(&retryError{topic: p.o.Topic, err: err, pause: pause})
		select {
		case <-time.After(pause):
		case <-ctx.Done():
			return nil, errors.Join(ctx.Err(), err)
		}
	}
}

// final returns the error that ends the publisher; nil: try again.
func (p *Publisher) final(err error, took time.Duration, first bool) error {
	code := pulsarpb.Code_UNKNOWN_ERROR
	if server, ok := errors.AsType[*conn.ServerError](err); ok {
		code = server.Code
	}
	switch code {
	case pulsarpb.Code_PRODUCER_FENCED:
		return errors.Join(ErrFenced, err)
	case pulsarpb.Code_PRODUCER_BUSY:
		// A producer that does not answer holds its name for five seconds, one on a dead
		// connection until the broker notices.
		if took > p.o.NamePatience {
			return errors.Join(ErrFenced, err)
		}
		return nil
	case pulsarpb.Code_AUTHENTICATION_ERROR, pulsarpb.Code_AUTHORIZATION_ERROR:
		// A token that ran out under a running publisher may be renewed in its file.
		if !first {
			return p.impatient(err, took)
		}
	default:
	}
	if _, terminal := conn.Terminal(err); terminal {
		return err
	}
	return p.impatient(err, took)
}

func (p *Publisher) impatient(err error, took time.Duration) error {
	if p.o.Patience > 0 && took > p.o.Patience {
		return err
	}
	return nil
}

// try looks the topic up, connects and makes the producer known, once.
func (p *Publisher) try(ctx context.Context) (*session, error) {
	c, err := p.o.Client.Connect(ctx, p.o.Topic)
	if err != nil {
		return nil, err
	}
	s := &session{publisher: p, conn: c, id: c.NextID(), turn: make(chan struct{}, 1), gone: make(chan struct{})}
	s.ctx, s.cancel = context.WithCancel(p.life)
	if err := c.AddProducer(s.id, s); err != nil {
		s.cancel()
		return nil, err
	}
	answer, err := c.Request(ctx, p.hello(s.id))
	if err != nil {
		c.RemoveProducer(s.id)
		s.cancel()
		if ctx.Err() != nil || errors.Is(err, conn.ErrSilent) {
			s.close(context.WithoutCancel(ctx)) // the broker may have accepted it meanwhile
		}
		return nil, err
	}
	p.welcome(answer.GetProducerSuccess(), c.MaxMessage())
	return s, nil
}

// hello is the PRODUCER command. A name that the broker made up is kept over
// connections, with an epoch that takes it from the connection before.
func (p *Publisher) hello(id uint64) *pulsarpb.BaseCommand {
	p.mu.Lock()
	defer p.mu.Unlock()
	own := p.o.Name != ""
	cmd := &pulsarpb.Producer{
		Topic: p.o.Topic, ProducerId: &id, ProducerName: p.known.name, Epoch: p.known.epoch,
		UserProvidedName: &own, TopicEpoch: p.known.topicEpoch,
	}
	if p.o.Exclusive {
		cmd.AccessMode = pulsarpb.Producer_EXCLUSIVE
	}
	keys := make([]string, 0, len(p.o.Properties))
	for k := range p.o.Properties {
		keys = append(keys, k)
	}
	slices.Sort(keys)
	for _, k := range keys {
		v := p.o.Properties[k]
		cmd.Metadata = append(cmd.Metadata, &pulsarpb.KeyValue{Key: &k, Value: &v})
	}
	p.known.epoch++
	return &pulsarpb.BaseCommand{Producer: cmd}
}

func (p *Publisher) welcome(answer *pulsarpb.ProducerSuccess, maxMessage int) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.known.name, p.known.maxMessage = answer.GetProducerName(), maxMessage
	p.known.last = -1
	if answer.LastSequenceId != nil {
		p.known.last = answer.GetLastSequenceId()
	}
	if p.o.Exclusive {
		p.known.topicEpoch = answer.TopicEpoch
	}
}

// end says that the producer is no more.
func (s *session) end(err error) {
	s.once.Do(func() {
		s.err = err
		close(s.gone)
	})
}

// Lost takes the end of the connection.
func (s *session) Lost(err error) { s.end(err) }

// Receipt takes the broker's answer to a send. One that matches nothing belongs to what
// was failed meanwhile.
func (s *session) Receipt(r conn.Receipt) {
	p := s.publisher
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.session != s {
		return
	}
	if found := p.pending.find(r.Sequence); found != nil {
		p.answer(found, entry.ID{Ledger: r.Ledger, Entry: r.Entry}, r.Repeat(), nil)
		s.answered(!r.Repeat())
	}
}

// answered lets more be sent. Called with the publisher's lock.
func (s *session) answered(stored bool) {
	if s.trusted {
		return
	}
	s.trusted = stored
	select {
	case s.turn <- struct{}{}:
	default:
	}
}

// Command takes SEND_ERROR, CLOSE_PRODUCER and TOPIC_MIGRATED.
func (s *session) Command(c *pulsarpb.BaseCommand) {
	if c.GetType() == pulsarpb.Type_SEND_ERROR {
		s.refused(c.GetSendError())
		return
	}
	s.end(nil)
}

// refused takes an error for one send. What only concerns that entry fails it; all else
// is sent again on a new producer, in its order.
func (s *session) refused(e *pulsarpb.SendError) {
	p := s.publisher
	err := &conn.ServerError{Code: e.GetCode(), Message: e.GetMessage()}
	p.mu.Lock()
	r := p.pending.find(e.GetSequenceId())
	if p.session != s || r == nil {
		p.mu.Unlock()
		return
	}
	switch e.GetCode() {
	case pulsarpb.Code_NOT_ALLOWED:
		p.answer(r, entry.ID{}, false, err)
		s.answered(false)
		p.mu.Unlock()
		return
	case pulsarpb.Code_CHECKSUM_ERROR:
		if r.tries++; r.tries >= checksumTries {
			p.answer(r, entry.ID{}, false, err)
			s.answered(false)
			p.mu.Unlock()
			return
		}
	default:
	}
	p.mu.Unlock()
	switch e.GetCode() {
	case pulsarpb.Code_TOPIC_TERMINATED:
		p.fail(err)
	case pulsarpb.Code_PRODUCER_FENCED:
		p.fail(errors.Join(ErrFenced, err))
	default:
	}
	s.end(err)
}

// close tells the broker that the producer is no more.
func (s *session) close(ctx context.Context) {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), closePatience)
	defer cancel()
	_, _ = s.conn.Request(ctx, &pulsarpb.BaseCommand{CloseProducer: &pulsarpb.CloseProducer{ProducerId: &s.id}})
	s.conn.RemoveProducer(s.id)
	s.cancel()
}
