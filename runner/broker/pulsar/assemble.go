package pulsar

import (
	"context"
	"math"
	"time"

	"github.com/functionmesh/terraform-provider-functionmesh/internal/wire"
	"github.com/functionmesh/terraform-provider-functionmesh/runner/broker/pulsar/entry"
	"github.com/functionmesh/terraform-provider-functionmesh/runner/pipeline"
)

// keyBased is the batch builder that puts messages of one key into an entry.
const keyBased = "key_based"

// assembler sorts messages by where they go and forms entries of them.
type assembler struct {
	sink    *Sink
	enc     entry.Encoder
	texts   pipeline.Texts
	names   names
	add     func(name, value string)
	buckets []bucket
	byKey   map[keyed]int // with key_based
	message entry.Message
}

// bucket is messages, by their place, that go to one partition one after the other.
type bucket struct {
	dest     *dest
	messages []int32
	bytes    int
	sizes    []int32 // of each message, as size has it
}

// keyed is what key_based keeps apart.
type keyed struct {
	dest *dest
	key  string
}

func (a *assembler) init(w *sender) {
	a.sink = w.sink
	a.enc.Pool = &w.sink.frames
	a.add = func(name, value string) { a.enc.Property(name, value) }
	a.byKey = map[keyed]int{}
}

// plan sorts messages into buckets. It stops before the first that cannot be sent; with
// an input entry it is all or nothing.
func (a *assembler) plan(ctx context.Context, o *outlet, out []pipeline.Message, in *pipeline.Message) (int, error) {
	a.buckets = a.buckets[:0]
	clear(a.byKey)
	o.stamp++
	p := planner{assembler: a, outlet: o, keyed: a.sink.batching.Builder == keyBased}
	if in == nil {
		o.turn++
		p.turn = o.turn
	} else {
		// R3: the same choice at every replay.
		p.turn = uint64(in.Position.Ledger)*31 + uint64(in.Position.Entry) //nolint:gosec // any number does
	}
	p.fixed = in != nil
	for i := range out {
		if err := p.place(ctx, &out[i], i); err != nil {
			return i, err
		}
	}
	if in == nil {
		return len(out), nil
	}
	return 0, a.numberable(out, in)
}

// numberable refuses, before anything of it is sent, an input entry whose outputs would
// be more entries than there are numbers for.
func (a *assembler) numberable(out []pipeline.Message, in *pipeline.Message) error {
	if len(out) <= 1<<chunkBits {
		return nil
	}
	id := idOf(in)
	for i := range a.buckets {
		a.buckets[i].dest.parts = 0
	}
	for i := range a.buckets {
		d := a.buckets[i].dest
		if d.last == id && d.parts == 0 {
			d.parts = d.chunk
		}
		d.parts += a.parts(&a.buckets[i])
		if _, err := sequence(id, d.parts-1); err != nil {
			return terminal(reasonNotNumbered, "topic %s: %w", d.topic, err)
		}
	}
	return nil
}

// parts is how many entries a bucket becomes, or, while that is no matter, more.
func (a *assembler) parts(b *bucket) int {
	if !a.sink.batching.Enabled {
		return len(b.messages)
	}
	// Of two entries in a row the first had no room for the second.
	n := 1 + 2*b.bytes/max(1, b.dest.limit-headroom)
	if n <= 1<<(chunkBits-1) {
		return n
	}
	n = 0
	for sizes := b.sizes; len(sizes) > 0; n++ {
		sizes = sizes[a.fit(b.dest, sizes, true):]
	}
	return n
}

// planner is one plan under way.
type planner struct {
	*assembler
	outlet *outlet
	turn   uint64
	fixed  bool // keyless messages all go to one partition
	loose  int  // keyless messages since the last turn
	keyed  bool // messages of one partition go to buckets by their keys

	// Of the message before.
	name  string // its route
	route *route
	dest  *dest // ready
	room  int   // for one message there
	at    int   // its bucket; below 0: not made yet
}

func (p *planner) place(ctx context.Context, m *pipeline.Message, i int) error {
	if m.Topic == "" && p.sink.options.NamedOnly {
		return nil
	}
	if err := p.aim(ctx, m); err != nil {
		return err
	}
	size := p.size(m)
	if size > p.room {
		if err := p.checkSize(p.dest, m, size); err != nil {
			return err
		}
	}
	if p.at < 0 || p.keyed {
		p.at = p.bucket(p.dest, m)
	}
	b := &p.buckets[p.at]
	b.messages = append(b.messages, int32(i)) //nolint:gosec // a send has fewer than 2^31 messages
	b.bytes += size
	b.sizes = append(b.sizes, int32(min(size, math.MaxInt32))) //nolint:gosec // bounded
	return nil
}

// aim makes the partition that a message goes to the present one.
func (p *planner) aim(ctx context.Context, m *pipeline.Message) error {
	if p.route == nil || m.Topic != p.name {
		r, err := p.outlet.route(ctx, m.Topic)
		if err != nil {
			return err
		}
		p.route, p.name = r, m.Topic
	}
	d := p.choose(m)
	if d == p.dest {
		return nil
	}
	if err := p.outlet.ready(ctx, d, m.Topic); err != nil {
		return err
	}
	p.dest, p.room, p.at = d, p.limit(d), -1
	return nil
}

// choose is the partition by the key, else by turns, one entry each.
func (p *planner) choose(m *pipeline.Message) *dest {
	dests := p.route.dests
	n := max(p.route.topic.partitions, 1)
	switch {
	case n == 1:
		return dests[0]
	case m.Key != nil:
		return dests[wire.PartitionFor(m.Key, n)]
	}
	if p.loose++; !p.fixed && p.loose > p.entryMessages() {
		p.loose = 1
		p.outlet.turn++
		p.turn = p.outlet.turn
	}
	return dests[p.turn%uint64(n)]
}

func (a *assembler) entryMessages() int {
	if !a.sink.batching.Enabled {
		return 1
	}
	return a.sink.batching.MaxMessages
}

// bucket is where a message is put. Each has the messages of one partition in their
// order; with key_based those of one key.
func (p *planner) bucket(d *dest, m *pipeline.Message) int {
	if p.keyed {
		k := keyed{d, string(m.Key)}
		at, ok := p.byKey[k]
		if !ok {
			at = p.newBucket(d)
			p.byKey[k] = at
		}
		return at
	}
	if d.stamp != p.outlet.stamp {
		d.stamp, d.bucket = p.outlet.stamp, p.newBucket(d)
	}
	return d.bucket
}

func (a *assembler) newBucket(d *dest) int {
	n := len(a.buckets)
	if n < cap(a.buckets) {
		a.buckets = a.buckets[:n+1]
		old := a.buckets[n]
		a.buckets[n] = bucket{dest: d, messages: old.messages[:0], sizes: old.sizes[:0]}
	} else {
		a.buckets = append(a.buckets, bucket{dest: d})
	}
	return n
}

// shipment is what one plan sends.
type shipment struct {
	*pending
	outlet *outlet
	out    []pipeline.Message
	base   int               // place of out[0] in the whole send
	in     *pipeline.Message // the input entry that numbers the entries; nil: they are numbered by themselves
}

// first is the place of the message that counts as not durable with an entry.
func (s *shipment) first(part []int32) int {
	if s.in != nil {
		return s.base
	}
	return s.base + int(part[0])
}

// send forms entries of the buckets and hands them to their producers.
func (a *assembler) send(ctx context.Context, s shipment) {
	for i := range a.buckets {
		b := &a.buckets[i]
		sizes := b.sizes
		for rest := b.messages; len(rest) > 0; {
			n := a.fit(b.dest, sizes, s.in != nil)
			if err := a.sendEntry(ctx, &s, b.dest, rest[:n]); err != nil {
				s.fail(s.first(rest), err)
				return
			}
			rest, sizes = rest[n:], sizes[n:]
		}
	}
}

// fit is how many messages of these sizes go into one entry. With effectively_once only
// what the broker takes bounds it, so that one entry in is one entry out.
func (a *assembler) fit(d *dest, sizes []int32, exact bool) int {
	if !a.sink.batching.Enabled {
		return 1
	}
	most, room := a.sink.batching.MaxMessages, min(a.sink.batching.MaxBytes, d.limit-headroom)
	if exact {
		most, room = len(sizes), d.limit-headroom
	}
	n, bytes := 0, 0
	for n < len(sizes) && n < most {
		bytes += int(sizes[n])
		if n > 0 && bytes > room {
			break
		}
		n++
	}
	return n
}

func (a *assembler) sendEntry(ctx context.Context, s *shipment, d *dest, part []int32) error {
	number := d.next
	if s.in != nil {
		var err error
		if number, err = d.number(idOf(s.in)); err != nil {
			return &pipeline.TerminalError{Reason: reasonNotNumbered, Err: err}
		}
	}
	a.begin(d, number, len(part) > 1)
	for _, i := range part {
		a.append(&s.out[i])
	}
	e, err := a.enc.Finish()
	if err != nil {
		return err
	}
	receipt, err := d.pub.Send(ctx, e)
	if err != nil {
		e.Release()
		return s.explain(ctx, err)
	}
	d.next++
	s.most = max(s.most, s.base+int(part[len(part)-1]))
	s.sends = append(s.sends, sent{receipt: receipt, outlet: s.outlet, dest: d, number: number, first: s.first(part)})
	if s.in != nil && !d.proved {
		return a.sink.prove(ctx, d, receipt, number)
	}
	return nil
}

func (a *assembler) begin(d *dest, number uint64, batched bool) {
	a.enc.Begin(entry.Header{
		Producer: d.pub.Name(), Codec: a.sink.codec, Batched: batched,
		PublishTime: time.Now().UnixMilli(), Sequence: number,
	})
}

func (a *assembler) append(m *pipeline.Message) {
	switch {
	case m.NamesInputOnly():
		a.names.add(&a.enc, m.Cause)
	case m.Properties != nil || m.Forward != pipeline.ForwardNothing:
		m.EachProperty(&a.texts, a.add)
	}
	a.message.Key, a.message.Value, a.message.EventTime = m.Key, m.Value, m.EventTime
	a.enc.Append(&a.message)
}
