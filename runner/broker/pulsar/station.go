package pulsar

import (
	"context"
	"errors"
	"maps"
	"strconv"
	"sync"
	"time"

	"github.com/functionmesh/terraform-provider-functionmesh/internal/spec"
	"github.com/functionmesh/terraform-provider-functionmesh/internal/wire"
	"github.com/functionmesh/terraform-provider-functionmesh/runner/broker/pulsar/conn"
	"github.com/functionmesh/terraform-provider-functionmesh/runner/broker/pulsar/subscription"
)

// Bytes that the partitions of a source hold ahead of the pipeline, all and each.
const (
	aheadBytes    = 32 << 20
	aheadEach     = 8 << 20
	aheadLeast    = 512 << 10
	aheadMessages = 1000 // Pulsar's default of a receiver queue
)

// station is this instance's consumer on one partition, and the lane while the partition
// is the instance's.
type station struct {
	source    *Source
	in        *wire.Input
	partition int
	of        int    // partitions of the topic; 0: it has none
	topic     string // full name of the partition's topic
	sub       *subscription.Subscription
	reads     sync.Mutex // held by the lane that reads

	incarnation uint64 // in which the broker last said that the partition is ours

	mu   sync.Mutex
	lane *lane
}

func newStation(s *Source, in *wire.Input, partition, of int) *station {
	return &station{source: s, in: in, partition: partition, of: of, topic: partitionName(in.Topic, of, partition)}
}

func (st *station) open(ctx context.Context, c *conn.Client, later bool) error {
	s := st.source
	o, from := &s.options, s.options.Source.Subscription
	properties := map[string]string{
		"application": "pulsar-" + o.Component.Kind,
		"id":          o.Component.Tenant + "/" + o.Component.Namespace + "/" + o.Component.Name,
		"instance_id": strconv.Itoa(o.Instance.ID),
	}
	maps.Copy(properties, st.in.Properties)
	var err error
	st.sub, err = subscription.Open(ctx, subscription.Options{
		Client: c, Topic: st.topic, Name: from.Name, Mode: from.Mode,
		// What was written to a new partition before it was noticed belongs to it.
		Earliest:     later || from.Position == string(spec.Earliest),
		SkipToLatest: from.SkipToLatest && !later,
		Compacted:    st.in.Compacted,
		Alone:        o.Instance.Parallelism == 1,
		Gated:        from.Mode == wire.Failover,
		Create:       true, Recreate: true,
		ConsumerName: o.Name + "-" + strconv.Itoa(o.Instance.ID),
		Properties:   properties,
		// R6: what is read ahead is bounded, beside what the pipeline holds.
		QueueMessages: queueMessages(st.in.QueueSize),
		QueueGrows:    st.in.QueueSize <= 0,
		QueueBytes:    queueBytes(max(st.of, 1) * len(o.Source.Inputs)),
		Report:        st.report,
	})
	return err
}

func queueMessages(asked int) int {
	if asked > 0 {
		return asked
	}
	return aheadMessages
}

func queueBytes(lanes int) int64 {
	return max(aheadLeast, min(aheadEach, aheadBytes/int64(lanes)))
}

// report passes on what the subscription says, and notes whether the broker could still
// write down what it had confirmed.
func (st *station) report(err error) {
	if lost, ok := errors.AsType[*subscription.LostError](err); ok {
		st.mu.Lock()
		if st.lane != nil {
			st.lane.lost(lost.Err != nil)
		}
		st.mu.Unlock()
	}
	st.source.report(err)
}

// run gives the lane of a failover subscription to the pipeline while the partition is
// this instance's.
func (st *station) run(ctx context.Context) {
	away := time.NewTimer(time.Hour)
	defer away.Stop()
	for {
		changed := st.sub.Changed()
		away.Reset(st.look(ctx))
		select {
		case <-changed:
		case <-away.C:
			if l := st.held(); l != nil && !st.sub.Active() {
				st.takeBack(l)
			}
		case <-ctx.Done():
			return
		}
	}
}

// look gives the lane, or takes it back, as the broker says. It returns how long a lane
// about which nothing is said may stay.
func (st *station) look(ctx context.Context) time.Duration {
	l := st.held()
	incarnation, connected, active := st.sub.Standing()
	switch {
	case active:
		if l == nil {
			st.give(ctx)
		}
		st.incarnation = incarnation
		st.sub.Admit(incarnation)
		return time.Hour
	case l == nil:
		return time.Hour
	case !connected:
		return awayMost
	case incarnation != st.incarnation:
		return activeWait // connected again: it is told in a moment, if at all
	}
	st.takeBack(l)
	return time.Hour
}

// takeBack ends the lane: the partition is another instance's now. R4: it reads no more
// when the next one may. What it took from before that one would be missing there.
func (st *station) takeBack(l *lane) {
	st.source.log.Info("another instance has the partition now", "lane", l.name)
	l.fence()
	st.reads.Lock()
	defer st.reads.Unlock()
	st.hold(nil)
}

func (st *station) held() *lane {
	st.mu.Lock()
	defer st.mu.Unlock()
	return st.lane
}

func (st *station) hold(l *lane) {
	st.mu.Lock()
	defer st.mu.Unlock()
	st.lane = l
}

func (st *station) give(ctx context.Context) {
	o := &st.source.options
	mode := o.Source.Subscription.Mode
	malformed := o.Malformed
	if malformed == nil {
		malformed = func(string, int) {}
	}
	l := newLane(ctx, st.sub, laneOptions{
		place: place{topic: st.in.Topic, partition: st.partition, unpartitioned: st.of == 0}, name: st.topic,
		ordered:   mode != wire.Shared,
		once:      o.Delivery.Guarantee == atMostOnce,
		exact:     o.Delivery.Guarantee == effectivelyOnce,
		nackDelay: time.Duration(o.Source.Subscription.NackDelayMs) * time.Millisecond,
		restart:   st.sub.Restart,
		report:    st.source.report,
		malformed: malformed,
		reads:     &st.reads,
	})
	st.hold(l)
	st.source.tasks.Go(func() { l.later.run(l.mine) })
	st.source.grown.Put(l)
}
