package publisher_test

import (
	"bytes"
	"context"
	"errors"
	"runtime"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/functionmesh/terraform-provider-functionmesh/runner/broker/pulsar/conn"
	"github.com/functionmesh/terraform-provider-functionmesh/runner/broker/pulsar/conn/pulsarpb"
	"github.com/functionmesh/terraform-provider-functionmesh/runner/broker/pulsar/entry"
	"github.com/functionmesh/terraform-provider-functionmesh/runner/broker/pulsar/fakebroker"
	"github.com/functionmesh/terraform-provider-functionmesh/runner/broker/pulsar/publisher"
	"github.com/functionmesh/terraform-provider-functionmesh/runner/broker/pulsar/pulsartest"
)

// store is what a fake broker keeps, dropping repeats like one that deduplicates.
type store struct {
	mu   sync.Mutex
	kept []uint64
}

// put returns the entry's number; -1: a repeat.
func (s *store) put(sequence uint64) int64 {
	s.mu.Lock()
	defer s.mu.Unlock()
	if n := len(s.kept); n > 0 && sequence <= s.kept[n-1] {
		return -1
	}
	s.kept = append(s.kept, sequence)
	return int64(len(s.kept))
}

func (s *store) all() []uint64 {
	s.mu.Lock()
	defer s.mu.Unlock()
	return slices.Clone(s.kept)
}

func upTo(n int) []uint64 {
	out := make([]uint64, n)
	for i := range out {
		out[i] = uint64(i)
	}
	return out
}

func dial(t *testing.T, b *fakebroker.Broker) *conn.Client {
	t.Helper()
	client, err := conn.New(b.Settings(), conn.Options{})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = client.Close() })
	return client
}

func open(t *testing.T, b *fakebroker.Broker, o publisher.Options) *publisher.Publisher {
	t.Helper()
	o.Client, o.Topic = dial(t, b), "persistent://public/default/t"
	p, err := publisher.Open(t.Context(), o)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		ctx, cancel := context.WithCancel(context.WithoutCancel(t.Context()))
		cancel()
		_ = p.Close(ctx)
	})
	return p
}

// producerOf tells producers of a fake broker apart.
type producerOf struct {
	conn *fakebroker.Conn
	id   uint64
}

// What has no receipt when a connection ends, or when the broker closes the producer and
// swallows what it is sent, is sent again in its order; what was stored is told apart.
func TestSentAgain(t *testing.T) {
	for name, fault := range map[string]func(c *fakebroker.Conn, s *pulsarpb.Send){
		"ConnectionEnds": func(c *fakebroker.Conn, _ *pulsarpb.Send) { c.Close() },
		"ProducerClosed": func(c *fakebroker.Conn, s *pulsarpb.Send) { c.CloseProducer(s.GetProducerId()) },
		"NotPersisted":   func(c *fakebroker.Conn, s *pulsarpb.Send) { c.SendError(s, pulsarpb.Code_PERSISTENCE_ERROR) },
		"Damaged":        func(c *fakebroker.Conn, s *pulsarpb.Send) { c.SendError(s, pulsarpb.Code_CHECKSUM_ERROR) },
	} {
		t.Run(name, func(t *testing.T) {
			b := fakebroker.New(t)
			var st store
			gone, faults := map[producerOf]bool{}, map[uint64]bool{20: true, 60: true, 61: true}
			var mu sync.Mutex
			b.On = func(c *fakebroker.Conn, cmd *pulsarpb.BaseCommand, _ []byte) bool {
				s := cmd.GetSend()
				if s == nil {
					return false
				}
				mu.Lock()
				defer mu.Unlock()
				from, n := producerOf{c, s.GetProducerId()}, s.GetSequenceId()
				switch {
				case gone[from]: // swallowed
				case faults[n]:
					delete(faults, n)
					gone[from] = true
					if n == 60 {
						st.put(n) // its receipt is lost
					}
					fault(c, s)
				default:
					at := st.put(n)
					c.Receipt(s, min(at, 1), at)
				}
				return true
			}
			p := open(t, b, publisher.Options{})
			var enc entry.Encoder
			var repeats int
			var all []*publisher.Receipt
			for i := range 100 {
				all = append(all, send(t, p, &enc, i, 1))
			}
			for _, r := range all {
				if _, repeat := stored(t, r); repeat {
					repeats++
				}
			}
			if diff := cmp.Diff(upTo(100), st.all()); diff != "" || repeats < 1 {
				t.Errorf("%d repeats, want some; %s", repeats, diff)
			}
			if p.Name() != "made-up" {
				t.Errorf("name %q", p.Name())
			}
		})
	}
}

// A broker knows what an earlier producer of the name sent and it has not stored: it
// refuses to tell whether that is a repeat, and would store what is sent behind it.
func TestNothingOvertakesWhatMayBeUnderWay(t *testing.T) {
	const underWay, total = 5, 20
	for name, refusals := range map[string]int{"Once": 1, "AsLongAsItTakes": 4} {
		t.Run(name, func(t *testing.T) {
			b := fakebroker.New(t)
			var st store
			var mu sync.Mutex
			b.On = func(c *fakebroker.Conn, cmd *pulsarpb.BaseCommand, _ []byte) bool {
				s := cmd.GetSend()
				if s == nil {
					return false
				}
				mu.Lock()
				defer mu.Unlock()
				if s.GetSequenceId() < underWay && refusals > 0 {
					refusals--
					c.SendError(s, pulsarpb.Code_PERSISTENCE_ERROR)
					return true
				}
				at := st.put(s.GetSequenceId())
				c.Receipt(s, min(at, 1), at)
				return true
			}
			p := open(t, b, publisher.Options{Name: "mine"})
			var enc entry.Encoder
			var all []*publisher.Receipt
			for i := range total {
				all = append(all, send(t, p, &enc, i, 1))
			}
			for i, r := range all {
				if _, repeat := stored(t, r); repeat {
					t.Errorf("%d passed for a repeat", i)
				}
			}
			if diff := cmp.Diff(upTo(total), st.all()); diff != "" {
				t.Error(diff)
			}
		})
	}
}

// Each connection raises the epoch, and keeps the name that the broker made up.
func TestComesBackByItsName(t *testing.T) {
	b := fakebroker.New(t)
	p := open(t, b, publisher.Options{})
	b.Drop()
	var enc entry.Encoder
	stored(t, send(t, p, &enc, 0, 1))
	var got []*pulsarpb.Producer
	for _, c := range b.Commands(pulsarpb.Type_PRODUCER) {
		got = append(got, c.Producer)
	}
	if len(got) != 2 || got[0].ProducerName != "" || got[1].ProducerName != "made-up" || got[1].GetUserProvidedName() || got[1].Epoch != got[0].Epoch+1 {
		t.Errorf("%v", got)
	}
}

// With FailUnconfirmed the owner is told what is not known, and goes on.
func TestFailUnconfirmed(t *testing.T) {
	b := fakebroker.New(t)
	b.On = func(c *fakebroker.Conn, cmd *pulsarpb.BaseCommand, _ []byte) bool {
		if cmd.GetSend() != nil && cmd.Send.GetSequenceId() == 3 {
			c.Close()
			return true
		}
		return false
	}
	p := open(t, b, publisher.Options{FailUnconfirmed: true})
	var enc entry.Encoder
	r := send(t, p, &enc, 3, 1)
	if _, _, err := r.Wait(t.Context()); !errors.Is(err, publisher.ErrUnknown) {
		t.Errorf("%v", err)
	}
	stored(t, send(t, p, &enc, 4, 1))
}

// With FailUnconfirmed only what a connection took is unknown: what waited for room on it
// goes over the next one.
func TestFailUnconfirmedKeepsWhatWasNotTaken(t *testing.T) {
	const total = 64
	b := fakebroker.New(t)
	var first sync.Once
	lost := make(chan struct{})
	b.On = func(c *fakebroker.Conn, cmd *pulsarpb.BaseCommand, _ []byte) bool {
		held := false
		if cmd.GetSend() != nil {
			first.Do(func() { <-lost; c.Close(); held = true })
		}
		return held
	}
	p := open(t, b, publisher.Options{FailUnconfirmed: true, MaxPendingBytes: 2 * total << 20})
	value, all := make([]byte, 1<<20), make(chan *publisher.Receipt, total)
	go func() {
		defer close(all)
		var enc entry.Encoder
		for i := range total {
			enc.Begin(entry.Header{Producer: "x", Sequence: uint64(i)})
			enc.Append(&entry.Message{Value: value})
			e, err := enc.Finish()
			if err != nil {
				t.Error(err)
				return
			}
			r, err := p.Send(t.Context(), e)
			if err != nil {
				t.Error(err)
				return
			}
			all <- r
		}
	}()
	before := 0
	pulsartest.Eventually(t, "a send finds no room", func() bool {
		at := before
		before = len(all)
		time.Sleep(100 * time.Millisecond) // what the system takes comes to an end as well
		stacks := make([]byte, 1<<20)
		return bytes.Contains(stacks[:runtime.Stack(stacks, true)], []byte("conn.(*writer).put(")) && before == at && before == len(all)
	})
	taken := len(all)
	close(lost)
	at := 0
	for r := range all {
		switch _, _, err := r.Wait(t.Context()); {
		case at < taken && !errors.Is(err, publisher.ErrUnknown):
			t.Errorf("send %d was taken and never answered: %v", at, err)
		case at >= taken && err != nil:
			t.Errorf("send %d was not taken: %v", at, err)
		}
		at++
	}
	if taken == 0 || taken == total {
		t.Errorf("%d of %d sends were taken", taken, total)
	}
}

// Refusals of one entry fail it alone; those of the producer end it.
func TestRefusedSends(t *testing.T) {
	for name, c := range map[string]struct {
		code pulsarpb.Code
		ends bool
		want error
	}{
		"NotAllowed": {pulsarpb.Code_NOT_ALLOWED, false, nil},
		"Checksum":   {pulsarpb.Code_CHECKSUM_ERROR, false, nil},
		"Terminated": {pulsarpb.Code_TOPIC_TERMINATED, true, nil},
		"Fenced":     {pulsarpb.Code_PRODUCER_FENCED, true, publisher.ErrFenced},
	} {
		t.Run(name, func(t *testing.T) {
			b := fakebroker.New(t)
			b.On = func(conn *fakebroker.Conn, cmd *pulsarpb.BaseCommand, _ []byte) bool {
				if cmd.GetSend() != nil && cmd.Send.GetSequenceId() == 1 {
					conn.SendError(cmd.Send, c.code)
					return true
				}
				return false
			}
			p := open(t, b, publisher.Options{})
			var enc entry.Encoder
			stored(t, send(t, p, &enc, 0, 1))
			_, _, err := send(t, p, &enc, 1, 1).Wait(t.Context())
			var server *conn.ServerError
			if !errors.As(err, &server) || server.Code != c.code || c.want != nil && !errors.Is(err, c.want) {
				t.Errorf("%v", err)
			}
			if !c.ends {
				stored(t, send(t, p, &enc, 2, 1))
				return
			}
			if !errors.As(p.Err(), &server) {
				t.Errorf("ended with %v", p.Err())
			}
			if _, err := p.Send(t.Context(), form(t, &enc, entry.Header{Producer: "x"}, 2, 1)); !errors.As(err, &server) {
				t.Errorf("send after the end: %v", err)
			}
		})
	}
}

// A repeat may be answered before what was sent ahead of it is stored.
func TestReceiptsOutOfOrder(t *testing.T) {
	b := fakebroker.New(t)
	var held []*pulsarpb.Send
	b.On = func(c *fakebroker.Conn, cmd *pulsarpb.BaseCommand, _ []byte) bool {
		if cmd.GetSend() == nil {
			return false
		}
		if held = append(held, cmd.Send); len(held) == 3 {
			c.Receipt(held[2], -1, -1)
			c.Receipt(held[0], 1, 0)
			c.Receipt(held[1], 1, 1)
		}
		return true
	}
	p := open(t, b, publisher.Options{})
	var enc entry.Encoder
	first, second, third := send(t, p, &enc, 7, 1), send(t, p, &enc, 8, 1), send(t, p, &enc, 5, 1)
	if _, repeat := stored(t, third); !repeat {
		t.Error("no repeat")
	}
	for i, r := range []*publisher.Receipt{first, second} {
		if id, repeat := stored(t, r); repeat || id.Entry != int64(i) {
			t.Errorf("%s, %t", id, repeat)
		}
	}
}

// Sends wait for room, and go on with receipts.
func TestSendsAreBounded(t *testing.T) {
	for name, o := range map[string]publisher.Options{"Entries": {MaxPending: 2}, "Bytes": {MaxPendingBytes: 150}} {
		t.Run(name, func(t *testing.T) {
			b := fakebroker.New(t)
			hold := make(chan struct{})
			b.On = func(_ *fakebroker.Conn, cmd *pulsarpb.BaseCommand, _ []byte) bool {
				if cmd.GetSend() != nil {
					<-hold
				}
				return false
			}
			p := open(t, b, o)
			var enc entry.Encoder
			send(t, p, &enc, 0, 1)
			send(t, p, &enc, 1, 1)
			ctx, cancel := context.WithTimeout(t.Context(), 20*time.Millisecond)
			defer cancel()
			if _, err := p.Send(ctx, form(t, &enc, entry.Header{Producer: "x"}, 2, 1)); !errors.Is(err, context.DeadlineExceeded) {
				t.Errorf("%v", err)
			}
			close(hold)
			stored(t, send(t, p, &enc, 3, 1))
		})
	}
}

// A producer of the same name is waited for; one that fences is not.
func TestRefusedProducers(t *testing.T) {
	for name, c := range map[string]struct {
		code  pulsarpb.Code
		times int
		want  error
	}{
		"BusyTwice": {pulsarpb.Code_PRODUCER_BUSY, 2, nil},
		"NotReady":  {pulsarpb.Code_SERVICE_NOT_READY, 2, nil},
		"Busy":      {pulsarpb.Code_PRODUCER_BUSY, 1000, publisher.ErrFenced},
		"Fenced":    {pulsarpb.Code_PRODUCER_FENCED, 1, publisher.ErrFenced},
	} {
		t.Run(name, func(t *testing.T) {
			b := fakebroker.New(t)
			left := c.times
			b.On = func(conn *fakebroker.Conn, cmd *pulsarpb.BaseCommand, _ []byte) bool {
				if cmd.GetProducer() == nil || left == 0 {
					return false
				}
				left--
				conn.Refuse(cmd.Producer.RequestId, c.code)
				return true
			}
			p, err := publisher.Open(t.Context(), publisher.Options{Client: dial(t, b), Topic: "persistent://a/b/c", Name: "n", NamePatience: 500 * time.Millisecond})
			if !errors.Is(err, c.want) {
				t.Errorf("%v", err)
			}
			if p != nil {
				if err := p.Close(t.Context()); err != nil {
					t.Error(err)
				}
			}
		})
	}
}

// A close that may not wait fails what is open, and tells.
func TestCloseWithoutReceipts(t *testing.T) {
	b := fakebroker.New(t)
	b.On = func(_ *fakebroker.Conn, cmd *pulsarpb.BaseCommand, _ []byte) bool { return cmd.GetSend() != nil }
	p := open(t, b, publisher.Options{})
	var enc entry.Encoder
	r := send(t, p, &enc, 0, 1)
	pulsartest.Eventually(t, "it was sent", func() bool { return len(b.Commands(pulsarpb.Type_SEND)) == 1 })
	ctx, cancel := context.WithTimeout(t.Context(), 10*time.Millisecond)
	defer cancel()
	if err := p.Close(ctx); !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("%v", err)
	}
	if _, _, err := r.Wait(t.Context()); !errors.Is(err, publisher.ErrClosed) {
		t.Errorf("%v", err)
	}
	if n := len(b.Commands(pulsarpb.Type_CLOSE_PRODUCER)); n != 1 {
		t.Errorf("%d CLOSE_PRODUCER", n)
	}
}

// A broker that makes a producer known too late to be waited for is told that nobody
// wants it any more: else the name stays taken by it on a connection that goes on.
func TestProducerThatCameTooLate(t *testing.T) {
	b := fakebroker.New(t)
	var mu sync.Mutex
	var taken uint64
	first := true
	b.On = func(c *fakebroker.Conn, cmd *pulsarpb.BaseCommand, _ []byte) bool {
		mu.Lock()
		defer mu.Unlock()
		switch {
		case cmd.GetCloseProducer() != nil:
			if cmd.GetCloseProducer().GetProducerId() == taken {
				taken = 0
			}
			return false
		case cmd.GetProducer() == nil:
			return false
		case first:
			first, taken = false, cmd.Producer.GetProducerId()
			return true // it has the name, and its answer is late
		case taken != 0:
			c.Refuse(cmd.Producer.RequestId, pulsarpb.Code_PRODUCER_BUSY)
			return true
		}
		return false
	}
	client, err := conn.New(b.Settings(), conn.Options{RequestTimeout: 50 * time.Millisecond})
	if err != nil {
		t.Fatal(err)
	}
	defer client.Close()
	p, err := publisher.Open(t.Context(), publisher.Options{Client: client, Topic: "persistent://public/default/t", Name: "mine", NamePatience: time.Second})
	if err != nil {
		t.Fatal(err)
	}
	if err := p.Close(t.Context()); err != nil {
		t.Error(err)
	}
}
