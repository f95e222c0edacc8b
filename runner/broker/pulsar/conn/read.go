package conn

import (
	"errors"
	"io"
	"sync/atomic"

	"github.com/functionmesh/terraform-provider-functionmesh/runner/broker/pulsar/conn/pulsarpb"
)

// read handles frames until one cannot be read.
func (c *Conn) read() error {
	for {
		f, err := c.frames.next()
		if err != nil {
			if errors.Is(err, io.EOF) {
				return errHungUp
			}
			return explain(err, c.client.service.secure)
		}
		c.beat.Add(1)
		err = c.handle(f)
		c.beat.Add(1)
		if err != nil {
			return err
		}
	}
}

// pulse counts what comes as signs of life, twos so that the count stays even.
type pulse struct {
	io.Reader
	beat *atomic.Uint64
}

// Read counts and reads.
func (p pulse) Read(b []byte) (int, error) {
	n, err := p.Reader.Read(b)
	p.beat.Add(2)
	return n, err
}

var errHungUp = errors.New("the broker hung up")

// handle takes the two frames of the hot path apart by hand and leaves the rest to
// generated code.
func (c *Conn) handle(f frame) error {
	switch commandType(f.command) {
	case pulsarpb.Type_MESSAGE:
		return c.message(f)
	case pulsarpb.Type_SEND_RECEIPT:
		defer f.buffer.release()
		id, receipt, err := decodeReceipt(f.command)
		if h := c.producer(id); err == nil && h != nil {
			h.Receipt(receipt)
		}
		return err
	default:
		defer f.buffer.release()
		cmd, err := decodeCommand(f.command)
		if err != nil {
			return err
		}
		return c.command(cmd)
	}
}

func (c *Conn) message(f frame) error {
	d := &Delivery{Frame: f.rest, buffer: f.buffer}
	id, err := decodeMessage(f.command, d)
	h := c.consumer(id)
	if err != nil || h == nil {
		d.Release()
		return err
	}
	h.Message(d)
	return nil
}

func (c *Conn) consumer(id uint64) ConsumerHandler {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.consumers[id]
}

func (c *Conn) producer(id uint64) ProducerHandler {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.producers[id]
}

// command handles what is not an entry or a receipt.
func (c *Conn) command(cmd *pulsarpb.BaseCommand) error {
	switch {
	case cmd.Ping != nil:
		return c.answer(&pulsarpb.BaseCommand{Pong: &pulsarpb.Pong{}})
	case cmd.Pong != nil:
		return nil
	case cmd.AuthChallenge != nil:
		response, err := c.authResponse()
		if err != nil {
			return err
		}
		return c.answer(response)
	case c.toConsumer(cmd), c.toProducer(cmd):
		return nil
	default:
		return c.answered(cmd)
	}
}

func (c *Conn) answer(cmd *pulsarpb.BaseCommand) error {
	frame, err := encodeCommand(cmd)
	if err == nil {
		c.writes.force(frame)
	}
	return err
}

func (c *Conn) toConsumer(cmd *pulsarpb.BaseCommand) bool {
	id := uint64(0)
	switch {
	case cmd.CloseConsumer != nil:
		id = cmd.CloseConsumer.GetConsumerId()
	case cmd.ActiveConsumerChange != nil:
		id = cmd.ActiveConsumerChange.ConsumerId
	case cmd.ReachedEndOfTopic != nil:
		id = cmd.ReachedEndOfTopic.ConsumerId
	case cmd.TopicMigrated.GetResource() == pulsarpb.TopicMigrated_CONSUMER_RESOURCE && cmd.TopicMigrated != nil:
		id = cmd.TopicMigrated.ResourceId
	default:
		return false
	}
	if h := c.consumer(id); h != nil {
		h.Command(cmd)
	}
	return true
}

func (c *Conn) toProducer(cmd *pulsarpb.BaseCommand) bool {
	id := uint64(0)
	switch {
	case cmd.CloseProducer != nil:
		id = cmd.CloseProducer.GetProducerId()
	case cmd.SendError != nil:
		id = cmd.SendError.ProducerId
	case cmd.TopicMigrated != nil:
		id = cmd.TopicMigrated.ResourceId
	default:
		return false
	}
	if h := c.producer(id); h != nil {
		h.Command(cmd)
	}
	return true
}

// answered hands an answer to whoever waits for it. An error that answers no request of
// ours is about the connection itself; the broker hangs up after it.
func (c *Conn) answered(cmd *pulsarpb.BaseCommand) error {
	id, ok := requestID(cmd)
	if !ok {
		return nil // of a later protocol: nothing we asked for
	}
	c.mu.Lock()
	waiting := c.waiting[id]
	delete(c.waiting, id)
	c.mu.Unlock()
	if waiting != nil {
		waiting <- cmd
		return nil
	}
	if cmd.Error != nil && id-1 >= c.requests.Load() {
		e := refusal(cmd)
		e.accepted = true
		return refusedBy(e, c.broker, &pulsarpb.BaseCommand{AuthResponse: &pulsarpb.AuthResponse{}})
	}
	return nil
}
