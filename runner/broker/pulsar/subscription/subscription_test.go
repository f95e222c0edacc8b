package subscription_test

import (
	"context"
	"errors"
	"fmt"
	"strconv"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/functionmesh/terraform-provider-functionmesh/internal/wire"
	"github.com/functionmesh/terraform-provider-functionmesh/runner/broker/pulsar/conn"
	"github.com/functionmesh/terraform-provider-functionmesh/runner/broker/pulsar/conn/pulsarpb"
	"github.com/functionmesh/terraform-provider-functionmesh/runner/broker/pulsar/entry"
	"github.com/functionmesh/terraform-provider-functionmesh/runner/broker/pulsar/fakebroker"
	"github.com/functionmesh/terraform-provider-functionmesh/runner/broker/pulsar/pulsartest"
	"github.com/functionmesh/terraform-provider-functionmesh/runner/broker/pulsar/subscription"
)

const fakeTopic = "persistent://public/default/t"

func openFake(t *testing.T, b *fakebroker.Broker, o subscription.Options) *subscription.Subscription {
	t.Helper()
	return openOver(t, b, conn.Options{}, o)
}

func openOver(t *testing.T, b *fakebroker.Broker, over conn.Options, o subscription.Options) *subscription.Subscription {
	t.Helper()
	client, err := conn.New(b.Settings(), over)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = client.Close() })
	o.Client, o.Topic, o.Name = client, fakeTopic, "s"
	if o.Mode == "" {
		o.Mode = wire.Shared
	}
	s, err := subscription.Open(t.Context(), o)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = s.Close(context.WithoutCancel(t.Context())) })
	return s
}

// section is an entry with one number.
func section(t *testing.T, n int) []byte {
	t.Helper()
	var enc entry.Encoder
	enc.Begin(entry.Header{Producer: "p", PublishTime: 1})
	enc.Append(&entry.Message{Value: strconv.AppendInt(nil, int64(n), 10)})
	out, err := enc.Finish()
	if err != nil {
		t.Fatal(err)
	}
	head := 8 + int(out.Frame[7])
	return out.Frame[head:]
}

// heard is what came to a fake broker over the last connection, by type.
type heard struct {
	mu    sync.Mutex
	order []pulsarpb.Type
}

func (h *heard) came() []pulsarpb.Type {
	h.mu.Lock()
	defer h.mu.Unlock()
	return append([]pulsarpb.Type(nil), h.order...)
}

// keeper is a fake broker's subscription: it delivers what is not acknowledged to
// whoever asks, and can forget acknowledgements.
type keeper struct {
	t *testing.T
	heard
	left  []int64
	acked map[int64]int
}

func (k *keeper) on(c *fakebroker.Conn, cmd *pulsarpb.BaseCommand, _ []byte) bool {
	k.mu.Lock()
	defer k.mu.Unlock()
	switch cmd.GetType() {
	case pulsarpb.Type_SUBSCRIBE:
		k.order = nil
	case pulsarpb.Type_ACK:
		for _, id := range cmd.Ack.MessageIds {
			k.acked[int64(id.GetEntryId())]++
		}
	case pulsarpb.Type_FLOW:
		for _, n := range k.left {
			c.Deliver(cmd.Flow.GetConsumerId(), 7, n, section(k.t, int(n)))
		}
		k.left = nil
	default:
	}
	k.order = append(k.order, cmd.GetType())
	return false
}

func (k *keeper) seen(n int64) int {
	k.mu.Lock()
	defer k.mu.Unlock()
	return k.acked[n]
}

func (k *keeper) give(entries ...int64) {
	k.mu.Lock()
	defer k.mu.Unlock()
	k.left = entries
}

// A broker that dies forgets its last acknowledgements. They go out again before
// anything is asked for, and what comes nevertheless is not handed out again.
func TestForgottenAcknowledgements(t *testing.T) {
	b := fakebroker.New(t)
	k := &keeper{t: t, acked: map[int64]int{}}
	b.On = k.on
	k.give(0, 1, 2)
	s := openFake(t, b, subscription.Options{})
	var ids []entry.ID
	for range 3 {
		d := receive(t, s)
		ids = append(ids, d.ID)
		d.Release()
	}
	ack(t, s, false, subscription.Ack{ID: ids[0]})
	ack(t, s, true, subscription.Ack{ID: ids[1]})
	k.give(0, 1, 2, 3) // as if none had been made durable
	b.Drop()
	for _, want := range []int64{2, 3} {
		if d := receive(t, s); d.ID.Entry != want || d.Incarnation != 2 {
			t.Errorf("entry %s of connection %d, want %d", d.ID, d.Incarnation, want)
		}
	}
	order := k.came()
	if len(order) < 3 || order[1] != pulsarpb.Type_ACK || order[2] != pulsarpb.Type_FLOW {
		t.Errorf("after the connection was lost came %v", order)
	}
	if st := s.Stats(); st.Repeats != 2 || st.Connects != 2 {
		t.Errorf("%+v", st)
	}
	pulsartest.Eventually(t, "repeats are acknowledged again", func() bool { return k.seen(0) == 3 && k.seen(1) == 3 })
	if k.seen(2) != 0 {
		t.Error("acknowledged what was not")
	}
}

// What is acknowledged between two connections goes out on the next one.
func TestAcknowledgedWithoutConnection(t *testing.T) {
	b := fakebroker.New(t)
	k := &keeper{t: t, acked: map[int64]int{}}
	lost, back := make(chan struct{}), make(chan struct{})
	var once sync.Once
	b.On = func(c *fakebroker.Conn, cmd *pulsarpb.BaseCommand, rest []byte) bool {
		if cmd.GetType() == pulsarpb.Type_SUBSCRIBE && len(b.Commands(pulsarpb.Type_SUBSCRIBE)) > 1 {
			<-back
		}
		return k.on(c, cmd, rest)
	}
	k.give(0)
	s := openFake(t, b, subscription.Options{Report: func(error) { once.Do(func() { close(lost) }) }})
	d := receive(t, s)
	b.Drop()
	<-lost
	ack(t, s, false, subscription.Ack{ID: d.ID})
	close(back)
	pulsartest.Eventually(t, "acknowledged", func() bool { return k.seen(0) > 0 })
}

// A confirmation that a closed consumer never gets is asked for on the next connection.
func TestConfirmationOverUnload(t *testing.T) {
	b := fakebroker.New(t)
	k := &keeper{t: t, acked: map[int64]int{}}
	first := true
	b.On = func(c *fakebroker.Conn, cmd *pulsarpb.BaseCommand, rest []byte) bool {
		if cmd.GetAck() != nil && first {
			first = false
			c.CloseConsumer(cmd.Ack.GetConsumerId())
			return true
		}
		return k.on(c, cmd, rest)
	}
	k.give(0)
	s := openFake(t, b, subscription.Options{})
	d := receive(t, s)
	ack(t, s, true, subscription.Ack{ID: d.ID})
	if k.seen(0) != 1 || s.Incarnation() != 2 {
		t.Errorf("acknowledged %d times over %d connections", k.seen(0), s.Incarnation())
	}
}

// A broker that freezes before it has answered ends a claim with its connection; a
// confirmation is asked for on the next one.
func TestFrozenBeforeTheAnswer(t *testing.T) {
	cases := map[string]func(s *subscription.Subscription, a subscription.Ack) error{
		"Claim": func(s *subscription.Subscription, a subscription.Ack) error {
			err := s.Claim(t.Context(), 1, []subscription.Ack{a})
			if !errors.Is(err, conn.ErrFrozen) {
				return fmt.Errorf("claimed: %w", err)
			}
			return nil
		},
		"Confirmation": func(s *subscription.Subscription, a subscription.Ack) error {
			return s.Ack(t.Context(), []subscription.Ack{a}, true)
		},
	}
	for name, settle := range cases {
		t.Run(name, func(t *testing.T) {
			b := fakebroker.New(t)
			k := &keeper{t: t, acked: map[int64]int{}}
			b.On = func(c *fakebroker.Conn, cmd *pulsarpb.BaseCommand, rest []byte) bool {
				frozen := len(b.Commands(pulsarpb.Type_SUBSCRIBE)) == 1
				if frozen && (cmd.GetAck() != nil || cmd.GetPing() != nil) {
					return true
				}
				return k.on(c, cmd, rest)
			}
			k.give(0)
			s := openOver(t, b, conn.Options{KeepAlive: 100 * time.Millisecond}, subscription.Options{})
			d := receive(t, s)
			if err := settle(s, subscription.Ack{ID: d.ID}); err != nil {
				t.Error(err)
			}
		})
	}
}

// Entries with a defect are handed out, with it, and are not acknowledged by themselves.
func TestMalformedEntries(t *testing.T) {
	b := fakebroker.New(t)
	b.On = func(c *fakebroker.Conn, cmd *pulsarpb.BaseCommand, _ []byte) bool {
		if f := cmd.GetFlow(); f != nil && len(b.Commands(pulsarpb.Type_FLOW)) == 1 {
			flipped := section(t, 1)
			flipped[len(flipped)-1] ^= 1
			c.Deliver(f.GetConsumerId(), 1, 0, flipped)
			c.Deliver(f.GetConsumerId(), 1, 1, nil)
			c.Deliver(f.GetConsumerId(), 1, 2, section(t, 2))
		}
		return false
	}
	s := openFake(t, b, subscription.Options{})
	for i, want := range []error{entry.Checksum, entry.Truncated, nil} {
		d, err := s.Receive(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		if !errors.Is(d.Err, want) || d.ID.Entry != int64(i) {
			t.Errorf("%s: %v, want %v", d.ID, d.Err, want)
		}
		d.Release()
	}
	if st := s.Stats(); st.Malformed != 2 || st.Entries != 3 {
		t.Errorf("%+v", st)
	}
	if n := len(b.Commands(pulsarpb.Type_ACK)); n != 0 {
		t.Errorf("%d acknowledgements", n)
	}
}

// The commands say what the options say.
func TestSubscribeCommand(t *testing.T) {
	for name, c := range map[string]struct {
		o     subscription.Options
		check func(s *pulsarpb.Subscribe) bool
	}{
		"Latest": {subscription.Options{}, func(s *pulsarpb.Subscribe) bool {
			return s.GetInitialPosition() == pulsarpb.Subscribe_LATEST && !s.GetForceTopicCreation() && s.ForceTopicCreation != nil
		}},
		"Earliest": {subscription.Options{Earliest: true, Create: true}, func(s *pulsarpb.Subscribe) bool {
			return s.GetInitialPosition() == pulsarpb.Subscribe_EARLIEST && s.GetForceTopicCreation()
		}},
		"Compacted": {subscription.Options{Compacted: true, Mode: wire.Exclusive}, func(s *pulsarpb.Subscribe) bool {
			return s.GetReadCompacted() && s.Mode != nil && s.GetMode() == pulsarpb.Subscribe_EXCLUSIVE
		}},
		"Keys": {subscription.Options{Mode: wire.KeyShared}, func(s *pulsarpb.Subscribe) bool {
			return s.GetMode() == pulsarpb.Subscribe_KEY_SHARED && s.KeyShared != nil && !s.KeyShared.AllowOutOfOrderDelivery
		}},
		"Named": {subscription.Options{ConsumerName: "c", Properties: map[string]string{"b": "2", "a": "1"}}, func(s *pulsarpb.Subscribe) bool {
			return s.ConsumerName == "c" && len(s.Metadata) == 2 && s.Metadata[0].GetKey() == "a" && s.Metadata[1].GetValue() == "2"
		}},
	} {
		t.Run(name, func(t *testing.T) {
			b := fakebroker.New(t)
			openFake(t, b, c.o)
			if got := b.Commands(pulsarpb.Type_SUBSCRIBE)[0].Subscribe; !c.check(got) {
				t.Errorf("%v", got)
			}
		})
	}
}

// An ACK without an answer is written by hand; it says what the generated one would.
func TestAckCommand(t *testing.T) {
	b := fakebroker.New(t)
	s := openFake(t, b, subscription.Options{})
	set := subscription.Keep(130)
	subscription.Done(set, 0)
	subscription.Done(set, 129)
	want := []subscription.Ack{{ID: entry.ID{Ledger: 1 << 40, Entry: 0}}, {ID: entry.ID{Ledger: 3, Entry: 300}, Set: set, Size: 130}}
	for i := range 5000 {
		want = append(want, subscription.Ack{ID: entry.ID{Ledger: 9, Entry: int64(i * 7)}})
	}
	ack(t, s, false, want...)
	ack(t, s, true, want...)
	var got [2][]subscription.Ack
	for _, c := range b.Commands(pulsarpb.Type_ACK) {
		if c.Ack.ConsumerId == nil || c.Ack.Kind == nil || c.Ack.GetKind() != pulsarpb.Ack_INDIVIDUAL {
			t.Fatalf("%v", c)
		}
		which := 0
		if c.Ack.RequestId != 0 {
			which = 1
		}
		for _, id := range c.Ack.MessageIds {
			got[which] = append(got[which], subscription.Ack{ID: entry.ID{Ledger: int64(id.GetLedgerId()), Entry: int64(id.GetEntryId())}, Set: id.AckSet, Size: int(id.GetBatchSize())})
		}
	}
	for i, name := range []string{"by hand", "generated"} {
		if diff := cmp.Diff(want, got[i]); diff != "" {
			t.Error(name, diff)
		}
	}
}

func TestBadOptions(t *testing.T) {
	client, err := conn.New(wire.Broker{Kind: "pulsar", URL: "pulsar://127.0.0.1:1"}, conn.Options{})
	if err != nil {
		t.Fatal(err)
	}
	defer client.Close()
	for i, o := range []subscription.Options{{}, {Client: client, Topic: fakeTopic, Name: "s"}, {Client: client, Topic: fakeTopic, Mode: wire.Shared}} {
		t.Run(fmt.Sprint(i), func(t *testing.T) {
			if _, err := subscription.Open(t.Context(), o); err == nil {
				t.Error("accepted")
			}
		})
	}
}

// A topic that was made again while the consumer was away has its subscription in front of
// a new ledger. What the old one still held is lost, and reported, unless everything that
// was handed out is acknowledged: then a broker has only gone on in its next ledger.
func TestMadeAgainInFrontOfAnotherLedger(t *testing.T) {
	for name, acknowledged := range map[string]bool{"Lost": false, "NextLedger": true} {
		t.Run(name, func(t *testing.T) {
			b := fakebroker.New(t)
			k := &keeper{t: t, acked: map[int64]int{}}
			b.On = func(c *fakebroker.Conn, cmd *pulsarpb.BaseCommand, rest []byte) bool {
				if cmd.GetType() != pulsarpb.Type_GET_LAST_MESSAGE_ID {
					return k.on(c, cmd, rest)
				}
				at := entry.ID{Ledger: 8, Entry: -1}
				answerLast(c, cmd, at, at)
				return true
			}
			k.give(0)
			var r reports
			s := openFake(t, b, subscription.Options{Mode: wire.Exclusive, Report: r.add})
			d := receive(t, s)
			if acknowledged {
				ack(t, s, true, subscription.Ack{ID: d.ID})
			}
			b.Drop()
			pulsartest.Eventually(t, "looked where the subscription is", func() bool {
				return s.Incarnation() == 2 && len(b.Commands(pulsarpb.Type_GET_LAST_MESSAGE_ID)) > 0
			})
			if _, err := s.LastID(t.Context()); err != nil { // answered behind it
				t.Fatal(err)
			}
			if err := s.Close(t.Context()); err != nil {
				t.Fatal(err)
			}
			var passed *subscription.PassedError
			if got := r.has(&passed); got == acknowledged {
				t.Errorf("reported: %t (%v)", got, passed)
			}
		})
	}
}
