package publisher_test

import (
	"context"
	"errors"
	"fmt"
	"testing"
	"time"

	pulsario "github.com/apache/pulsar-client-go/pulsar"

	"github.com/functionmesh/terraform-provider-functionmesh/runner/broker/pulsar/conn"
	"github.com/functionmesh/terraform-provider-functionmesh/runner/broker/pulsar/entry"
	"github.com/functionmesh/terraform-provider-functionmesh/runner/broker/pulsar/publisher"
	"github.com/functionmesh/terraform-provider-functionmesh/runner/broker/pulsar/pulsartest"
)

// bench is a Pulsar with a namespace of the test and a client of ours.
type bench struct {
	*pulsartest.Namespace
	client *conn.Client
}

func need(t *testing.T, p pulsartest.Policies) bench {
	t.Helper()
	server := pulsartest.Need(t)
	client, err := conn.New(server.Broker(), conn.Options{})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := client.Close(); err != nil {
			t.Error(err)
		}
	})
	return bench{server.Namespace(t, p), client}
}

func (b bench) open(t *testing.T, o publisher.Options) *publisher.Publisher {
	t.Helper()
	o.Client = b.client
	o.Report = func(err error) { t.Log(err) }
	p, err := publisher.Open(t.Context(), o)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = p.Close(context.WithoutCancel(t.Context())) })
	return p
}

// form makes an entry of the numbers from first on.
func form(t testing.TB, enc *entry.Encoder, h entry.Header, first, n int) entry.Encoded {
	t.Helper()
	h.PublishTime, h.Sequence = time.Now().UnixMilli(), uint64(first)
	enc.Begin(h)
	for i := range n {
		enc.Append(&entry.Message{Value: fmt.Append(nil, first+i)})
	}
	out, err := enc.Finish()
	if err != nil {
		t.Fatal(err)
	}
	return out
}

func send(t *testing.T, p *publisher.Publisher, enc *entry.Encoder, first, n int) *publisher.Receipt {
	t.Helper()
	h := entry.Header{Producer: p.Name(), Codec: entry.LZ4, Batched: n != 1, Numbered: true}
	r, err := p.Send(t.Context(), form(t, enc, h, first, n))
	if err != nil {
		t.Fatal(err)
	}
	return r
}

func stored(t *testing.T, r *publisher.Receipt) (entry.ID, bool) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), pulsartest.Patience)
	defer cancel()
	id, repeat, err := r.Wait(ctx)
	if err != nil {
		t.Fatal(err)
	}
	return id, repeat
}

// values reads n messages with Pulsar's own client.
func (b bench) values(t *testing.T, topic string, n int) []string {
	t.Helper()
	r, err := b.Client(t).CreateReader(pulsario.ReaderOptions{Topic: topic, StartMessageID: pulsario.EarliestMessageID()})
	if err != nil {
		t.Fatal(err)
	}
	defer r.Close()
	ctx, cancel := context.WithTimeout(t.Context(), pulsartest.Patience)
	defer cancel()
	var got []string
	for range n {
		m, err := r.Next(ctx)
		if err != nil {
			t.Fatalf("after %d: %v", len(got), err)
		}
		got = append(got, string(m.Payload()))
	}
	if r.HasNext() {
		t.Error("there is more")
	}
	return got
}

func numbers(from, to int) []string {
	var out []string
	for i := from; i < to; i++ {
		out = append(out, fmt.Sprint(i))
	}
	return out
}

func TestPulsarDeduplication(t *testing.T) {
	b := need(t, pulsartest.Policies{Deduplication: true, Retention: true})
	topic := b.Topic(t, "dedup", 0)
	var enc entry.Encoder
	p := b.open(t, publisher.Options{Topic: topic, Name: "me"})
	if p.Name() != "me" || p.LastSequence() != -1 {
		t.Errorf("%q, last %d", p.Name(), p.LastSequence())
	}
	for _, c := range []struct {
		first, n int
		repeat   bool
	}{{0, 10, false}, {0, 10, true}, {5, 10, true}, {100, 10, false}} {
		id, repeat := stored(t, send(t, p, &enc, c.first, c.n))
		if repeat != c.repeat || repeat != (id.Ledger < 0) {
			t.Errorf("[%d+%d]: repeat %t, stored as %s", c.first, c.n, repeat, id)
		}
	}
	if err := p.Close(t.Context()); err != nil {
		t.Error(err)
	}
	if _, err := p.Send(t.Context(), entry.Encoded{}); !errors.Is(err, publisher.ErrClosed) {
		t.Errorf("send after close: %v", err)
	}
	if again := b.open(t, publisher.Options{Topic: topic, Name: "me"}); again.LastSequence() != 109 {
		t.Errorf("last sequence id %d after reopening, want 109", again.LastSequence())
	}
	want := fmt.Sprint(append(numbers(0, 10), numbers(100, 110)...))
	if got := fmt.Sprint(b.values(t, topic, 20)); got != want {
		t.Errorf("%s\nwant %s", got, want)
	}
}

// Whatever is under way when the broker gives the topic up is sent again, in order; the
// broker drops what it had stored.
func TestPulsarUnloadUnderLoad(t *testing.T) {
	for name, o := range map[string]publisher.Options{"Named": {Name: "me"}, "Anonymous": {}} {
		t.Run(name, func(t *testing.T) {
			b := need(t, pulsartest.Policies{Deduplication: true, Retention: true})
			o.Topic = b.Topic(t, "unload", 0)
			p := b.open(t, o)
			var enc entry.Encoder
			const entries, each, unloads = 3000, 10, 3
			at := p.Name()
			for i := range entries {
				send(t, p, &enc, i*each, each)
				if i%(entries/unloads) == entries/unloads/2 {
					go b.Unload(t, o.Topic)
				}
			}
			if err := p.Flush(t.Context()); err != nil {
				t.Fatal(err)
			}
			if p.Name() != at {
				t.Errorf("name %q became %q", at, p.Name())
			}
			got, want := b.values(t, o.Topic, entries*each), numbers(0, entries*each)
			for i := range want {
				if got[i] != want[i] {
					t.Fatalf("message %d is %s", i, got[i])
				}
			}
		})
	}
}

// A name is taken while its producer answers, and free once it is closed.
func TestPulsarNameTaken(t *testing.T) {
	b := need(t, pulsartest.Policies{})
	topic := b.Topic(t, "name", 0)
	first := b.open(t, publisher.Options{Topic: topic, Name: "me"})
	_, err := publisher.Open(t.Context(), publisher.Options{Client: b.client, Topic: topic, Name: "me", NamePatience: 300 * time.Millisecond})
	if !errors.Is(err, publisher.ErrFenced) {
		t.Errorf("second of the name: %v", err)
	}
	waited := make(chan error)
	go func() {
		second, err := publisher.Open(t.Context(), publisher.Options{Client: b.client, Topic: topic, Name: "me"})
		if err == nil {
			err = second.Close(t.Context())
		}
		waited <- err
	}()
	if err := first.Close(t.Context()); err != nil {
		t.Error(err)
	}
	if err := <-waited; err != nil {
		t.Error(err)
	}
}

func TestPulsarTooBig(t *testing.T) {
	b := need(t, pulsartest.Policies{})
	p := b.open(t, publisher.Options{Topic: b.Topic(t, "big", 0)})
	var enc entry.Encoder
	big := func(n int) entry.Encoded {
		enc.Begin(entry.Header{Producer: p.Name(), PublishTime: 1})
		enc.Append(&entry.Message{Value: make([]byte, n)})
		out, err := enc.Finish()
		if err != nil {
			t.Fatal(err)
		}
		return out
	}
	if _, err := p.Send(t.Context(), big(p.MaxMessage())); !errors.Is(err, publisher.ErrTooBig) {
		t.Errorf("%v", err)
	}
	r, err := p.Send(t.Context(), big(p.MaxMessage()-200))
	if err != nil {
		t.Fatal(err)
	}
	stored(t, r)
}

// Every codec and both framings are read by Pulsar's own client as they were meant.
func TestPulsarReadByOwnClient(t *testing.T) {
	b := need(t, pulsartest.Policies{Retention: true})
	for _, codec := range []entry.Codec{entry.None, entry.LZ4, entry.Zlib, entry.Zstd, entry.Snappy} {
		t.Run(codec.String(), func(t *testing.T) {
			topic := b.Topic(t, "codec-"+codec.String(), 0)
			p := b.open(t, publisher.Options{Topic: topic})
			var enc entry.Encoder
			for i := range 30 {
				batched := i%2 == 0
				enc.Begin(entry.Header{Producer: p.Name(), Codec: codec, Batched: batched, PublishTime: 5, Sequence: uint64(i), Schema: []byte{0, 0, 0, 0, 0, 0, 0, 0}})
				enc.Property("n", fmt.Sprint(i))
				enc.Append(&entry.Message{Key: fmt.Append(nil, "key", i), Value: fmt.Append(nil, i), EventTime: 1000})
				out, err := enc.Finish()
				if err != nil {
					t.Fatal(err)
				}
				if _, err := p.Send(t.Context(), out); err != nil {
					t.Fatal(err)
				}
			}
			if err := p.Flush(t.Context()); err != nil {
				t.Fatal(err)
			}
			b.checkRead(t, topic, 30)
		})
	}
}

func (b bench) checkRead(t *testing.T, topic string, n int) {
	t.Helper()
	r, err := b.Client(t).CreateReader(pulsario.ReaderOptions{Topic: topic, StartMessageID: pulsario.EarliestMessageID()})
	if err != nil {
		t.Fatal(err)
	}
	defer r.Close()
	for i := range n {
		m, err := r.Next(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		if string(m.Payload()) != fmt.Sprint(i) || m.Key() != fmt.Sprint("key", i) || m.Properties()["n"] != fmt.Sprint(i) || m.EventTime().UnixMilli() != 1000 {
			t.Errorf("message %d: %q %q %v %v", i, m.Payload(), m.Key(), m.Properties(), m.EventTime())
		}
	}
}
