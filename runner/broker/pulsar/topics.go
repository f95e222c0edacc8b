package pulsar

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	"github.com/functionmesh/terraform-provider-functionmesh/internal/spec"
	"github.com/functionmesh/terraform-provider-functionmesh/runner/broker/pulsar/conn"
	"github.com/functionmesh/terraform-provider-functionmesh/runner/broker/pulsar/conn/pulsarpb"
	"github.com/functionmesh/terraform-provider-functionmesh/runner/pipeline"
)

const (
	refusedAge  = time.Second     // and what was refused is tried again
	lookTimeout = 5 * time.Second // for asking again about a topic that is known
)

// topic is one that is written to. It never changes: another look makes another.
type topic struct {
	name       string
	partitions int
	until      time.Time
	err        error // a message for it is refused
}

// topics remembers the output topic and those that messages name.
type topics struct {
	sink *Sink

	mu     sync.Mutex
	output *topic
	named  map[string]*topic // by the name that messages use
}

func newTopics(s *Sink) *topics { return &topics{sink: s, named: map[string]*topic{}} }

// good is until when what was found is not looked at again.
func (t *topics) good() time.Time {
	return time.Now().Add(cmp.Or(t.sink.options.LookEvery, lookInterval))
}

// own is the output topic.
func (t *topics) own(ctx context.Context) (*topic, error) {
	t.mu.Lock()
	known := t.output
	t.mu.Unlock()
	o := &t.sink.options.Output
	switch {
	case o.Topic == "":
		return nil, &pipeline.MessageError{Err: errors.New("the component has no output topic and the message names none")}
	case known != nil && (t.sink.exact || time.Now().Before(known.until)):
		return known, nil
	}
	found, err := t.look(ctx, o.Topic, known)
	if err != nil {
		return nil, err
	}
	if t.sink.exact && o.Partitions > 0 {
		// R3: a replay after a restart must choose the same partitions. Those that were
		// added since come into use when the component is applied again, drained.
		if found.partitions < o.Partitions {
			return nil, fmt.Errorf("topic %s has %d partitions on the broker, where it had %d", o.Topic, found.partitions, o.Partitions)
		}
		found.partitions = o.Partitions
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	t.output = found
	return found, nil
}

// find is a topic by the name that a message gives it. One that cannot be written to is
// a *pipeline.MessageError.
func (t *topics) find(ctx context.Context, name string) (*topic, error) {
	t.mu.Lock()
	known := t.named[name]
	t.mu.Unlock()
	if known == nil || time.Now().After(known.until) {
		parsed, err := spec.ParseTopic(name, t.sink.options.Component.Tenant, t.sink.options.Component.Namespace)
		if err != nil {
			return nil, &pipeline.MessageError{Err: fmt.Errorf("destination topic: %w", err)}
		}
		if known != nil && known.err != nil {
			known = nil
		}
		if known, err = t.look(ctx, parsed.String(), known); err != nil {
			return nil, t.ofMessage(name, err)
		}
		t.mu.Lock()
		t.named[name] = known
		t.mu.Unlock()
	}
	if known.err != nil {
		return nil, &pipeline.MessageError{Err: known.err}
	}
	return known, nil
}

// ofMessage makes what the broker refuses because of the topic that a message names the
// message's failure, and remembers it for a moment.
func (t *topics) ofMessage(name string, err error) error {
	var server *conn.ServerError
	if name == "" || !errors.As(err, &server) {
		return err
	}
	switch server.Code {
	case pulsarpb.Code_TOPIC_NOT_FOUND, pulsarpb.Code_INVALID_TOPIC_NAME, pulsarpb.Code_AUTHORIZATION_ERROR,
		pulsarpb.Code_NOT_ALLOWED, pulsarpb.Code_TOPIC_TERMINATED, pulsarpb.Code_INCOMPATIBLE_SCHEMA:
	default:
		return err
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	t.named[name] = &topic{err: err, until: time.Now().Add(refusedAge)}
	return &pipeline.MessageError{Err: err}
}

// look asks the broker. Where a topic is known already, a broker that does not answer
// leaves it as it was.
func (t *topics) look(ctx context.Context, name string, known *topic) (*topic, error) {
	c, err := t.sink.connected()
	if err != nil {
		return nil, err
	}
	if known != nil {
		var cancel context.CancelFunc
		ctx, cancel = context.WithTimeout(ctx, lookTimeout)
		defer cancel()
	}
	n, err := c.Partitions(ctx, name)
	switch {
	case err != nil && known != nil:
		n = known.partitions
	case err != nil:
		return nil, fmt.Errorf("partitions of topic %s: %w", name, classed(err))
	case known != nil && n < known.partitions:
		n = known.partitions // deleted, and made again by its producers one by one
	}
	if known != nil && n == known.partitions {
		again := *known
		again.until = t.good()
		return &again, nil
	}
	return &topic{name: name, partitions: n, until: t.good()}, nil
}
