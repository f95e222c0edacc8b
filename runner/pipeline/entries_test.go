package pipeline_test

import (
	"context"
	"errors"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/functionmesh/terraform-provider-functionmesh/runner/pipeline"
	"github.com/functionmesh/terraform-provider-functionmesh/runner/runnertest"
)

const perEntry = 5

// exactly is a fixture of entries of five messages each, in order.
func exactly(t *testing.T, entries int) (*fixture, *runnertest.AsyncSink) {
	t.Helper()
	f, sink := flowing(0)
	f.lane.InOrder = true
	f.lane.Entries = true
	f.lane.Add(entriesOf(entries)...)
	f.config.Delivery.Guarantee = pipeline.EffectivelyOnce
	f.config.Limits.BatchMessages = perEntry + 1 // two entries, or one
	if !asynchronous {
		f.config.Sink = struct{ pipeline.Sink }{sink}
	}
	return f, sink
}

func entriesOf(n int) []pipeline.Message {
	var out []pipeline.Message
	for i := range n * perEntry {
		out = append(out, pipeline.Message{
			Topic: "in", Value: []byte(strconv.Itoa(i + 1)),
			Position: pipeline.Position{Ledger: 1, Entry: int64(i / perEntry), Index: int32(i % perEntry), Count: perEntry},
		})
	}
	return out
}

// entryOf is the number of the entry of a value.
func entryOf(value string) int {
	n, _ := strconv.Atoi(value)
	return (n - 1) / perEntry
}

func TestR3BatchesAreWholeEntries(t *testing.T) {
	f, _ := exactly(t, 8)
	f.config.Functions = runnertest.Batches(func(ctx context.Context, in []pipeline.Message) ([]pipeline.Result, error) {
		if in[0].Position.Index != 0 || !in[len(in)-1].Position.Last() {
			t.Errorf("a batch from %+v to %+v", in[0].Position, in[len(in)-1].Position)
		}
		return runnertest.Each(runnertest.Echo).Invoke(ctx, in)
	})
	f.mustRun(t)
	same(t, "written", numbers(40), f.sink.Values())
	same(t, "settled", 40, len(f.lane.Settled()))
}

func TestR3PartOfAnEntryIsRefused(t *testing.T) {
	f, _ := exactly(t, 8)
	f.lane.Entries = false
	var terminal *pipeline.TerminalError
	if err := f.run(t); !errors.As(err, &terminal) {
		t.Errorf("got %v", err)
	}
	same(t, "written", 0, len(f.sink.Values()))
	same(t, "bytes held", int64(0), f.inUse())
}

// R3: before the first output of an entry is written, its failures are resolved.
func TestR3FailuresComeBeforeOutputs(t *testing.T) {
	f, _ := exactly(t, 8)
	f.config.Functions = failOn("7", "9", "31")
	f.sink.Before = func(_ int, out []pipeline.Message) (int, error) {
		for _, m := range out {
			if e := entryOf(string(m.Value)); e == 1 && len(f.dead.Values()) < 2 || e == 6 && len(f.dead.Values()) < 3 {
				t.Errorf("%s was written before its entry was resolved", m.Value)
			}
			same(t, "cause", string(m.Value), string(m.Cause.Value))
		}
		return len(out), nil
	}
	writes := 0
	f.dead.Before = func(_ int, out []pipeline.Message) (int, error) {
		writes++
		for _, m := range out {
			same(t, "entry of a dead letter", entryOf(string(m.Value)), int(m.Cause.Position.Entry))
		}
		return len(out), nil
	}
	f.mustRun(t)
	want := slices.DeleteFunc(numbers(40), func(v string) bool { return v == "7" || v == "9" || v == "31" })
	same(t, "written", want, f.sink.Values())
	same(t, "dead letters", []string{"7", "9", "31"}, f.dead.Values())
	same(t, "writes of dead letters, one for each entry", 2, writes)
	same(t, "settled", 40, len(f.lane.Settled()))
}

func TestR3AFailureThatPassesLeavesNoTrace(t *testing.T) {
	f, _ := exactly(t, 4)
	tries := map[string]int{}
	f.config.Functions = runnertest.Each(func(ctx context.Context, m pipeline.Message) pipeline.Result {
		if v := string(m.Value); v == "8" || v == "10" {
			if tries[v]++; tries[v] < 3 {
				return pipeline.Result{Err: errTest}
			}
		}
		return runnertest.Echo(ctx, m)
	})
	f.mustRun(t)
	same(t, "written", numbers(20), f.sink.Values())
	same(t, "dead letters", 0, len(f.dead.Values()))
}

// R3: a write that fails is repeated from the beginning of an entry, and settled no
// further than that.
func TestR3PrefixEndsWithAnEntry(t *testing.T) {
	f, _ := exactly(t, 8)
	f.config.Limits.BatchMessages = 3 * perEntry
	f.sink.Before = func(write int, out []pipeline.Message) (int, error) {
		if out[0].Cause.Position.Index != 0 {
			t.Errorf("a write begins with message %d of an entry", out[0].Cause.Position.Index)
		}
		if n := len(f.lane.Settled()); n%perEntry != 0 {
			t.Errorf("%d messages are settled", n)
		}
		if write%2 == 0 {
			return len(out) / 2 / perEntry * perEntry, errTest
		}
		return len(out), nil
	}
	f.mustRun(t)
	same(t, "written", numbers(40), f.sink.Values())
}

// R3: what a sink will refuse is known before the entry's first output is written.
func TestR3RefusedOutputsAreFoundBefore(t *testing.T) {
	for _, before := range []bool{true, false} {
		t.Run("Checked="+strconv.FormatBool(before), func(t *testing.T) {
			f, sink := exactly(t, 8)
			refuse := func(out []pipeline.Message) (int, error) {
				at := slices.IndexFunc(out, func(m pipeline.Message) bool { return string(m.Value) == "18" })
				if at < 0 {
					return len(out), nil
				}
				n := 0
				for n < at && entryOf(string(out[n].Value)) < entryOf("18") {
					n++
				}
				return n, &pipeline.MessageError{Err: errTest, At: at - n}
			}
			f.config.Functions = failOn("16")
			f.sink.Before = func(_ int, out []pipeline.Message) (int, error) { return refuse(out) }
			if before {
				sink.Refuse = func(out []pipeline.Message) error {
					n, err := refuse(out)
					if refused, ok := errors.AsType[*pipeline.MessageError](err); ok {
						refused.At += n
					}
					return err
				}
			}
			f.mustRun(t)
			want := slices.DeleteFunc(numbers(40), func(v string) bool { return v == "16" || v == "18" })
			same(t, "written", want, f.sink.Values())
			dead := f.dead.Values()
			slices.Sort(dead)
			same(t, "dead letters", "16 18", strings.Join(dead, " "))
			same(t, "settled", 40, len(f.lane.Settled()))
		})
	}
}
