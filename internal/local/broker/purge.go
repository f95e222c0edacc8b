package broker

import (
	"context"
	"errors"
	"slices"

	"github.com/nats-io/nats.go/jetstream"

	"github.com/functionmesh/terraform-provider-functionmesh/internal/wire"
)

// Purge removes from every topic what all of its subscriptions have acknowledged, per
// partition. A topic without a subscription is left to its limits.
func (b *Broker) Purge(ctx context.Context) error {
	topics, err := b.Topics(ctx, "")
	if err != nil {
		return err
	}
	var failed error
	for _, t := range topics {
		failed = errors.Join(failed, b.purge(ctx, t))
	}
	return failed
}

func (b *Broker) purge(ctx context.Context, t Topic) error {
	// Subscriptions must not appear between reading positions and purging.
	b.cursors.Lock()
	defer b.cursors.Unlock()
	s, err := b.js.Stream(ctx, wire.StreamName(t.Name))
	if errors.Is(err, jetstream.ErrStreamNotFound) {
		return nil
	}
	if err != nil {
		return b.full(err)
	}
	floors, uniform, err := b.floors(ctx, s, t)
	if err != nil || len(floors) == 0 {
		return err
	}
	if !uniform {
		return b.purgePartitions(ctx, s, t, floors)
	}
	if state := s.CachedInfo().State; state.Msgs == 0 || floors[0] < state.FirstSeq {
		return nil
	}
	return b.full(s.Purge(ctx, jetstream.WithPurgeSequence(floors[0]+1)))
}

// purgePartitions remembers how far it went: a purge by subject looks at every message.
func (b *Broker) purgePartitions(ctx context.Context, s jetstream.Stream, t Topic, floors []uint64) error {
	state := s.CachedInfo().State
	for p, floor := range floors {
		subject := wire.Subject(t.Name, p)
		if floor < state.FirstSeq || floor <= b.purged[subject] {
			continue
		}
		if err := s.Purge(ctx, jetstream.WithPurgeSubject(subject), jetstream.WithPurgeSequence(floor+1)); err != nil {
			return b.full(err)
		}
		b.purged[subject] = floor
	}
	return nil
}

// floors gives, per partition, the sequence up to which nobody needs a message any
// more; none when nobody is subscribed. uniform says that it is the same for all.
func (b *Broker) floors(ctx context.Context, s jetstream.Stream, t Topic) (floors []uint64, uniform bool, err error) {
	shared, err := b.shared(ctx, s)
	if err != nil {
		return nil, false, err
	}
	lowest := unread
	for _, c := range shared {
		lowest = min(lowest, c.AckFloor.Stream)
	}
	keys, err := b.keys(ctx, t.Name)
	if err != nil || len(shared)+len(keys) == 0 {
		return nil, false, err
	}
	floors = slices.Repeat([]uint64{lowest}, max(1, t.Partitions))
	if err := b.lower(ctx, floors, keys); err != nil {
		return nil, false, err
	}
	return floors, len(keys) == 0 || len(floors) == 1, nil
}

// unread is the floor of a partition that nothing is known of yet.
const unread = ^uint64(0)

// lower takes the positions of ordered subscriptions into account.
func (b *Broker) lower(ctx context.Context, floors []uint64, keys []positionKey) error {
	for _, k := range keys {
		if k.partition >= len(floors) {
			continue
		}
		p, ok, err := b.position(ctx, k)
		if err != nil {
			return err
		}
		if ok {
			floors[k.partition] = min(floors[k.partition], p.Sequence)
		}
	}
	for i, f := range floors {
		if f == unread { // an ordered subscription without this partition's position
			floors[i] = 0
		}
	}
	return nil
}
