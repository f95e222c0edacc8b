package compatible

import (
	"context"
	"maps"
	"math"
	"strconv"
	"sync"
	"time"

	pulsario "github.com/apache/pulsar-client-go/pulsar"

	"github.com/functionmesh/terraform-provider-functionmesh/internal/wire"
	"github.com/functionmesh/terraform-provider-functionmesh/runner/pipeline"
)

const (
	queueMessages = 1000 // Pulsar's default of a receiver queue
	nackStep      = 100 * time.Millisecond
)

//nolint:gochecknoglobals // a table
var modes = map[wire.Mode]pulsario.SubscriptionType{
	wire.Shared: pulsario.Shared, wire.Failover: pulsario.Failover,
	wire.KeyShared: pulsario.KeyShared, wire.Exclusive: pulsario.Exclusive,
}

// station is this instance's consumer on one partition, and its lane while the partition
// is the instance's.
type station struct {
	source    *Source
	in        *input
	of        topic
	partition int
	topic     string // full name of the partition's topic

	// Of whoever reads.
	leaking bool // the broker may wait for permits that the client has lost

	leaks   bell
	shut    chan struct{} // closed when nothing more may be handed out
	mu      sync.Mutex
	now     *session
	active  bool
	refused *pipeline.TerminalError // why that is
	changed bell
}

func newStation(s *Source, in *input, of topic, partition int) *station {
	st := &station{source: s, in: in, of: of, partition: partition, topic: of.name, changed: newBell(), shut: make(chan struct{})}
	if of.partitions > 0 {
		st.topic += partitionSuffix + strconv.Itoa(partition)
	}
	st.leaks = s.leaks(st.topic)
	st.active = s.options.Source.Subscription.Mode != wire.Failover
	return st
}

func (st *station) open(ctx context.Context, c *client, later bool) error {
	s := st.source
	from := s.options.Source.Subscription
	// The client would say "connection error" where this says why.
	if _, err := c.ask.Connect(ctx, st.topic); err != nil {
		return classed(err)
	}
	// What was written to a new partition before it was noticed belongs to it.
	if err := st.opened(ctx, c, later || from.Position == "earliest"); err != nil {
		return err
	}
	if own := st.present().consumer; from.SkipToLatest && !later {
		if err := own.Seek(latest()); err != nil {
			own.Close()
			return err
		}
	}
	return nil
}

// starving is how long a consumer that may have lost permits may have nothing.
// Of an entry that the client cannot open it gives one permit back, however many messages
// the broker counted, so that the broker may wait for ever.
const starving = time.Second

func (st *station) options(of *session) (pulsario.ConsumerOptions, error) {
	decryption, err := opening(st.in.decryption, st.unopened)
	o := &st.source.options
	properties := map[string]string{
		"application": "pulsar-" + o.Component.Kind,
		"id":          o.Component.Tenant + "/" + o.Component.Namespace + "/" + o.Component.Name,
		"instance_id": strconv.Itoa(o.Instance.ID),
	}
	maps.Copy(properties, st.in.Properties)
	queue := queueMessages
	if st.in.QueueSize > 0 {
		queue = st.in.QueueSize
	}
	precision := int64(0)
	var reconnects *uint // as often as it takes
	if st.once() {
		reconnects = new(uint)
	}
	return pulsario.ConsumerOptions{
		Topic: st.topic, SubscriptionName: o.Source.Subscription.Name, Type: modes[o.Source.Subscription.Mode],
		Name: o.Name + "-" + strconv.Itoa(o.Instance.ID), Properties: properties,
		EventListener: st, ReadCompacted: st.in.Compacted, Decryption: decryption,
		// R6: the queue grows only while the client's memory lasts. No room beside it, so
		// that little of a lost connection is left behind.
		ReceiverQueueSize: queue, EnableAutoScaledReceiverQueueSize: true,
		MessageChannel: make(chan pulsario.ConsumerMessage),
		// Where the broker keeps sets of acknowledged messages, others get the rest only.
		EnableBatchIndexAcknowledgment: true,
		AckWithResponse:                st.once(),
		NackBackoffPolicy:              delays{}, NackPrecisionBit: &precision,
		MaxReconnectToBroker: reconnects, BackOffPolicyFunc: st.reconnecting(of),
	}, err
}

// delays hands the delay of a redelivery to the client, which only knows how to ask for
// one by a number of redeliveries: the number is the delay in milliseconds.
type delays struct{}

// Next implements the client's policy. Its first value sets how often the client looks.
func (delays) Next(milliseconds uint32) time.Duration {
	return max(nackStep, time.Duration(milliseconds)*time.Millisecond)
}

// delayed is a message whose redelivery count is its delay.
type delayed struct {
	pulsario.Message
	milliseconds uint32
}

// RedeliveryCount implements pulsario.Message.
func (d delayed) RedeliveryCount() uint32 { return d.milliseconds }

// BecameActive implements the client's listener.
func (st *station) BecameActive(pulsario.Consumer, string, int32) { st.set(true) }

// BecameInactive implements the client's listener.
func (st *station) BecameInactive(pulsario.Consumer, string, int32) { st.set(false) }

func (st *station) set(active bool) {
	st.mu.Lock()
	st.active = active
	st.mu.Unlock()
	st.changed.ring()
}

func (st *station) isActive() bool {
	st.mu.Lock()
	defer st.mu.Unlock()
	return st.active
}

// run gives the lane to the pipeline while the partition is this instance's.
func (st *station) run(ctx context.Context) {
	var l *lane
	var reads sync.Mutex // a new lane reads once the old one does no more
	for {
		switch active := st.isActive(); {
		case active && l == nil:
			l = newLane(ctx, st, &reads)
			st.source.grown.Put(l)
		case !active && l != nil:
			st.source.log.Info("another instance has the partition now", "lane", st.topic)
			l.fence()
			l = nil
		}
		var unread <-chan struct{} // a lane sees to it itself
		if l == nil {
			unread = st.present().gone
		}
		select {
		case <-st.changed:
		case <-unread:
			st.rejoin(ctx, &reads)
		case <-ctx.Done():
			if l != nil {
				l.fence()
			}
			return
		}
	}
}

// latest is behind the newest message of a consumer's one partition. The client's own
// word for it names no partition, and its Seek refuses that.
func latest() pulsario.MessageID {
	return pulsario.NewMessageID(math.MaxInt64, math.MaxInt64, -1, 0)
}
