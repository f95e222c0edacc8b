package nats

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"strconv"
	"time"

	"github.com/google/uuid"
	"github.com/nats-io/nats.go/jetstream"

	"github.com/functionmesh/terraform-provider-functionmesh/internal/wire"
	"github.com/functionmesh/terraform-provider-functionmesh/runner/pipeline"
)

// orderedLane reads one partition for a failover subscription. Its cursor is a
// position that only the claimant of the highest epoch can move.
type orderedLane struct {
	name     string
	queue    int // most messages of one read; 0: as many as are asked for
	kv       jetstream.KeyValue
	key      string
	position wire.Position
	revision uint64
	follow   *follower
}

// orderedBatch is the token of a batch: the sequences not settled yet.
type orderedBatch struct{ sequences []uint64 }

func (s *Source) openOrdered(ctx context.Context, js jetstream.JetStream, stream jetstream.Stream, in wire.Input, partition int) (*orderedLane, error) {
	sub := s.options.Source.Subscription
	kv, err := js.KeyValue(ctx, wire.PositionsBucket)
	if err != nil {
		return nil, fmt.Errorf("subscription %s of topic %s: positions bucket: %w", sub.Name, in.Topic, err)
	}
	l := &orderedLane{
		name: in.Topic, queue: in.QueueSize,
		kv:  kv,
		key: wire.PositionKey(in.Topic, sub.Name, partition),
		follow: &follower{
			js: js, stream: wire.StreamName(in.Topic), topic: in.Topic,
			filter: wire.Subject(in.Topic, partition),
		},
	}
	if in.Partitions > 0 {
		l.name += "-partition-" + strconv.Itoa(partition)
	}
	if err := l.claim(ctx, stream.CachedInfo()); err != nil {
		return nil, fmt.Errorf("subscription %s of %s: %w", sub.Name, l.name, err)
	}
	l.follow.last = l.position.Sequence
	return l, nil
}

// claim takes the lane over from whoever has it. Of two claimants one wins and then
// the other, each with its own epoch; the last one keeps it.
func (l *orderedLane) claim(ctx context.Context, info *jetstream.StreamInfo) error {
	owner := uuid.NewString()
	for {
		entry, err := l.kv.Get(ctx, l.key)
		switch {
		case errors.Is(err, jetstream.ErrKeyNotFound):
			return ErrNoSubscription
		case err != nil:
			return err
		}
		var p wire.Position
		if err := json.Unmarshal(entry.Value(), &p); err != nil {
			return fmt.Errorf("position %s: %w", l.key, err)
		}
		if p.Sequence > info.State.LastSeq && entry.Created().Before(info.Created) {
			p.Sequence = 0 // the position is of an earlier topic of this name
		}
		p.Epoch, p.Owner = p.Epoch+1, owner
		l.position = p
		// R4: from here on every settle of an earlier claimant fails.
		err = l.store(ctx, l.position, entry.Revision())
		if err == nil || !conflict(err) {
			return err
		}
	}
}

func (l *orderedLane) store(ctx context.Context, p wire.Position, revision uint64) error {
	value, err := json.Marshal(p)
	if err != nil {
		return err
	}
	ctx, cancel := context.WithTimeout(ctx, requestTimeout)
	defer cancel()
	revision, err = l.kv.Update(ctx, l.key, value, revision)
	if err != nil {
		return err
	}
	l.position, l.revision = p, revision
	return nil
}

// Name implements pipeline.Lane.
func (l *orderedLane) Name() string { return l.name }

// Ordered implements pipeline.Lane.
func (l *orderedLane) Ordered() bool { return true }

// Read implements pipeline.Lane.
func (l *orderedLane) Read(ctx context.Context, most int, maxBytes int64) (pipeline.Batch, error) {
	got, err := l.follow.read(ctx, atMost(most, l.queue), maxBytes, true)
	if err != nil {
		return pipeline.Batch{}, fmt.Errorf("read %s: %w", l.name, err)
	}
	messages := make([]pipeline.Message, len(got))
	sequences := make([]uint64, len(got))
	for i, r := range got {
		messages[i], sequences[i] = r.message, r.sequence
	}
	return pipeline.Batch{Messages: messages, Token: &orderedBatch{sequences}}, nil
}

// Settle implements pipeline.Lane: it moves the position, or finds that another
// instance has it.
func (l *orderedLane) Settle(ctx context.Context, b pipeline.Batch, v []pipeline.Verdict) error {
	token, ok := b.Token.(*orderedBatch)
	if !ok || len(v) > len(token.sequences) {
		return fmt.Errorf("settle %s: not a batch of this lane", l.name)
	}
	if len(v) == 0 {
		return nil
	}
	p := l.position
	p.Sequence = token.sequences[len(v)-1]
	// R4: compare-and-set on the revision this claimant wrote last.
	if err := l.store(ctx, p, l.revision); err != nil {
		if err := l.reread(ctx, p, err); err != nil {
			return fmt.Errorf("settle %s: %w", l.name, err)
		}
	}
	token.sequences = token.sequences[len(v):]
	return nil
}

// reread finds out what became of a write that was refused or not answered: nil when
// it was stored, ErrFenced when another owner is there, else the reason to try again.
func (l *orderedLane) reread(ctx context.Context, want wire.Position, reason error) error {
	ctx, cancel := context.WithTimeout(ctx, requestTimeout)
	defer cancel()
	entry, err := l.kv.Get(ctx, l.key)
	if err != nil {
		return errors.Join(reason, err)
	}
	var have wire.Position
	if err := json.Unmarshal(entry.Value(), &have); err != nil {
		return err
	}
	if have.Owner != l.position.Owner || have.Epoch != l.position.Epoch {
		return pipeline.ErrFenced
	}
	l.revision = entry.Revision()
	if have != want {
		return reason
	}
	l.position = want
	return nil
}

func (l *orderedLane) close() {
	ctx, cancel := context.WithTimeout(context.Background(), time.Second)
	defer cancel()
	l.follow.close(ctx)
}
