package nats

import (
	"context"
	"errors"
	"fmt"
	"strconv"
	"sync"
	"time"

	"github.com/nats-io/nats.go/jetstream"

	"github.com/functionmesh/terraform-provider-functionmesh/internal/spec"
	"github.com/functionmesh/terraform-provider-functionmesh/internal/wire"
	"github.com/functionmesh/terraform-provider-functionmesh/runner/pipeline"
)

const (
	targetAge  = time.Minute // partitions of a topic are asked for again so often
	missingAge = time.Second // and whether a missing one exists
)

// target is a topic that is written to.
type target struct {
	topic      string
	partitions int
	subjects   []string
	err        error // it does not exist
	until      time.Time
}

func newTarget(topic string, partitions int) *target {
	t := &target{topic: topic, partitions: partitions}
	for p := range max(partitions, 1) {
		t.subjects = append(t.subjects, wire.Subject(topic, p))
	}
	return t
}

// subject is where a message goes: by its key, else where the whole batch goes.
func (t *target) subject(m *pipeline.Message, turn uint64) string {
	switch {
	case len(t.subjects) == 1:
		return t.subjects[0]
	case m.Key != nil:
		return t.subjects[wire.PartitionFor(m.Key, t.partitions)]
	}
	return t.subjects[turn%uint64(len(t.subjects))]
}

// targets remembers the topics that messages name.
type targets struct {
	tenant, namespace string

	mu     sync.Mutex
	byName map[string]*target
}

// find returns the topic by the name a message gives it. One that does not exist or
// that is no topic name is a *pipeline.MessageError.
func (t *targets) find(ctx context.Context, js jetstream.JetStream, name string) (*target, error) {
	t.mu.Lock()
	known := t.byName[name]
	t.mu.Unlock()
	if known == nil || time.Now().After(known.until) {
		var err error
		if known, err = t.look(ctx, js, name); err != nil {
			return nil, err
		}
		t.mu.Lock()
		t.byName[name] = known
		t.mu.Unlock()
	}
	if known.err != nil {
		return nil, &pipeline.MessageError{Err: known.err}
	}
	return known, nil
}

// forget asks again at the next message.
func (t *targets) forget(name string) {
	t.mu.Lock()
	defer t.mu.Unlock()
	delete(t.byName, name)
}

func (t *targets) look(ctx context.Context, js jetstream.JetStream, name string) (*target, error) {
	topic, err := spec.ParseTopic(name, t.tenant, t.namespace)
	if err != nil {
		return nil, &pipeline.MessageError{Err: fmt.Errorf("destination topic: %w", err)}
	}
	full := topic.String()
	partitions, err := partitionsOf(ctx, js, full)
	switch {
	case errors.Is(err, ErrNoTopic):
		return &target{err: err, until: time.Now().Add(missingAge)}, nil
	case err != nil:
		return nil, err
	}
	found := newTarget(full, partitions)
	found.until = time.Now().Add(targetAge)
	return found, nil
}

// partitionsOf asks the broker how a topic is partitioned; 0: it is not.
func partitionsOf(ctx context.Context, js jetstream.JetStream, topic string) (int, error) {
	stream, err := js.Stream(ctx, wire.StreamName(topic))
	switch {
	case errors.Is(err, jetstream.ErrStreamNotFound):
		return 0, noTopic(topic)
	case err != nil:
		return 0, fmt.Errorf("topic %s: %w", topic, err)
	}
	text := stream.CachedInfo().Config.Metadata[wire.MetaPartitions]
	if text == "" {
		return 0, nil
	}
	n, err := strconv.Atoi(text)
	if err != nil || n < 0 {
		return 0, fmt.Errorf("topic %s: its stream says %q partitions", topic, text)
	}
	return n, nil
}
