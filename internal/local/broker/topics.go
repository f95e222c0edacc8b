package broker

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/nats-io/nats.go/jetstream"

	"github.com/functionmesh/terraform-provider-functionmesh/internal/engine"
	"github.com/functionmesh/terraform-provider-functionmesh/internal/wire"
)

// A topic that nobody subscribes to is kept up to this age and size.
const (
	UnreadAge  = 7 * 24 * time.Hour
	UnreadSize = 1 << 30
)

// Topic is a stream as its metadata describes it.
type Topic struct {
	Name       string // full name
	Partitions int    // 0: unpartitioned
	Auto       bool   // made for a component, not asked for
	Owner      string
	Creating   bool
	Properties map[string]string
}

func (t Topic) metadata() map[string]string {
	m := map[string]string{wire.MetaTopic: t.Name, wire.MetaPartitions: strconv.Itoa(t.Partitions)}
	if t.Auto {
		m[wire.MetaAuto] = "true"
	}
	if t.Owner != "" {
		m[wire.MetaOwner] = t.Owner
	}
	if t.Creating {
		m[wire.MetaCreating] = "true"
	}
	for k, v := range t.Properties {
		m[wire.MetaPropertyPrefix+k] = v
	}
	return m
}

func topicOf(m map[string]string) (Topic, bool) {
	t := Topic{Name: m[wire.MetaTopic], Auto: m[wire.MetaAuto] == "true", Owner: m[wire.MetaOwner], Creating: m[wire.MetaCreating] == "true"}
	n, err := strconv.Atoi(m[wire.MetaPartitions])
	if t.Name == "" || err != nil {
		return Topic{}, false
	}
	t.Partitions = n
	for k, v := range m {
		if name, ok := strings.CutPrefix(k, wire.MetaPropertyPrefix); ok {
			if t.Properties == nil {
				t.Properties = map[string]string{}
			}
			t.Properties[name] = v
		}
	}
	return t, true
}

func config(t Topic, subscribed bool) jetstream.StreamConfig {
	c := jetstream.StreamConfig{
		Name: wire.StreamName(t.Name), Subjects: []string{wire.SubjectAll(t.Name)}, Metadata: t.metadata(),
		Storage: jetstream.FileStorage, Retention: jetstream.LimitsPolicy, Discard: jetstream.DiscardOld,
		MaxMsgs: -1, MaxBytes: -1, AllowDirect: true,
	}
	if !subscribed {
		c.MaxAge, c.MaxBytes = UnreadAge, UnreadSize
	}
	return c
}

// CreateTopic makes a topic; Exists when it is there.
func (b *Broker) CreateTopic(ctx context.Context, t Topic) error {
	b.cursors.Lock()
	defer b.cursors.Unlock()
	_, ok, err := b.Topic(ctx, t.Name)
	if err != nil {
		return err
	}
	if ok {
		return engine.New(engine.Exists, fmt.Errorf("topic %s exists", t.Name))
	}
	_, err = b.js.CreateStream(ctx, config(t, false))
	if errors.Is(err, jetstream.ErrStreamNameAlreadyInUse) {
		return engine.New(engine.Exists, fmt.Errorf("topic %s exists", t.Name))
	}
	return b.full(err)
}

// EnsureTopic returns the topic, making an unpartitioned one marked auto when there
// is none.
func (b *Broker) EnsureTopic(ctx context.Context, name string) (Topic, error) {
	for again := false; ; again = true {
		t, ok, err := b.Topic(ctx, name)
		if err != nil || ok {
			return t, err
		}
		t = Topic{Name: name, Auto: true}
		// Once somebody may have made it meanwhile; then what has its place is no topic.
		if err := b.CreateTopic(ctx, t); again || !engine.Is(err, engine.Exists) {
			return t, err
		}
	}
}

// Topic reads one topic; ok is false when there is none.
func (b *Broker) Topic(ctx context.Context, name string) (t Topic, ok bool, err error) {
	s, err := b.js.Stream(ctx, wire.StreamName(name))
	if errors.Is(err, jetstream.ErrStreamNotFound) {
		return Topic{}, false, nil
	}
	if err != nil {
		return Topic{}, false, b.full(err)
	}
	t, ok = topicOf(s.CachedInfo().Config.Metadata)
	return t, ok && t.Name == name, nil
}

// Topics reads all topics whose full name begins with prefix, by name.
func (b *Broker) Topics(ctx context.Context, prefix string) ([]Topic, error) {
	var topics []Topic
	list := b.js.ListStreams(ctx)
	for info := range list.Info() {
		if t, ok := topicOf(info.Config.Metadata); ok && strings.HasPrefix(t.Name, prefix) {
			topics = append(topics, t)
		}
	}
	if err := list.Err(); err != nil {
		return nil, b.full(err)
	}
	slices.SortFunc(topics, func(x, y Topic) int { return strings.Compare(x.Name, y.Name) })
	return topics, nil
}

// UpdateTopic replaces what the topic says of itself. More partitions are added,
// fewer are Immutable, and so is a change between partitioned and not.
func (b *Broker) UpdateTopic(ctx context.Context, t Topic) error {
	b.cursors.Lock()
	defer b.cursors.Unlock()
	have, ok, err := b.Topic(ctx, t.Name)
	if err != nil {
		return err
	}
	if !ok {
		return engine.New(engine.NotFound, fmt.Errorf("topic %s does not exist", t.Name))
	}
	if err := growable(have.Partitions, t.Partitions); err != nil {
		return err
	}
	if t.Partitions > have.Partitions {
		// Positions first: a subscription must not miss what arrives at a new partition.
		if err := b.extend(ctx, t.Name, have.Partitions, t.Partitions); err != nil {
			return err
		}
	}
	s, err := b.js.Stream(ctx, wire.StreamName(t.Name))
	if err != nil {
		return b.full(err)
	}
	c := s.CachedInfo().Config
	c.Metadata = t.metadata()
	_, err = b.js.UpdateStream(ctx, c)
	return b.full(err)
}

func growable(have, want int) error {
	reason := ""
	switch {
	case have == want:
		return nil
	case have == 0:
		reason = "an unpartitioned topic cannot become partitioned"
	case want == 0:
		reason = "a partitioned topic cannot become unpartitioned"
	case want < have:
		reason = fmt.Sprintf("partitions cannot be taken away: it has %d", have)
	default:
		return nil
	}
	return &engine.Error{Class: engine.Immutable, Path: "partitions", Err: errors.New(reason)}
}

// DeleteTopic removes a topic with its messages and subscriptions; an absent one is
// no error.
func (b *Broker) DeleteTopic(ctx context.Context, name string) error {
	b.cursors.Lock()
	defer b.cursors.Unlock()
	if err := b.js.DeleteStream(ctx, wire.StreamName(name)); err != nil && !errors.Is(err, jetstream.ErrStreamNotFound) {
		return b.full(err)
	}
	keys, err := b.keys(ctx, name)
	if err != nil {
		return err
	}
	for _, k := range keys {
		if err := b.positions.Purge(ctx, k.key); err != nil {
			return b.full(err)
		}
	}
	return nil
}
