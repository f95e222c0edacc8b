package pipeline_test

import (
	"context"
	"errors"
	"slices"
	"testing"

	"github.com/functionmesh/terraform-provider-functionmesh/runner/pipeline"
	"github.com/functionmesh/terraform-provider-functionmesh/runner/runnertest"
)

// byHand is a fixture whose lane is acknowledged by user code.
func byHand(messages int) *fixture {
	f := newFixture(messages)
	f.config.Delivery.Guarantee = pipeline.Manual
	f.config.Source = oneLane{&runnertest.HandLane{MemoryLane: f.lane}}
	return f
}

func ack(m *pipeline.Message, nack bool) pipeline.Ack {
	return pipeline.Ack{Topic: m.Topic, Partition: m.Partition, Position: m.Position, Nack: nack}
}

// Nothing is acknowledged but what user code says, and that after its outputs are
// written.
func TestManualAcknowledgesWhatItIsTold(t *testing.T) {
	for _, ordered := range []bool{false, true} {
		f := byHand(12)
		f.lane.InOrder = ordered
		var held *pipeline.Message
		f.config.Functions = runnertest.Each(func(_ context.Context, m pipeline.Message) pipeline.Result {
			r := runnertest.Echo(t.Context(), m)
			switch string(m.Value) {
			case "3":
				held = &m // until a later call
			case "7":
				r.Acks = []pipeline.Ack{ack(held, false), ack(&m, false)}
			case "11": // never
			default:
				r.Acks = []pipeline.Ack{ack(&m, false)}
			}
			return r
		})
		f.mustRun(t)
		want := slices.DeleteFunc(numbers(12), func(v string) bool { return v == "11" })
		got := f.lane.Settled()
		slices.SortFunc(got, func(a, b string) int { return slices.Index(want, a) - slices.Index(want, b) })
		same(t, "acknowledged", want, got)
		same(t, "written", numbers(12), f.sink.Values())
	}
}

func TestManualNackBringsItAgain(t *testing.T) {
	f := byHand(4)
	f.config.Functions = runnertest.Each(func(_ context.Context, m pipeline.Message) pipeline.Result {
		return pipeline.Result{Acks: []pipeline.Ack{ack(&m, string(m.Value) == "2" && m.Redelivery < 2)}}
	})
	f.mustRun(t)
	same(t, "acknowledged", []string{"1", "3", "4", "2"}, f.lane.Settled())
	same(t, "redeliveries", 2, len(f.lane.Delays()))
}

// What fails is retried and dead-lettered as ever, unless user code has decided over it.
func TestManualFailuresAreRetried(t *testing.T) {
	f := byHand(4)
	f.config.Functions = runnertest.Each(func(_ context.Context, m pipeline.Message) pipeline.Result {
		r := pipeline.Result{Acks: []pipeline.Ack{ack(&m, false)}}
		switch string(m.Value) {
		case "2":
			return pipeline.Result{Err: errTest}
		case "3":
			r.Err = errTest
		}
		return r
	})
	f.mustRun(t)
	got := f.lane.Settled()
	slices.Sort(got)
	same(t, "acknowledged", numbers(4), got)
	same(t, "dead letters", []string{"2"}, f.dead.Values())
	same(t, "redeliveries", 3, len(f.lane.Delays()))
}

func TestManualNeedsALaneForIt(t *testing.T) {
	f := newFixture(4)
	f.config.Delivery.Guarantee = pipeline.Manual
	var terminal *pipeline.TerminalError
	if err := f.run(t); !errors.As(err, &terminal) {
		t.Errorf("got %v", err)
	}
}
