package pipeline_test

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"
	"sync/atomic"
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

// itself is the two ways to say that a message is done while it is at work.
var itself = map[string]func(m *pipeline.Message, r *pipeline.Result){
	"Acks": func(m *pipeline.Message, r *pipeline.Result) { r.Acks = append(r.Acks, ack(m, false)) },
	"Done": func(_ *pipeline.Message, r *pipeline.Result) { r.Done = true },
}

func ack(m *pipeline.Message, nack bool) pipeline.Ack {
	return pipeline.Ack{Topic: m.Topic, Partition: m.Partition, Position: m.Position, Nack: nack}
}

// Nothing is acknowledged but what user code says, and that after its outputs are
// written.
func TestManualAcknowledgesWhatItIsTold(t *testing.T) {
	for way, done := range itself {
		for _, ordered := range []bool{false, true} {
			t.Run(fmt.Sprint(way, ordered), func(t *testing.T) {
				f := byHand(12)
				f.lane.InOrder = ordered
				var held *pipeline.Message
				f.config.Functions = runnertest.Each(func(_ context.Context, m pipeline.Message) pipeline.Result {
					r := runnertest.Echo(t.Context(), m)
					switch string(m.Value) {
					case "3":
						held = &m // until a later call
					case "7":
						r.Acks = []pipeline.Ack{ack(held, false)}
						done(&m, &r)
					case "11": // never
					default:
						done(&m, &r)
					}
					return r
				})
				f.mustRun(t)
				want := slices.DeleteFunc(numbers(12), func(v string) bool { return v == "11" })
				got := f.lane.Settled()
				slices.SortFunc(got, func(a, b string) int { return slices.Index(want, a) - slices.Index(want, b) })
				same(t, "acknowledged", want, got)
				same(t, "written", numbers(12), f.sink.Values())
			})
		}
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

// What fails is retried and dead-lettered as ever, unless user code has decided over it;
// that counts also when what it returned cannot be written.
func TestManualFailuresAreRetried(t *testing.T) {
	for way, done := range itself {
		t.Run(way, func(t *testing.T) {
			f := byHand(4)
			f.config.Functions = runnertest.Each(func(_ context.Context, m pipeline.Message) pipeline.Result {
				var r pipeline.Result
				switch string(m.Value) {
				case "2":
					return pipeline.Result{Err: errTest}
				case "3":
					r.Err = errTest
				case "4":
					r = runnertest.Echo(t.Context(), m)
				}
				done(&m, &r)
				return r
			})
			f.sink.Before = func(int, []pipeline.Message) (int, error) {
				return 0, &pipeline.MessageError{Err: errTest}
			}
			f.mustRun(t)
			got := f.lane.Settled()
			slices.Sort(got)
			same(t, "acknowledged", numbers(4), got)
			same(t, "dead letters", []string{"2"}, f.dead.Values())
			same(t, "redeliveries", 3, len(f.lane.Delays()))
		})
	}
}

// On an ordered lane what failed is retried in place; what one attempt acknowledged stays so.
func TestManualAcknowledgesOnceForAllAttempts(t *testing.T) {
	for way, done := range itself {
		t.Run(way, func(t *testing.T) {
			f := byHand(3)
			f.lane.InOrder = true
			calls := 0
			f.config.Functions = runnertest.Each(func(_ context.Context, m pipeline.Message) pipeline.Result {
				var r pipeline.Result
				if string(m.Value) == "2" {
					if calls++; calls > 1 {
						return r // acknowledged by the first
					}
					r.Err = errTest
				}
				done(&m, &r)
				return r
			})
			f.mustRun(t)
			got := f.lane.Settled()
			slices.Sort(got)
			same(t, "acknowledged", numbers(3), got)
			same(t, "calls of the one that failed", 2, calls)
		})
	}
}

// forgetful is user code that began anew.
type forgetful struct {
	runnertest.Each
	times *atomic.Int64
}

func (f forgetful) Replaced() int64 { return f.times.Load() }
func (f forgetful) ForLane(context.Context, int) (pipeline.Function, error) {
	return f, nil
}

// What user code had not acknowledged when it ended is given back, and an instance whose
// user code had acknowledged everything goes on.
func TestManualOfUserCodeThatEnds(t *testing.T) {
	for name, keeps := range map[string]bool{"Keeping": true, "KeepingNothing": false} {
		t.Run(name, func(t *testing.T) {
			f := byHand(12)
			var times atomic.Int64
			times.Store(7) // in lanes before
			f.config.Functions = forgetful{func(_ context.Context, m pipeline.Message) pipeline.Result {
				switch string(m.Value) {
				case "2":
					return pipeline.Result{Done: !keeps}
				case "7":
					times.Add(1)
				}
				return pipeline.Result{Done: true}
			}, &times}
			err := f.run(t)
			if keeps != errors.Is(err, pipeline.ErrForgotten) || !keeps && err != nil {
				t.Errorf("the instance ended with %v", err)
			}
			if slices.Contains(f.lane.Settled(), "2") == keeps || slices.Contains(f.lane.Settled(), "12") == keeps {
				t.Errorf("acknowledged %v", f.lane.Settled())
			}
		})
	}
}

func TestManualNeedsALaneForIt(t *testing.T) {
	f := newFixture(4)
	f.config.Delivery.Guarantee = pipeline.Manual
	var terminal *pipeline.TerminalError
	if err := f.run(t); !errors.As(err, &terminal) {
		t.Errorf("got %v", err)
	}
}

// Two lanes of one worker: what user code says of a message of one lane comes with a
// batch of the other, and before the first lane's batch has its receipts.
func TestManualAcknowledgesAheadOfReceipts(t *testing.T) {
	for _, nack := range []bool{false, true} {
		t.Run(fmt.Sprint(nack), func(t *testing.T) {
			f := byHand(1)
			other := runnertest.NewLane("persistent://public/default/other", "other")
			other.Finite = true
			ended := make(chan struct{})
			f.config.Source = lanes{&runnertest.HandLane{MemoryLane: f.lane}, &telling{&runnertest.HandLane{MemoryLane: other}, sync.OnceFunc(func() { close(ended) })}}
			called := make(chan *pipeline.Message, 1)
			f.config.Functions = runnertest.Each(func(ctx context.Context, m pipeline.Message) pipeline.Result {
				r := runnertest.Echo(ctx, m)
				switch {
				case string(m.Value) == "other":
					return pipeline.Result{Acks: []pipeline.Ack{ack(<-called, nack)}, Done: true}
				case m.Redelivery > 0:
					r.Done = true
				default:
					called <- &m
				}
				return r
			})
			f.sink.Before = func(_ int, out []pipeline.Message) (int, error) {
				<-ended // the other lane's batch, which has no output
				return len(out), nil
			}
			f.mustRun(t)
			same(t, "acknowledged", []string{"1"}, f.lane.Settled())
		})
	}
}

// telling says when a batch was brought to its end.
type telling struct {
	*runnertest.HandLane
	ended func()
}

func (l *telling) Release(pipeline.Batch) { l.ended() }

// lanes is a source of several.
type lanes []pipeline.Lane

func (s lanes) Open(context.Context) ([]pipeline.Lane, error) { return s, nil }
func (s lanes) Close(context.Context) error                   { return nil }
