package broker

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/nats-io/nats.go/jetstream"

	"github.com/functionmesh/terraform-provider-functionmesh/internal/engine"
	"github.com/functionmesh/terraform-provider-functionmesh/internal/wire"
)

// countWithin ends a consumer that only counted, should its deletion fail.
const countWithin = 5 * time.Second

// Contents are what a topic holds.
type Contents struct {
	Messages  int64 // kept now
	Bytes     int64 // of them
	Published int64 // ever
	Cursors   []Reading
}

// Reading is a subscription and what it has before it.
type Reading struct {
	Subscription string
	Mode         wire.Mode
	Backlog      int64 // messages not acknowledged
}

// Inspect reads a topic's contents and subscriptions, by name; NotFound when there is
// no such topic.
func (b *Broker) Inspect(ctx context.Context, topic string) (Contents, error) {
	b.cursors.Lock()
	defer b.cursors.Unlock()
	s, err := b.js.Stream(ctx, wire.StreamName(topic))
	if errors.Is(err, jetstream.ErrStreamNotFound) {
		return Contents{}, engine.New(engine.NotFound, fmt.Errorf("topic %s does not exist", topic))
	}
	if err != nil {
		return Contents{}, b.full(err)
	}
	state := s.CachedInfo().State
	c := Contents{Messages: int64(state.Msgs), Bytes: int64(state.Bytes), Published: int64(state.LastSeq)} //nolint:gosec // far from the limit
	shared, err := b.shared(ctx, s)
	if err != nil {
		return c, err
	}
	for _, info := range shared {
		c.Cursors = append(c.Cursors, Reading{
			Subscription: info.Config.Metadata[MetaSubscription], Mode: wire.Shared,
			Backlog: int64(info.NumPending) + int64(info.NumAckPending), //nolint:gosec // far from the limit
		})
	}
	ordered, err := b.behind(ctx, s, topic)
	c.Cursors = append(c.Cursors, ordered...)
	slices.SortFunc(c.Cursors, func(x, y Reading) int { return strings.Compare(x.Subscription, y.Subscription) })
	return c, err
}

// behind reads the ordered subscriptions of a topic.
func (b *Broker) behind(ctx context.Context, s jetstream.Stream, topic string) ([]Reading, error) {
	keys, err := b.keys(ctx, topic)
	if err != nil {
		return nil, err
	}
	found := map[string]*Reading{}
	for _, k := range keys {
		p, ok, err := b.position(ctx, k)
		if err != nil {
			return nil, err
		}
		if !ok {
			continue
		}
		n, err := b.after(ctx, s, wire.Subject(topic, k.partition), p.Sequence)
		if err != nil {
			return nil, err
		}
		r := found[k.stem]
		if r == nil {
			r = &Reading{Mode: wire.Failover}
			found[k.stem] = r
		}
		r.Backlog += n
		if p.Subscription != "" { // partitions that came later do not say it
			r.Subscription = p.Subscription
		}
	}
	var all []Reading
	for _, r := range found {
		if r.Subscription != "" {
			all = append(all, *r)
		}
	}
	return all, nil
}

// after counts the messages of a partition beyond a sequence: the broker does, for a
// consumer that starts there and reads nothing.
func (b *Broker) after(ctx context.Context, s jetstream.Stream, subject string, sequence uint64) (int64, error) {
	counter, err := s.CreateConsumer(ctx, jetstream.ConsumerConfig{
		AckPolicy: jetstream.AckNonePolicy, DeliverPolicy: jetstream.DeliverByStartSequencePolicy, OptStartSeq: sequence + 1,
		FilterSubject: subject, InactiveThreshold: countWithin, MemoryStorage: true,
	})
	if err != nil {
		return 0, b.full(err)
	}
	info := counter.CachedInfo()
	err = s.DeleteConsumer(ctx, info.Name)
	return int64(info.NumPending), b.full(err) //nolint:gosec // far from the limit
}
