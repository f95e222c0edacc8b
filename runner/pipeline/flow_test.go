package pipeline_test

import (
	"context"
	"encoding/binary"
	"fmt"
	"slices"
	"strconv"
	"testing"
	"time"

	"github.com/functionmesh/terraform-provider-functionmesh/internal/wire"
	"github.com/functionmesh/terraform-provider-functionmesh/runner/pipeline"
	"github.com/functionmesh/terraform-provider-functionmesh/runner/runnertest"
)

// flowing is a fixture whose sink can have several writes under way.
func flowing(messages int) (*fixture, *runnertest.AsyncSink) {
	f := newFixture(messages)
	sink := &runnertest.AsyncSink{MemorySink: f.sink}
	f.config.Sink = sink
	return f, sink
}

// Later batches are read, invoked and sent while the first waits for its receipt.
func TestBatchesAreUnderWayTogether(t *testing.T) {
	f, sink := flowing(12)
	third := make(chan struct{})
	f.sink.Before = func(write int, out []pipeline.Message) (int, error) {
		if write == 2 {
			close(third)
		}
		return len(out), nil
	}
	sink.Receipt = func(ctx context.Context, send int) {
		if send == 0 {
			select {
			case <-third:
			case <-ctx.Done():
			}
			same(t, "settled before a receipt", 0, len(f.lane.Settled()))
		}
	}
	f.mustRun(t)
	same(t, "settled", numbers(12), f.lane.Settled())
	same(t, "written", numbers(12), f.sink.Values())
}

// R6: however many messages wait, no more than a few batches are under way.
func TestR6BatchesUnderWayAreBounded(t *testing.T) {
	f, sink := flowing(400)
	f.config.Limits.BatchMessages = 1
	sent := make(chan struct{}, 400)
	f.sink.Before = func(_ int, out []pipeline.Message) (int, error) {
		sent <- struct{}{}
		return len(out), nil
	}
	sink.Receipt = func(_ context.Context, send int) {
		if send > 0 {
			return
		}
		time.Sleep(20 * time.Millisecond) // time to do wrong
		if n := len(sent); n > 16 {
			t.Errorf("%d batches are under way", n)
		}
	}
	f.mustRun(t)
	same(t, "settled", 400, len(f.lane.Settled()))
}

// R4: a batch whose function was called before an earlier write turned out to have failed
// is sent after the rest of that one.
func TestR4NothingPassesAFailedSend(t *testing.T) {
	for _, ordered := range []bool{false, true} {
		t.Run("Ordered="+strconv.FormatBool(ordered), func(t *testing.T) {
			f, sink := flowing(8)
			f.lane.InOrder = ordered
			invoked, failed := make(chan struct{}), make(chan struct{})
			f.config.Functions = runnertest.Each(func(ctx context.Context, m pipeline.Message) pipeline.Result {
				if string(m.Value) == "5" {
					close(invoked)
					<-failed
					time.Sleep(20 * time.Millisecond) // time for the failure to come to its end
				}
				return runnertest.Echo(ctx, m)
			})
			f.sink.Before = func(write int, out []pipeline.Message) (int, error) {
				if write == 0 {
					return 1, errTest
				}
				return len(out), nil
			}
			sink.Receipt = func(_ context.Context, send int) {
				if send == 0 {
					<-invoked
					close(failed)
				}
			}
			f.mustRun(t)
			same(t, "written", numbers(8), f.sink.Values())
			same(t, "settled", numbers(8), f.lane.Settled())
		})
	}
}

// R4: a write that fails while others are behind it changes no order.
func TestR4FailedSendKeepsOrder(t *testing.T) {
	cases := map[string]error{"Failed": errTest, "Unsent": fmt.Errorf("%w: connect", pipeline.ErrUnsent)}
	for name, failure := range cases {
		for _, ordered := range []bool{false, true} {
			t.Run(name+"Ordered="+strconv.FormatBool(ordered), func(t *testing.T) {
				f, sink := flowing(40)
				f.lane.InOrder = ordered
				f.sink.Before = func(write int, out []pipeline.Message) (int, error) {
					if write%3 == 1 {
						return len(out) / 2, failure
					}
					return len(out), nil
				}
				behind := make(chan struct{}, 100)
				sink.Receipt = func(_ context.Context, send int) {
					behind <- struct{}{}
					time.Sleep(time.Duration(send%3) * time.Millisecond) // others get behind
				}
				f.mustRun(t)
				same(t, "written", numbers(40), f.sink.Values())
				same(t, "settled", numbers(40), f.lane.Settled())
			})
		}
	}
}

// R4: nothing that follows a failing message of an ordered lane is even sent.
func TestR4NothingPassesAFailingMessage(t *testing.T) {
	f, sink := flowing(40)
	f.lane.InOrder = true
	tries := 0
	f.config.Functions = runnertest.Each(func(ctx context.Context, m pipeline.Message) pipeline.Result {
		if string(m.Value) == "18" {
			if tries++; tries < 3 {
				return pipeline.Result{Err: errTest}
			}
		}
		return runnertest.Echo(ctx, m)
	})
	sink.Receipt = func(context.Context, int) { time.Sleep(time.Millisecond) }
	f.mustRun(t)
	same(t, "written", numbers(40), f.sink.Values())
	same(t, "settled", numbers(40), f.lane.Settled())
	same(t, "user failures", 2, f.counts.Failures(pipeline.User))
}

// R4: what an ordered lane gives up when it drains, nothing passes, not even a batch that
// was read before.
func TestR4NothingPassesWhatIsGivenUp(t *testing.T) {
	f, _ := flowing(12)
	f.lane.InOrder, f.lane.Finite = true, false
	drain := make(chan struct{})
	f.config.Drain = drain
	f.config.Delivery = wire.Delivery{MaxRetries: 3, BackoffMs: time.Hour.Milliseconds(), MaxBackoffMs: time.Hour.Milliseconds()}
	f.sink.Before = func(_ int, out []pipeline.Message) (int, error) {
		at := slices.IndexFunc(out, func(m pipeline.Message) bool { return string(m.Value) == "10" })
		if at < 0 {
			return len(out), nil
		}
		time.AfterFunc(5*time.Millisecond, func() {
			f.lane.Add(pipeline.Message{Value: []byte("behind"), Position: pipeline.Numbered(13)})
			time.AfterFunc(20*time.Millisecond, func() { close(drain) })
		})
		return at, &pipeline.MessageError{Err: errTest}
	}
	f.mustRun(t)
	same(t, "written", numbers(9), f.sink.Values())
	same(t, "settled", numbers(9), f.lane.Settled())
	same(t, "bytes held", int64(0), f.inUse())
}

// R7: what was sent when the order to drain comes is waited for and settled.
func TestR7DrainWaitsForReceipts(t *testing.T) {
	f, sink := flowing(12)
	f.lane.Finite = false
	drain := make(chan struct{})
	f.config.Drain = drain
	sink.Receipt = func(_ context.Context, send int) {
		if send == 2 {
			close(drain)
		}
	}
	f.mustRun(t)
	same(t, "settled", numbers(12), f.lane.Settled())
}

// Memory is given back once for each batch, and never while somebody may look at it.
func TestMemoryIsGivenBackWhenNobodyLooks(t *testing.T) {
	f, sink := flowing(40)
	lane := &releasing{MemoryLane: f.lane}
	f.config.Source = oneLane{lane}
	function := &reusing{}
	f.config.Functions = function
	sink.Receipt = func(context.Context, int) { time.Sleep(time.Millisecond) }
	f.mustRun(t)
	same(t, "written", numbers(40), f.sink.Values())
	same(t, "batches given back", 10, lane.released)
	same(t, "results given back", 10, function.reused)
}

// oneLane is a source of one lane.
type oneLane struct{ lane pipeline.Lane }

func (s oneLane) Open(context.Context) ([]pipeline.Lane, error) { return []pipeline.Lane{s.lane}, nil }
func (s oneLane) Close(context.Context) error                   { return nil }

// releasing wipes a batch that is given back.
type releasing struct {
	*runnertest.MemoryLane
	released int
}

func (l *releasing) Release(b pipeline.Batch) {
	l.released++
	for i := range b.Messages {
		clear(b.Messages[i].Value)
		b.Messages[i] = pipeline.Message{}
	}
}

// reusing wipes results that are given back.
type reusing struct{ reused int }

func (r *reusing) ForLane(context.Context, int) (pipeline.Function, error) { return r, nil }
func (r *reusing) Close(context.Context) error                             { return nil }
func (r *reusing) Invoke(ctx context.Context, in []pipeline.Message) ([]pipeline.Result, error) {
	out := make([]pipeline.Message, len(in))
	results := make([]pipeline.Result, len(in))
	for i := range in {
		out[i].Value = slices.Clone(in[i].Value)
		results[i].Outputs = out[i : i+1]
	}
	return results, ctx.Err()
}

func (r *reusing) Reuse(results []pipeline.Result) {
	r.reused++
	for i := range results {
		clear(results[i].Outputs[0].Value)
		results[i] = pipeline.Result{}
	}
}

// R2: each output is written at most once, whatever becomes of the writes around it.
func TestR2SendsAreNotRepeated(t *testing.T) {
	f, sink := flowing(40)
	f.config.Delivery.Guarantee = pipeline.AtMostOnce
	f.sink.Before = func(write int, out []pipeline.Message) (int, error) {
		if write == 2 {
			return 1, errTest
		}
		return len(out), nil
	}
	sink.Receipt = func(context.Context, int) { time.Sleep(time.Millisecond) }
	f.mustRun(t)
	want := slices.Concat(numbers(40)[:9], numbers(40)[12:])
	got := f.sink.Values()
	same(t, "written", want, got)
	same(t, "settled", numbers(40), f.lane.Settled())
}

// R2: what is acknowledged and not stored yet is a batch in each step; of those only one
// was sent, because nobody may send again what a broker that goes away had of it.
func TestR2OneBatchIsSentAtATime(t *testing.T) {
	f, sink := flowing(40)
	f.config.Delivery.Guarantee = pipeline.AtMostOnce
	f.config.Limits.BatchMessages = 4
	invoked, sent := make(chan struct{}, 40), make(chan struct{}, 40)
	f.config.Functions = runnertest.Each(func(ctx context.Context, m pipeline.Message) pipeline.Result {
		invoked <- struct{}{}
		return runnertest.Echo(ctx, m)
	})
	f.sink.Before = func(_ int, out []pipeline.Message) (int, error) {
		sent <- struct{}{}
		return len(out), nil
	}
	sink.Receipt = func(_ context.Context, send int) {
		if send > 0 {
			return
		}
		for range 8 { // the second batch is invoked while the first has no receipt
			<-invoked
		}
		time.Sleep(20 * time.Millisecond) // time to do wrong
		same(t, "sent", 1, len(sent))
		if n := len(f.lane.Settled()); n > 12 {
			t.Errorf("%d messages are acknowledged while nothing is stored", n)
		}
	}
	f.mustRun(t)
	same(t, "written", numbers(40), f.sink.Values())
	same(t, "settled", numbers(40), f.lane.Settled())
}

func TestTraceContextGoesOn(t *testing.T) {
	const parent, state = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01", "vendor=1"
	in := pipeline.Message{Topic: "in", Position: pipeline.Numbered(1), Value: []byte("v"), Properties: map[string]string{
		pipeline.TraceParent: parent, pipeline.TraceState: state, "other": "x",
	}}
	own := map[string]string{pipeline.TraceParent: "mine"}
	outputs := []pipeline.Message{
		{Value: []byte("plain")},
		{Value: []byte("named"), Topic: "elsewhere"},
		{Value: []byte("own"), Properties: own},
		{Value: []byte("own and named"), Topic: "elsewhere", Properties: own},
	}
	carried := map[string]string{pipeline.TraceParent: parent, pipeline.TraceState: state}
	f := newFixture(0)
	lane := runnertest.NewLane("in")
	lane.Finite = true
	lane.Add(in)
	f.config.Source = &runnertest.MemorySource{Lanes: []*runnertest.MemoryLane{lane}}
	f.config.Delivery = wire.Delivery{ForwardProperties: false}
	f.config.Functions = runnertest.Each(func(context.Context, pipeline.Message) pipeline.Result {
		return pipeline.Result{Outputs: slices.Clone(outputs)}
	})
	f.mustRun(t)
	var got []map[string]string
	for _, m := range f.sink.Messages() {
		got = append(got, m.Properties)
	}
	same(t, "properties", []map[string]string{carried, carried, own, own}, got)
}

// Ids of one entry share a beginning that is kept from message to message: what is
// remembered must never show in the id of another.
func TestInputIDs(t *testing.T) {
	at := func(ledger, entry int64, index, count int32) pipeline.Message {
		return pipeline.Message{Topic: "t", Position: pipeline.Position{Ledger: ledger, Entry: entry, Index: index, Count: count}}
	}
	elsewhere, unpartitioned := at(7, 1, 2, 3), at(7, 1, 2, 3)
	elsewhere.Partition, unpartitioned.Unpartitioned = 300, true
	all := []pipeline.Message{
		at(7, 1, 0, 3), at(7, 1, 1, 3), at(7, 1, 2, 3), elsewhere, unpartitioned, at(7, 1, 2, 300), at(7, 1, 299, 300), at(7, 1, 0, 0),
		at(7, 2, 0, 0), at(7, 2, 0, 1), at(1<<60, 1<<40, 1<<30, 1<<30+1), at(0, 0, 0, 0), at(-1, 41, 0, 0), at(-1, 42, 0, 0), at(7, 1, 0, 3),
	}
	var kept pipeline.Texts
	for i := range all {
		var fresh pipeline.Texts
		want := string(fresh.InputID(&all[i]))
		if got := string(kept.InputID(&all[i])); got != want {
			t.Errorf("message %d has id %s, want %s", i, got, want)
		}
	}
	for _, of := range []pipeline.Message{at(7, 1, 0, 20000), at(7, 1<<30, 0, 20000), at(1<<20, 1<<7, 0, 20000)} {
		id := ""
		for in := of; in.Position.Index < in.Position.Count; in.Position.Index++ {
			var fresh pipeline.Texts
			want := string(fresh.InputID(&in))
			if chars, from, ok := kept.InputIDAgain(&in); ok {
				again := binary.LittleEndian.AppendUint32([]byte(id[:from]), chars)
				id = string(append(again, id[from+4:]...))
			} else {
				id = string(kept.InputID(&in))
			}
			if id != want {
				t.Fatalf("message %s has id %s, want %s", in.ID(), id, want)
			}
		}
	}
	if want := "CAcQARgAIAEwAw=="; string(kept.InputID(&all[1])) != want {
		t.Errorf("id is %s, want %s", kept.InputID(&all[1]), want)
	}
}
