package subscription_test

import (
	"context"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/functionmesh/terraform-provider-functionmesh/internal/wire"
	"github.com/functionmesh/terraform-provider-functionmesh/runner/broker/pulsar/conn/pulsarpb"
	"github.com/functionmesh/terraform-provider-functionmesh/runner/broker/pulsar/entry"
	"github.com/functionmesh/terraform-provider-functionmesh/runner/broker/pulsar/fakebroker"
	"github.com/functionmesh/terraform-provider-functionmesh/runner/broker/pulsar/pulsartest"
	"github.com/functionmesh/terraform-provider-functionmesh/runner/broker/pulsar/subscription"
)

// soon is short: the tests count looks and never measure.
const soon = time.Millisecond

func answerLast(c *fakebroker.Conn, cmd *pulsarpb.BaseCommand, last, mark entry.ID) {
	form := func(id entry.ID) *pulsarpb.MessageId {
		ledger, number := uint64(id.Ledger), uint64(id.Entry)
		return &pulsarpb.MessageId{LedgerId: &ledger, EntryId: &number}
	}
	c.Write(pulsarpb.Type_GET_LAST_MESSAGE_ID_RESPONSE, &pulsarpb.BaseCommand{GetLastMessageIdResponse: &pulsarpb.GetLastMessageIdResponse{
		LastMessageId: form(last), RequestId: cmd.GetLastMessageId.GetRequestId(), MarkDeletePosition: form(mark),
	}}, nil)
}

// holder is a fake broker's topic of one ledger, 7, that delivers nothing but what deliver
// says: to the n-th FLOW of the n-th consumer, both from 1.
type holder struct {
	t       *testing.T
	broker  *fakebroker.Broker
	deliver func(consumer, flow int) []int64
	heard
	last     int64
	mark     int64
	consumer int
	flow     int
}

func newHolder(t *testing.T, last, mark int64, deliver func(consumer, flow int) []int64) *holder {
	t.Helper()
	k := &holder{t: t, broker: fakebroker.New(t), last: last, mark: mark, deliver: deliver}
	k.broker.On = k.on
	return k
}

func (k *holder) on(c *fakebroker.Conn, cmd *pulsarpb.BaseCommand, _ []byte) bool {
	k.mu.Lock()
	defer k.mu.Unlock()
	k.order = append(k.order, cmd.GetType())
	switch cmd.GetType() {
	case pulsarpb.Type_SUBSCRIBE:
		k.consumer, k.flow, k.order = k.consumer+1, 0, nil
		c.Accept(cmd)
		if cmd.Subscribe.GetMode() == pulsarpb.Subscribe_FAILOVER {
			c.ActiveConsumer(cmd.Subscribe.GetConsumerId(), true)
		}
		return true
	case pulsarpb.Type_FLOW:
		k.flow++
		for _, n := range k.deliver(k.consumer, k.flow) {
			c.Deliver(cmd.Flow.GetConsumerId(), 7, n, section(k.t, int(n)))
		}
	case pulsarpb.Type_GET_LAST_MESSAGE_ID:
		answerLast(c, cmd, entry.ID{Ledger: 7, Entry: k.last}, entry.ID{Ledger: 7, Entry: k.mark})
		return true
	default:
	}
	return false
}

func (k *holder) write(last int64) {
	k.mu.Lock()
	defer k.mu.Unlock()
	k.last = last
}

func (k *holder) count(what pulsarpb.Type) int { return len(k.broker.Commands(what)) }

// looks waits for n questions more about the newest entry.
func (k *holder) looks(n int) {
	k.t.Helper()
	n += k.count(pulsarpb.Type_GET_LAST_MESSAGE_ID)
	pulsartest.Eventually(k.t, "the broker is asked what it has", func() bool { return k.count(pulsarpb.Type_GET_LAST_MESSAGE_ID) >= n })
}

func (k *holder) subscribed(n int) {
	k.t.Helper()
	pulsartest.Eventually(k.t, "subscribed anew", func() bool { return k.count(pulsarpb.Type_SUBSCRIBE) >= n })
}

// A broker that has entries and delivers none is left for a new consumer of the same
// subscription, which first ends what the broker still waits for.
func TestStalledBeginsAnew(t *testing.T) {
	for name, c := range map[string]struct {
		o     subscription.Options
		first []int64 // come before the stall
		again []int64 // come after it
	}{
		"Exclusive":     {subscription.Options{Mode: wire.Exclusive}, nil, []int64{0, 1, 2}},
		"Failover":      {subscription.Options{Mode: wire.Failover}, nil, []int64{0, 1, 2}},
		"BehindAnEntry": {subscription.Options{Mode: wire.Failover}, []int64{0}, []int64{1, 2}},
		"Reader":        {subscription.Options{Mode: wire.Exclusive, Reader: true, After: entry.ID{Ledger: -1, Entry: -1}}, []int64{0}, []int64{1, 2}},
	} {
		t.Run(name, func(t *testing.T) {
			k := newHolder(t, 2, -1, func(consumer, flow int) []int64 {
				switch {
				case consumer == 1 && flow == 1:
					return c.first
				case consumer == 2 && flow == 1:
					return c.again
				}
				return nil
			})
			var r reports
			c.o.StallAfter, c.o.Report = soon, r.add
			s := openFake(t, k.broker, c.o)
			for range c.first {
				d := receive(t, s)
				ack(t, s, true, subscription.Ack{ID: d.ID})
			}
			var got []int64
			for range c.again {
				d := receive(t, s)
				if d.Incarnation != 2 {
					t.Errorf("entry %s in incarnation %d", d.ID, d.Incarnation)
				}
				got = append(got, d.ID.Entry)
			}
			if diff := cmp.Diff(c.again, got); diff != "" {
				t.Error(diff)
			}
			var stalled *subscription.StalledError
			if st := s.Stats(); st.Stalls != 1 || st.Connects != 2 || !r.has(&stalled) {
				t.Errorf("%+v, reported: %v", st, stalled)
			} else if stalled.Last != (entry.ID{Ledger: 7, Entry: 2}) || stalled.Seen.Entry != int64(len(c.first))-1 {
				t.Errorf("%v", stalled)
			}
			var order []pulsarpb.Type
			for _, what := range k.came() {
				if what == pulsarpb.Type_REDELIVER_UNACKNOWLEDGED_MESSAGES || what == pulsarpb.Type_FLOW {
					order = append(order, what)
				}
			}
			if len(order) < 2 || order[0] != pulsarpb.Type_REDELIVER_UNACKNOWLEDGED_MESSAGES {
				t.Errorf("the new consumer asked by %v", order)
			}
			if closed := k.broker.Commands(pulsarpb.Type_CLOSE_CONSUMER); len(closed) != 1 || closed[0].CloseConsumer.GetConsumerId() != k.broker.Commands(pulsarpb.Type_SUBSCRIBE)[0].Subscribe.GetConsumerId() {
				t.Errorf("closed %v", closed)
			}
		})
	}
}

// A topic with nothing new is asked about and otherwise left alone.
func TestQuietIsNotStalled(t *testing.T) {
	for name, c := range map[string]struct {
		last, mark int64
		deliver    []int64
	}{
		"Empty":        {-1, -1, nil},
		"Acknowledged": {9, 9, nil},
		"Delivered":    {2, -1, []int64{0, 1, 2}},
	} {
		t.Run(name, func(t *testing.T) {
			k := newHolder(t, c.last, c.mark, func(_, flow int) []int64 {
				if flow == 1 {
					return c.deliver
				}
				return nil
			})
			s := openFake(t, k.broker, subscription.Options{Mode: wire.Exclusive, StallAfter: soon})
			for range c.deliver {
				receive(t, s)
			}
			k.looks(1)
			flows := k.count(pulsarpb.Type_FLOW)
			k.looks(6)
			if n := k.count(pulsarpb.Type_SUBSCRIBE); n != 1 || s.Stats().Stalls != 0 {
				t.Errorf("subscribed %d times, %+v", n, s.Stats())
			}
			if n := k.count(pulsarpb.Type_FLOW); n != flows {
				t.Errorf("asked for more %d times", n-flows)
			}
		})
	}
}

// Who shares a subscription cannot know that something is missing, and asks nothing.
func TestSharedIsNotWatched(t *testing.T) {
	nothing := func(int, int) []int64 { return nil }
	shared, exclusive := newHolder(t, 2, -1, nothing), newHolder(t, 2, -1, nothing)
	openFake(t, shared.broker, subscription.Options{Mode: wire.Shared, StallAfter: soon})
	openFake(t, exclusive.broker, subscription.Options{Mode: wire.Exclusive, StallAfter: soon})
	exclusive.looks(8)
	if n := shared.count(pulsarpb.Type_GET_LAST_MESSAGE_ID); n != 0 {
		t.Errorf("asked %d times", n)
	}
}

// Subscribing anew in vain is not repeated for the same newest entry, which may be one
// that is never delivered; another one is another reason.
func TestStalledInVain(t *testing.T) {
	k := newHolder(t, 2, -1, func(consumer, flow int) []int64 {
		if consumer == 3 && flow == 1 {
			return []int64{3}
		}
		return nil
	})
	s := openFake(t, k.broker, subscription.Options{Mode: wire.Exclusive, StallAfter: soon})
	k.subscribed(2)
	k.looks(8)
	if n := k.count(pulsarpb.Type_SUBSCRIBE); n != 2 || s.Stats().Stalls != 1 {
		t.Errorf("subscribed %d times, %+v", n, s.Stats())
	}
	k.write(3)
	k.subscribed(3)
	if d := receive(t, s); d.ID.Entry != 3 {
		t.Errorf("%s came", d.ID)
	}
	k.looks(8)
	if n := k.count(pulsarpb.Type_SUBSCRIBE); n != 3 || s.Stats().Stalls != 2 {
		t.Errorf("subscribed %d times, %+v", n, s.Stats())
	}
}

// A broker that only missed that something was asked for delivers when more is.
func TestStalledWakesByItself(t *testing.T) {
	k := newHolder(t, 2, -1, func(_, flow int) []int64 {
		if flow == 2 {
			return []int64{0, 1, 2}
		}
		return nil
	})
	s := openFake(t, k.broker, subscription.Options{Mode: wire.Exclusive, StallAfter: soon})
	for range 3 {
		receive(t, s)
	}
	k.looks(4)
	if n := k.count(pulsarpb.Type_SUBSCRIBE); n != 1 || s.Stats().Stalls != 0 {
		t.Errorf("subscribed %d times, %+v", n, s.Stats())
	}
}

// A Failover asks for nothing before it is active: a broker that hands over to a consumer
// with permits may wait for new entries in front of old ones.
func TestFailoverAsksWhenActive(t *testing.T) {
	b := fakebroker.New(t)
	var mu sync.Mutex
	var at *fakebroker.Conn
	b.On = func(c *fakebroker.Conn, cmd *pulsarpb.BaseCommand, _ []byte) bool {
		mu.Lock()
		defer mu.Unlock()
		switch cmd.GetType() {
		case pulsarpb.Type_SUBSCRIBE:
			at = c
			c.Accept(cmd)
			c.ActiveConsumer(cmd.Subscribe.GetConsumerId(), false)
			return true
		case pulsarpb.Type_GET_LAST_MESSAGE_ID:
			answerLast(c, cmd, entry.ID{Ledger: 7, Entry: 0}, entry.ID{Ledger: 7, Entry: -1})
			return true
		case pulsarpb.Type_FLOW:
			c.Deliver(cmd.Flow.GetConsumerId(), 7, 0, section(t, 0))
		default:
		}
		return false
	}
	s := openFake(t, b, subscription.Options{Mode: wire.Failover})
	ended, end := context.WithCancel(t.Context())
	end()
	_, _ = s.Receive(ended) // asks if it ever does
	if _, err := s.LastID(t.Context()); err != nil {
		t.Fatal(err)
	}
	if n := len(b.Commands(pulsarpb.Type_FLOW)); n != 0 {
		t.Errorf("asked %d times while another one is active", n)
	}
	mu.Lock()
	at.ActiveConsumer(b.Commands(pulsarpb.Type_SUBSCRIBE)[0].Subscribe.GetConsumerId(), true)
	mu.Unlock()
	if d := receive(t, s); d.ID.Entry != 0 || d.Incarnation != 2 {
		t.Errorf("%s came in incarnation %d", d.ID, d.Incarnation)
	}
}
