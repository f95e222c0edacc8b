package pulsar

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"maps"
	"strconv"
	"strings"
	"time"

	"github.com/functionmesh/terraform-provider-functionmesh/internal/spec"
	"github.com/functionmesh/terraform-provider-functionmesh/internal/wire"
	"github.com/functionmesh/terraform-provider-functionmesh/runner/broker/pulsar/conn"
	"github.com/functionmesh/terraform-provider-functionmesh/runner/broker/pulsar/entry"
	"github.com/functionmesh/terraform-provider-functionmesh/runner/broker/pulsar/subscription"
	"github.com/functionmesh/terraform-provider-functionmesh/runner/pipeline"
)

// RedriveOptions say which dead letters are sent again.
type RedriveOptions struct {
	Broker wire.Broker
	Topic  string                      // of the dead letters, full name
	To     string                      // where they go; "": to the topic that each came from
	Match  func(pipeline.Message) bool // nil: all
	Limit  int                         // at most so many; 0: all that are there now
	Logger *slog.Logger                // nil: discarded
}

// Redriven counts dead letters.
type Redriven struct {
	Sent     int // stored where they came from, and acknowledged here
	Passed   int // did not match: they stay
	Homeless int // name no topic, or one that takes them not: they stay
}

// Properties of dead letters: our own begin with deadPrefix, those of Pulsar's clients
// are named one by one.
const (
	deadPrefix  = "Fm-"
	redriven    = "Fm-Redriven" // how often it was sent again
	realTopic   = "REAL_TOPIC"
	redriveIdle = 3 * time.Second
)

//nolint:gochecknoglobals // a set
var clientsOwn = map[string]bool{
	realTopic: true, "ORIGIN_MESSAGE_ID": true, "ORIGIN_MESSAGE_IDY_TIME": true, "RECONSUMETIMES": true, "DELAY_TIME": true,
}

// Redrive sends dead letters back to the topic that each came from, without the
// properties that made them dead letters, and acknowledges each after its receipt. One
// that was sent when Redrive was killed is sent again, and so are those that lie in one
// entry with what stays, where the broker does not acknowledge parts of entries. Only one
// Redrive runs on a topic.
func Redrive(ctx context.Context, o RedriveOptions) (done Redriven, err error) {
	c, err := conn.New(o.Broker, conn.Options{Logger: o.Logger, Patience: openTimeout})
	if err != nil {
		return done, classed(err)
	}
	defer func() { err = errors.Join(err, c.Close()) }()
	sink, err := NewSink(SinkOptions{Broker: o.Broker, Component: wire.Component{Kind: "redrive"}, DeadLetter: true, Logger: o.Logger})
	if err != nil {
		return done, err
	}
	defer func() { err = errors.Join(err, sink.Close(ctx)) }()
	n, err := c.Partitions(ctx, o.Topic)
	if err != nil {
		return done, fmt.Errorf("partitions of topic %s: %w", o.Topic, classed(err))
	}
	for p := range max(n, 1) {
		d := redrive{
			options: o, sink: sink, done: &done,
			place: place{topic: o.Topic, partition: p, unpartitioned: n == 0},
		}
		if err := d.run(ctx, c, partitionName(o.Topic, n, p)); err != nil {
			return done, fmt.Errorf("redrive %s: %w", o.Topic, classed(err))
		}
	}
	return done, nil
}

// redrive is one partition's.
type redrive struct {
	place
	options RedriveOptions
	sink    *Sink
	done    *Redriven
	sub     *subscription.Subscription
}

func (r *redrive) run(ctx context.Context, c *conn.Client, topic string) (err error) {
	opening, cancel := context.WithTimeout(ctx, openTimeout)
	defer cancel()
	if r.sub, err = subscription.Open(opening, subscription.Options{
		Client: c, Topic: topic, Name: spec.RedriveSubscription, Mode: wire.Exclusive, Earliest: true,
	}); err != nil {
		return err
	}
	defer func() { err = errors.Join(err, r.sub.Close(ctx)) }()
	end, err := r.sub.LastID(ctx)
	if err != nil || end.Entry < 0 {
		return err
	}
	for !r.full() {
		d, err := r.next(ctx)
		if d == nil || err != nil {
			return err
		}
		at := d.ID
		if err := r.again(ctx, d); err != nil {
			return err
		}
		if at.Compare(end) >= 0 {
			return nil
		}
	}
	return nil
}

func (r *redrive) full() bool { return r.options.Limit > 0 && r.done.Sent >= r.options.Limit }

// next is the next entry; nil: everything was sent again before.
func (r *redrive) next(ctx context.Context) (*subscription.Delivery, error) {
	idle, cancel := context.WithTimeout(ctx, redriveIdle)
	defer cancel()
	d, err := r.sub.Receive(idle)
	if err != nil && idle.Err() != nil && ctx.Err() == nil {
		return nil, nil //nolint:nilnil // see above
	}
	return d, err
}

// again sends the messages of one entry.
func (r *redrive) again(ctx context.Context, d *subscription.Delivery) error {
	defer d.Release()
	dead, err := r.all(d)
	if err != nil {
		if errors.Is(err, entry.Marker) {
			return r.sub.Ack(ctx, []subscription.Ack{{ID: d.ID}}, true)
		}
		return unreadable(r.topic, d.ID, err)
	}
	left := make([]int64, (d.Entry.Count+63)/64)
	var out []pipeline.Message
	var places []int
	for i := range dead {
		at := int(dead[i].Position.Index)
		if m, ok := r.alive(&dead[i], len(out)); ok {
			out, places = append(out, m), append(places, at)
		} else {
			left[at>>6] |= 1 << (at & 63)
		}
	}
	kept, err := r.send(ctx, out)
	for _, k := range kept {
		left[places[k]>>6] |= 1 << (places[k] & 63)
	}
	if len(kept) == len(out) {
		return err
	}
	ack := subscription.Ack{ID: d.ID}
	if subscription.Left(left) > 0 {
		ack.Set, ack.Size = left, d.Entry.Count
	}
	return errors.Join(err, r.sub.Ack(ctx, []subscription.Ack{ack}, true))
}

// alive is what is sent for a dead letter; false: it stays.
func (r *redrive) alive(dead *pipeline.Message, before int) (pipeline.Message, bool) {
	o := &r.options
	switch {
	case o.Limit > 0 && r.done.Sent+before >= o.Limit:
		return pipeline.Message{}, false
	case o.Match != nil && !o.Match(*dead):
		r.done.Passed++
		return pipeline.Message{}, false
	}
	m := pipeline.Message{Topic: o.To, Key: dead.Key, Value: dead.Value, EventTime: dead.EventTime, Properties: maps.Clone(dead.Properties)}
	if m.Topic == "" {
		m.Topic = dead.Properties[pipeline.DeadTopic]
	}
	if m.Topic == "" {
		m.Topic = dead.Properties[realTopic]
	}
	if m.Topic == "" {
		r.done.Homeless++
		return pipeline.Message{}, false
	}
	times, _ := strconv.Atoi(dead.Properties[redriven]) // none, as a rule
	if m.Properties == nil {
		m.Properties = map[string]string{}
	}
	maps.DeleteFunc(m.Properties, func(name, _ string) bool { return strings.HasPrefix(name, deadPrefix) || clientsOwn[name] })
	m.Properties[redriven] = strconv.Itoa(times + 1)
	return m, true
}

// send returns which messages no topic takes. After an error the rest is not acknowledged
// either.
func (r *redrive) send(ctx context.Context, out []pipeline.Message) (kept []int, err error) {
	for at := 0; at < len(out); {
		n, err := r.sink.Write(ctx, out[at:])
		r.done.Sent += n
		if at += n; err == nil {
			return kept, nil
		}
		if !isRefusal(err) {
			for ; at < len(out); at++ {
				kept = append(kept, at)
			}
			return kept, err
		}
		orDiscard(r.options.Logger).Warn("a dead letter stays", "topic", out[at].Topic, "error", err)
		r.done.Homeless++
		kept = append(kept, at)
		at++
	}
	return kept, nil
}
