package broker

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"strconv"
	"strings"
	"time"

	"github.com/nats-io/nats.go/jetstream"

	"github.com/functionmesh/terraform-provider-functionmesh/internal/engine"
	"github.com/functionmesh/terraform-provider-functionmesh/internal/wire"
)

// MetaSubscription is the key of a durable consumer's metadata that holds the name of
// its subscription. Consumers without it belong to a passing reader.
const MetaSubscription = "fm.subscription"

// AckWait is how long a message may stay unacknowledged before it is delivered again.
const AckWait = 30 * time.Second

// Cursor is one subscription of one topic.
type Cursor struct {
	Topic        string // full name
	Subscription string
	Mode         wire.Mode
	Earliest     bool // where a new one starts; otherwise it sees only what comes later
	// AtMostOnce makes a change of mode skip what may have been delivered already;
	// otherwise such messages are delivered again.
	AtMostOnce bool
}

// Subscribe makes a subscription unless it exists. One that exists in the other mode
// is converted and keeps its place.
func (b *Broker) Subscribe(ctx context.Context, c Cursor) error {
	b.cursors.Lock()
	defer b.cursors.Unlock()
	s, err := b.js.Stream(ctx, wire.StreamName(c.Topic))
	if err != nil {
		return b.full(fmt.Errorf("topic %s: %w", c.Topic, err))
	}
	t, ok := topicOf(s.CachedInfo().Config.Metadata)
	if !ok {
		return engine.New(engine.Conflict, fmt.Errorf("stream of topic %s was not made by this platform", c.Topic))
	}
	if err := b.kept(ctx, t, s.CachedInfo().Config); err != nil {
		return err
	}
	if c.Mode == wire.Failover {
		return b.subscribeOrdered(ctx, s, t, c)
	}
	return b.subscribeShared(ctx, s, t, c)
}

// kept takes the limits away that hold for topics without a reader.
func (b *Broker) kept(ctx context.Context, t Topic, have jetstream.StreamConfig) error {
	if have.MaxAge == 0 && have.MaxBytes <= 0 {
		return nil
	}
	_, err := b.js.UpdateStream(ctx, config(t, true))
	return b.full(err)
}

func (b *Broker) subscribeShared(ctx context.Context, s jetstream.Stream, t Topic, c Cursor) error {
	name := wire.ConsumerName(c.Subscription)
	_, err := s.Consumer(ctx, name)
	if err == nil || !errors.Is(err, jetstream.ErrConsumerNotFound) {
		return b.full(err)
	}
	cfg := jetstream.ConsumerConfig{
		Durable: name, AckPolicy: jetstream.AckExplicitPolicy, AckWait: AckWait, MaxDeliver: -1, MaxAckPending: -1,
		FilterSubject: wire.SubjectAll(t.Name), Metadata: map[string]string{MetaSubscription: c.Subscription},
		DeliverPolicy: jetstream.DeliverNewPolicy,
	}
	if c.Earliest {
		cfg.DeliverPolicy = jetstream.DeliverAllPolicy
	}
	ordered, err := b.ordered(ctx, c)
	if err != nil {
		return err
	}
	if len(ordered) > 0 {
		cfg.DeliverPolicy, cfg.OptStartSeq = jetstream.DeliverByStartSequencePolicy, resume(ordered, c.AtMostOnce)+1
	}
	if _, err := s.CreateConsumer(ctx, cfg); err != nil {
		return b.full(err)
	}
	for _, p := range ordered {
		if err := b.positions.Purge(ctx, p.key); err != nil {
			return b.full(err)
		}
	}
	return nil
}

// resume is where one cursor goes on for many: nothing is left out, or nothing is
// delivered twice.
func resume(positions []position, atMostOnce bool) uint64 {
	seq := positions[0].Sequence
	for _, p := range positions[1:] {
		if atMostOnce == (p.Sequence > seq) {
			seq = p.Sequence
		}
	}
	return seq
}

func (b *Broker) subscribeOrdered(ctx context.Context, s jetstream.Stream, t Topic, c Cursor) error {
	start := uint64(0)
	if !c.Earliest {
		info, err := s.Info(ctx)
		if err != nil {
			return b.full(err)
		}
		start = info.State.LastSeq
	}
	name := wire.ConsumerName(c.Subscription)
	shared, err := s.Consumer(ctx, name)
	switch {
	case err == nil:
		info := shared.CachedInfo()
		start = info.AckFloor.Stream
		if c.AtMostOnce {
			start = info.Delivered.Stream
		}
	case !errors.Is(err, jetstream.ErrConsumerNotFound):
		return b.full(err)
	}
	if err := b.place(ctx, c, max(1, t.Partitions), start); err != nil {
		return err
	}
	if shared == nil {
		return nil
	}
	return b.full(s.DeleteConsumer(ctx, name))
}

// place makes the missing positions of all partitions.
func (b *Broker) place(ctx context.Context, c Cursor, partitions int, sequence uint64) error {
	value, err := json.Marshal(wire.Position{Sequence: sequence, Subscription: c.Subscription})
	if err != nil {
		return err
	}
	for p := range partitions {
		_, err := b.positions.Create(ctx, wire.PositionKey(c.Topic, c.Subscription, p), value)
		if err != nil && !errors.Is(err, jetstream.ErrKeyExists) {
			return b.full(err)
		}
	}
	return nil
}

// extend places every ordered subscription of a topic at the start of new partitions.
func (b *Broker) extend(ctx context.Context, topic string, from, to int) error {
	keys, err := b.keys(ctx, topic)
	if err != nil {
		return err
	}
	value, err := json.Marshal(wire.Position{})
	if err != nil {
		return err
	}
	for _, k := range keys {
		for p := max(1, from); k.partition == 0 && p < to; p++ {
			_, err := b.positions.Create(ctx, k.stem+strconv.Itoa(p), value)
			if err != nil && !errors.Is(err, jetstream.ErrKeyExists) {
				return b.full(err)
			}
		}
	}
	return nil
}

// Unsubscribe removes a subscription with its backlog; an absent one is no error.
func (b *Broker) Unsubscribe(ctx context.Context, topic, subscription string) error {
	b.cursors.Lock()
	defer b.cursors.Unlock()
	s, err := b.js.Stream(ctx, wire.StreamName(topic))
	if errors.Is(err, jetstream.ErrStreamNotFound) {
		return nil
	}
	if err != nil {
		return b.full(err)
	}
	if err := s.DeleteConsumer(ctx, wire.ConsumerName(subscription)); err != nil && !errors.Is(err, jetstream.ErrConsumerNotFound) {
		return b.full(err)
	}
	ordered, err := b.ordered(ctx, Cursor{Topic: topic, Subscription: subscription})
	if err != nil {
		return err
	}
	for _, p := range ordered {
		if err := b.positions.Purge(ctx, p.key); err != nil {
			return b.full(err)
		}
	}
	n, err := b.readers(ctx, s, topic)
	if t, ok := topicOf(s.CachedInfo().Config.Metadata); ok && n == 0 && err == nil {
		_, err = b.js.UpdateStream(ctx, config(t, false))
	}
	return b.full(err)
}

// Subscriptions counts the subscriptions of a topic.
func (b *Broker) Subscriptions(ctx context.Context, topic string) (int, error) {
	s, err := b.js.Stream(ctx, wire.StreamName(topic))
	if errors.Is(err, jetstream.ErrStreamNotFound) {
		return 0, nil
	}
	if err != nil {
		return 0, b.full(err)
	}
	return b.readers(ctx, s, topic)
}

func (b *Broker) readers(ctx context.Context, s jetstream.Stream, topic string) (int, error) {
	shared, err := b.shared(ctx, s)
	if err != nil {
		return 0, err
	}
	keys, err := b.keys(ctx, topic)
	if err != nil {
		return 0, err
	}
	n := len(shared)
	for _, k := range keys {
		if k.partition == 0 {
			n++
		}
	}
	return n, nil
}

// shared reads the durable consumers of subscriptions.
func (b *Broker) shared(ctx context.Context, s jetstream.Stream) ([]*jetstream.ConsumerInfo, error) {
	var all []*jetstream.ConsumerInfo
	list := s.ListConsumers(ctx)
	for info := range list.Info() {
		if info.Config.Durable != "" && info.Config.Metadata[MetaSubscription] != "" {
			all = append(all, info)
		}
	}
	return all, b.full(list.Err())
}

// positionKey is a key of the positions bucket, taken apart.
type positionKey struct {
	key       string
	stem      string // all but the partition
	partition int
}

type position struct {
	positionKey
	wire.Position
}

// keys lists the position keys of a topic.
func (b *Broker) keys(ctx context.Context, topic string) ([]positionKey, error) {
	of, _, _ := strings.Cut(wire.PositionKey(topic, "", 0), ".")
	list, err := b.positions.ListKeysFiltered(ctx, of+".>")
	if err != nil {
		return nil, b.full(err)
	}
	defer list.Stop() //nolint:errcheck // all keys were read, or the context ended
	var keys []positionKey
	for key := range list.Keys() {
		dot := strings.LastIndexByte(key, '.')
		p, err := strconv.Atoi(key[dot+1:])
		if dot < 0 || err != nil {
			continue
		}
		keys = append(keys, positionKey{key: key, stem: key[:dot+1], partition: p})
	}
	return keys, ctx.Err()
}

// ordered reads the positions of one subscription.
func (b *Broker) ordered(ctx context.Context, c Cursor) ([]position, error) {
	keys, err := b.keys(ctx, c.Topic)
	if err != nil {
		return nil, err
	}
	stem := strings.TrimSuffix(wire.PositionKey(c.Topic, c.Subscription, 0), "0")
	var positions []position
	for _, k := range keys {
		if k.stem != stem {
			continue
		}
		p, ok, err := b.position(ctx, k)
		if err != nil {
			return nil, err
		}
		if ok {
			positions = append(positions, p)
		}
	}
	return positions, nil
}

func (b *Broker) position(ctx context.Context, k positionKey) (position, bool, error) {
	entry, err := b.positions.Get(ctx, k.key)
	if errors.Is(err, jetstream.ErrKeyNotFound) {
		return position{}, false, nil
	}
	if err != nil {
		return position{}, false, b.full(err)
	}
	p := position{positionKey: k}
	if err := json.Unmarshal(entry.Value(), &p.Position); err != nil {
		return position{}, false, fmt.Errorf("position %s: %w", k.key, err)
	}
	return p, true, nil
}
