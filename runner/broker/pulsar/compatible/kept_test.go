package compatible_test

import (
	"context"
	"slices"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/functionmesh/terraform-provider-functionmesh/internal/wire"
	"github.com/functionmesh/terraform-provider-functionmesh/runner/broker/pulsar/pulsartest"
	"github.com/functionmesh/terraform-provider-functionmesh/runner/pipeline"
)

// What user code keeps the broker delivers again over another connection. It is neither
// handed out again nor acknowledged by anybody but user code.
func TestPulsarByHandOverAnotherConnection(t *testing.T) {
	s := pulsartest.Need(t)
	for name, c := range map[string]struct {
		each int
		mode wire.Mode
	}{"Plain": {1, wire.Shared}, "Batched": {5, wire.Shared}, "PlainInOrder": {1, wire.Failover}, "BatchedInOrder": {5, wire.Failover}} {
		t.Run(name, func(t *testing.T) {
			topic := s.Namespace(t, pulsartest.Policies{}).Topic(t, "t", 0)
			s.Subscribe(t, topic, "sub", "earliest")
			fill(t, s, topic, texts("v", 10), c.each)
			o := sourceOptions(s, topic, c.mode)
			o.Delivery.Guarantee = pipeline.Manual
			source := newSource(t, o)
			l := open(t, source)[0]
			keep := func(*pipeline.Message) pipeline.Verdict { return pipeline.Verdict{Keep: true} }
			all := read(t, l, 10, keep)
			s.Unload(t, topic)
			// Behind what comes again, so that this has come when it is there.
			fill(t, s, topic, texts("w", 1), 1)
			if diff := cmp.Diff([]string{"w-0000"}, valuesOf(read(t, l, 1, done))); diff != "" {
				t.Fatal(diff)
			}
			hand, ok := l.(pipeline.ByHand)
			if !ok {
				t.Fatalf("%T cannot be acknowledged by hand", l)
			}
			var acks []pipeline.Ack
			for i := range all[:3] {
				acks = append(acks, pipeline.Ack{Topic: topic, Partition: all[i].Partition, Position: all[i].Position})
			}
			if err := hand.Acknowledge(t.Context(), acks); err != nil {
				t.Fatal(err)
			}
			if got := hand.Unacknowledged(); got != 7 {
				t.Errorf("%d kept", got)
			}
			if err := source.Close(context.WithoutCancel(t.Context())); err != nil {
				t.Fatal(err)
			}
			var left []string
			for _, v := range s.Unacknowledged(t, topic, 0, "sub") {
				// Brokers need not keep sets of what is acknowledged of an entry.
				if c.each == 1 || !slices.Contains(valuesOf(all[:3]), string(v)) {
					left = append(left, string(v))
				}
			}
			if diff := cmp.Diff(valuesOf(all[3:]), left); diff != "" {
				t.Error(diff)
			}
		})
	}
}
