package pipeline_test

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/functionmesh/terraform-provider-functionmesh/internal/wire"
	"github.com/functionmesh/terraform-provider-functionmesh/runner/pipeline"
	"github.com/functionmesh/terraform-provider-functionmesh/runner/runnertest"
)

var errTest = errors.New("made to fail")

// fixture is a pipeline over memory.
type fixture struct {
	lane   *runnertest.MemoryLane
	sink   *runnertest.MemorySink
	dead   *runnertest.MemorySink
	counts *runnertest.Counts
	config pipeline.Config
}

func numbers(n int) []string {
	out := make([]string, n)
	for i := range out {
		out[i] = strconv.Itoa(i + 1)
	}
	return out
}

// newFixture has a finite lane of values "1", "2", …, an echo and fast retries.
func newFixture(messages int) *fixture {
	f := &fixture{
		lane: runnertest.NewLane("persistent://public/default/in", numbers(messages)...),
		sink: &runnertest.MemorySink{}, dead: &runnertest.MemorySink{}, counts: &runnertest.Counts{},
	}
	f.lane.Finite = true
	f.config = pipeline.Config{
		Source:       &runnertest.MemorySource{Lanes: []*runnertest.MemoryLane{f.lane}},
		Functions:    runnertest.Each(runnertest.Echo),
		Sink:         sinkOf(f.sink),
		DeadLetter:   f.dead,
		Delivery:     wire.Delivery{Guarantee: "atleast_once", MaxRetries: 3, BackoffMs: 1, MaxBackoffMs: 2},
		Limits:       wire.Limits{BatchMessages: 4},
		Subscription: "public/default/f",
		Observer:     f.counts,
		Budget:       pipeline.NewBudget(1 << 20),
	}
	return f
}

// inUse is what the run held of its budget when it ended.
func (f *fixture) inUse() int64 {
	if f.config.Budget == nil {
		return 0
	}
	return f.config.Budget.InUse()
}

func (f *fixture) run(t *testing.T) error {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 30*time.Second)
	defer cancel()
	return pipeline.Run(ctx, f.config)
}

func (f *fixture) mustRun(t *testing.T) {
	t.Helper()
	if err := f.run(t); err != nil {
		t.Fatal(err)
	}
}

// failOn fails for the values given, always.
func failOn(values ...string) runnertest.Each {
	return func(ctx context.Context, m pipeline.Message) pipeline.Result {
		if slices.Contains(values, string(m.Value)) {
			return pipeline.Result{Err: errTest}
		}
		return runnertest.Echo(ctx, m)
	}
}

func same(t *testing.T, what string, want, got any) {
	t.Helper()
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("%s: %s", what, diff)
	}
}

func TestR1SettledOnlyAfterWritten(t *testing.T) {
	for _, ordered := range []bool{false, true} {
		t.Run("Ordered="+strconv.FormatBool(ordered), func(t *testing.T) {
			f := newFixture(20)
			f.lane.InOrder = ordered
			f.sink.Before = func(write int, out []pipeline.Message) (int, error) {
				if len(f.lane.Settled()) > write*4 {
					t.Error("acknowledged before it was written")
				}
				return len(out), nil
			}
			f.mustRun(t)
			same(t, "written", numbers(20), f.sink.Values())
			same(t, "settled", numbers(20), f.lane.Settled())
			received, processed, _ := f.counts.Totals()
			same(t, "received", 20, received)
			same(t, "processed", 20, processed)
		})
	}
}

func TestR1SinkFailureRetriesTheRest(t *testing.T) {
	for _, ordered := range []bool{false, true} {
		t.Run("Ordered="+strconv.FormatBool(ordered), func(t *testing.T) {
			f := newFixture(10)
			f.lane.InOrder = ordered
			f.sink.Before = func(write int, out []pipeline.Message) (int, error) {
				if write%2 == 0 {
					return 1, errTest
				}
				return len(out), nil
			}
			f.mustRun(t)
			same(t, "written", numbers(10), f.sink.Values())
			same(t, "settled", numbers(10), f.lane.Settled())
			if f.counts.Failures(pipeline.SinkFailure) == 0 {
				t.Error("a failing sink was not counted")
			}
		})
	}
}

func TestR1AcknowledgementIsRepeated(t *testing.T) {
	f := newFixture(4)
	f.lane.FailAck = func(attempt int) error {
		if attempt < 3 {
			return errTest
		}
		return nil
	}
	f.mustRun(t)
	same(t, "settled", numbers(4), f.lane.Settled())
	same(t, "written once", numbers(4), f.sink.Values())
	same(t, "system failures", 3, f.counts.Failures(pipeline.System))
}

func TestR2SettledBeforeTheFunction(t *testing.T) {
	f := newFixture(12)
	f.config.Delivery.Guarantee = "atmost_once"
	f.config.Functions = runnertest.Each(func(ctx context.Context, m pipeline.Message) pipeline.Result {
		if !slices.Contains(f.lane.Settled(), m.ID()) {
			t.Errorf("message %s was invoked before it was acknowledged", m.ID())
		}
		return failOn("3", "7")(ctx, m)
	})
	f.mustRun(t)
	same(t, "written", []string{"1", "2", "4", "5", "6", "8", "9", "10", "11", "12"}, f.sink.Values())
	same(t, "user failures", 2, f.counts.Failures(pipeline.User))
	same(t, "dead letters", 0, len(f.dead.Messages()))
}

func TestR2NothingIsWrittenTwice(t *testing.T) {
	cases := map[string]struct {
		err  error
		want []string
	}{
		"FateUnknown": {err: errTest, want: []string{"1", "5", "6", "7", "8"}},
		"NotSent":     {err: fmt.Errorf("%w: connect", pipeline.ErrUnsent), want: numbers(8)},
	}
	for name, c := range cases {
		t.Run(name, func(t *testing.T) {
			f := newFixture(8)
			f.config.Delivery.Guarantee = "atmost_once"
			f.sink.Before = func(write int, out []pipeline.Message) (int, error) {
				if write == 0 {
					return 1, c.err
				}
				return len(out), nil
			}
			f.mustRun(t)
			same(t, "written", c.want, f.sink.Values())
		})
	}
}

func TestR2UnconfirmedIsNotInvoked(t *testing.T) {
	f := newFixture(8)
	f.config.Delivery.Guarantee = "atmost_once"
	f.lane.FailAck = func(attempt int) error {
		if attempt == 0 {
			return errTest
		}
		return nil
	}
	f.mustRun(t)
	same(t, "written", []string{"5", "6", "7", "8"}, f.sink.Values())
}

func TestR2DeadRuntimeIsNotCalledAgain(t *testing.T) {
	f := newFixture(8)
	f.config.Delivery.Guarantee = "atmost_once"
	calls := 0
	f.config.Functions = runnertest.Batches(func(ctx context.Context, in []pipeline.Message) ([]pipeline.Result, error) {
		if calls++; calls == 1 {
			return nil, errTest
		}
		return runnertest.Each(runnertest.Echo).Invoke(ctx, in)
	})
	f.mustRun(t)
	same(t, "written", []string{"5", "6", "7", "8"}, f.sink.Values())
}

func TestR4OutputsAfterAFailureWait(t *testing.T) {
	f := newFixture(12)
	f.lane.InOrder = true
	tries := 0
	f.config.Functions = runnertest.Each(func(ctx context.Context, m pipeline.Message) pipeline.Result {
		if string(m.Value) == "6" {
			if tries++; tries < 3 {
				return pipeline.Result{Err: errTest}
			}
		}
		return runnertest.Echo(ctx, m)
	})
	f.mustRun(t)
	same(t, "written", numbers(12), f.sink.Values())
	same(t, "settled", numbers(12), f.lane.Settled())
	same(t, "user failures", 2, f.counts.Failures(pipeline.User))
	_, processed, _ := f.counts.Totals()
	same(t, "processed", 12, processed)
}

func TestR4FencedLaneStopsQuietly(t *testing.T) {
	f := newFixture(12)
	f.lane.InOrder, f.lane.Finite, f.lane.FenceAt = true, false, 4
	drain := make(chan struct{})
	f.config.Drain = drain
	f.sink.Before = func(write int, out []pipeline.Message) (int, error) {
		if write == 1 {
			close(drain) // Run waits for it, or it would be restarted and claim again
		}
		return len(out), nil
	}
	f.mustRun(t)
	same(t, "settled", numbers(4), f.lane.Settled())
}

func TestR5FailingIsRetriedThenDeadLettered(t *testing.T) {
	for _, ordered := range []bool{false, true} {
		t.Run("Ordered="+strconv.FormatBool(ordered), func(t *testing.T) {
			f := newFixture(12)
			f.lane.InOrder = ordered
			f.config.Functions = failOn("5", "10")
			f.mustRun(t)
			want := slices.DeleteFunc(numbers(12), func(v string) bool { return v == "5" || v == "10" })
			same(t, "written", want, f.sink.Values())
			same(t, "failures", 2*4, f.counts.Failures(pipeline.User))
			_, processed, dead := f.counts.Totals()
			same(t, "processed", 10, processed)
			same(t, "dead-lettered", 2, dead)
			settled := f.lane.Settled()
			slices.Sort(settled)
			all := numbers(12)
			slices.Sort(all)
			same(t, "settled", all, settled)
			checkDeadLetter(t, f.dead.Messages()[0])
		})
	}
}

func checkDeadLetter(t *testing.T, m pipeline.Message) {
	t.Helper()
	if _, err := time.Parse(time.RFC3339Nano, m.Properties[pipeline.DeadTime]); err != nil {
		t.Error(err)
	}
	delete(m.Properties, pipeline.DeadTime)
	same(t, "value", "5", string(m.Value))
	same(t, "properties", map[string]string{
		pipeline.DeadTopic:        "persistent://public/default/in",
		pipeline.DeadPartition:    "0",
		pipeline.DeadID:           "5",
		pipeline.DeadSubscription: "public/default/f",
		pipeline.DeadReason:       errTest.Error(),
		pipeline.DeadAttempts:     "4",
	}, m.Properties)
}

func TestR5BackoffDoubles(t *testing.T) {
	f := newFixture(1)
	f.config.Functions = failOn("1")
	f.config.Delivery = wire.Delivery{MaxRetries: 6, BackoffMs: 100, MaxBackoffMs: 1000}
	f.mustRun(t)
	ms := time.Millisecond
	same(t, "delays", []time.Duration{100 * ms, 200 * ms, 400 * ms, 800 * ms, 1000 * ms, 1000 * ms}, f.lane.Delays())
}

func TestR5NoRetriesDeadLettersAtOnce(t *testing.T) {
	f := newFixture(3)
	f.config.Functions = failOn("2")
	f.config.Delivery.MaxRetries = 0
	f.mustRun(t)
	same(t, "redeliveries", 0, len(f.lane.Delays()))
	same(t, "dead letters", []string{"2"}, f.dead.Values())
}

func TestR5DeadLetterIsWrittenBeforeItIsSettled(t *testing.T) {
	for _, ordered := range []bool{false, true} {
		t.Run("Ordered="+strconv.FormatBool(ordered), func(t *testing.T) {
			f := newFixture(3)
			f.lane.InOrder = ordered
			f.config.Functions = failOn("2")
			f.config.Delivery.MaxRetries = 0
			f.dead.Before = func(write int, out []pipeline.Message) (int, error) {
				if slices.Contains(f.lane.Settled(), "2") {
					t.Error("acknowledged before its dead letter was written")
				}
				if write < 2 {
					return 0, errTest
				}
				return len(out), nil
			}
			f.mustRun(t)
			same(t, "dead letters", []string{"2"}, f.dead.Values())
		})
	}
}

// A dead letter that can never be written stops an ordered lane, which could only try for
// ever; the message is kept, and what follows it. An unordered one goes on without it.
func TestR5RefusedDeadLetter(t *testing.T) {
	for _, guarantee := range []string{"atleast_once", pipeline.EffectivelyOnce} {
		t.Run(guarantee, func(t *testing.T) {
			f := newFixture(3)
			f.lane.InOrder = true
			f.config.Delivery.Guarantee = guarantee
			f.config.Functions = failOn("2")
			f.dead.Before = func(int, []pipeline.Message) (int, error) { return 0, &pipeline.MessageError{Err: errTest} }
			err := f.run(t)
			stop, ok := errors.AsType[*pipeline.TerminalError](err)
			if !ok || stop.Reason != "DeadLetterRefused" || !errors.Is(err, errTest) {
				t.Fatalf("want DeadLetterRefused, got %v", err)
			}
			for _, said := range []string{"message 2 of persistent://public/default/in", " bytes", "seek --to 1970-01-01T00:00:00.001Z"} {
				if !strings.Contains(err.Error(), said) {
					t.Errorf("it does not say %q: %v", said, err)
				}
			}
			if got := f.lane.Settled(); slices.Contains(got, "2") || slices.Contains(got, "3") {
				t.Errorf("settled %v", got)
			}
		})
	}
	f := newFixture(3)
	f.config.Functions = failOn("2")
	f.config.Delivery.MaxRetries = 0
	f.dead.Before = func(write int, out []pipeline.Message) (int, error) {
		if write < 2 {
			return 0, &pipeline.MessageError{Err: errTest}
		}
		return len(out), nil
	}
	f.mustRun(t)
	same(t, "dead letters", []string{"2"}, f.dead.Values())
	same(t, "written", []string{"1", "3"}, f.sink.Values())
}

func TestR5RefusedOutputIsTheFunctionsFailure(t *testing.T) {
	for _, ordered := range []bool{false, true} {
		t.Run("Ordered="+strconv.FormatBool(ordered), func(t *testing.T) {
			f := newFixture(8)
			f.lane.InOrder = ordered
			f.sink.Before = func(_ int, out []pipeline.Message) (int, error) {
				at := slices.IndexFunc(out, func(m pipeline.Message) bool { return string(m.Value) == "6" })
				if at < 0 {
					return len(out), nil
				}
				return at, &pipeline.MessageError{Err: errTest}
			}
			f.mustRun(t)
			same(t, "written", []string{"1", "2", "3", "4", "5", "7", "8"}, f.sink.Values())
			same(t, "dead letters", []string{"6"}, f.dead.Values())
			same(t, "user failures", 4, f.counts.Failures(pipeline.User))
			_, processed, _ := f.counts.Totals()
			same(t, "processed", 7, processed)
		})
	}
}

func TestR5DeadRuntimeIsCalledAgain(t *testing.T) {
	f := newFixture(12)
	calls := 0
	f.config.Functions = runnertest.Batches(func(ctx context.Context, in []pipeline.Message) ([]pipeline.Result, error) {
		if calls++; calls%2 == 1 {
			return nil, errTest
		}
		return runnertest.Each(runnertest.Echo).Invoke(ctx, in)
	})
	f.mustRun(t)
	same(t, "written", numbers(12), f.sink.Values())
	same(t, "dead letters", 0, len(f.dead.Messages()))
}

func TestR5PoisonThatKillsTheRuntimeIsFound(t *testing.T) {
	for _, ordered := range []bool{false, true} {
		t.Run("Ordered="+strconv.FormatBool(ordered), func(t *testing.T) {
			f := newFixture(12)
			f.lane.InOrder = ordered
			f.config.Functions = runnertest.Batches(func(ctx context.Context, in []pipeline.Message) ([]pipeline.Result, error) {
				if slices.ContainsFunc(in, func(m pipeline.Message) bool { return string(m.Value) == "6" }) {
					return nil, errTest
				}
				return runnertest.Each(runnertest.Echo).Invoke(ctx, in)
			})
			f.mustRun(t)
			same(t, "dead letters", []string{"6"}, f.dead.Values())
			same(t, "written", 11, len(f.sink.Values()))
		})
	}
}

func TestR5WrongNumberOfResultsLosesNothing(t *testing.T) {
	f := newFixture(4)
	calls := 0
	f.config.Functions = runnertest.Batches(func(ctx context.Context, in []pipeline.Message) ([]pipeline.Result, error) {
		got, err := runnertest.Each(runnertest.Echo).Invoke(ctx, in)
		if calls++; calls == 1 {
			got = got[1:]
		}
		return got, err
	})
	f.mustRun(t)
	same(t, "written", numbers(4), f.sink.Values())
}

func TestR6LanesShareOneBudget(t *testing.T) {
	f := newFixture(0)
	const lanes, messages, size, limit = 8, 40, 1000, 20_000
	source := &runnertest.MemorySource{}
	for range lanes {
		l := runnertest.NewLane("in", slices.Repeat([]string{strings.Repeat("x", size)}, messages)...)
		l.Finite = true
		source.Lanes = append(source.Lanes, l)
	}
	idle := runnertest.NewLane("idle") // holds its share for ever and starves nobody
	drain := make(chan struct{})
	source.Lanes = append(source.Lanes, idle)
	f.config.Source, f.config.Functions, f.config.Drain = source, nil, drain
	f.config.Limits = wire.Limits{BatchMessages: 100, BatchBytes: 10_000}
	f.config.Budget = pipeline.NewBudget(limit)
	written := 0
	f.sink.Before = func(_ int, out []pipeline.Message) (int, error) {
		if written += len(out); written == lanes*messages {
			close(drain)
		}
		return len(out), nil
	}
	f.mustRun(t)
	same(t, "written", lanes*messages, len(f.sink.Messages()))
	// Inputs within the limit, and the outputs of one call per lane.
	if peak := f.config.Budget.Peak(); peak > 2*limit {
		t.Errorf("peak of %d bytes with a budget of %d", peak, limit)
	}
	same(t, "in use at the end", int64(0), f.config.Budget.InUse())
}

func TestR6OneMessageOverTheBudgetPasses(t *testing.T) {
	f := newFixture(0)
	f.lane = runnertest.NewLane("in", strings.Repeat("x", 1000), "small")
	f.lane.Finite = true
	f.config.Source = &runnertest.MemorySource{Lanes: []*runnertest.MemoryLane{f.lane}}
	f.config.Budget = pipeline.NewBudget(10)
	f.mustRun(t)
	same(t, "written", 2, len(f.sink.Messages()))
}

func TestR6NothingIsReadWithoutRoom(t *testing.T) {
	budget := pipeline.NewBudget(1000)
	first, second := newFixture(4), newFixture(4)
	held, free, drain := make(chan struct{}), make(chan struct{}), make(chan struct{})
	first.sink.Before = func(_ int, out []pipeline.Message) (int, error) {
		close(held)
		<-free
		return len(out), nil
	}
	first.config.Budget, second.config.Budget, second.config.Drain = budget, budget, drain
	done := make(chan error)
	go func() { done <- pipeline.Run(context.WithoutCancel(t.Context()), first.config) }()
	<-held
	go func() { done <- pipeline.Run(context.WithoutCancel(t.Context()), second.config) }()
	time.Sleep(20 * time.Millisecond) // time to do wrong
	close(drain)
	if err := <-done; err != nil {
		t.Error(err)
	}
	received, _, _ := second.counts.Totals()
	same(t, "received without room", 0, received)
	close(free)
	if err := <-done; err != nil {
		t.Error(err)
	}
}

func TestR7DrainFinishesWhatWasRead(t *testing.T) {
	f := newFixture(4)
	f.lane.Finite = false
	drain := make(chan struct{})
	f.config.Drain = drain
	f.config.Functions = runnertest.Batches(func(ctx context.Context, in []pipeline.Message) ([]pipeline.Result, error) {
		close(drain)
		return runnertest.Each(runnertest.Echo).Invoke(ctx, in)
	})
	f.mustRun(t)
	same(t, "written", numbers(4), f.sink.Values())
	same(t, "settled", numbers(4), f.lane.Settled())
	same(t, "sink closed", 1, f.sink.Closed)
}

// slowOpening is a source that cannot be opened, like one whose broker is away.
type slowOpening struct {
	pipeline.Source
	opening chan<- struct{}
}

func (s *slowOpening) Open(ctx context.Context) ([]pipeline.Lane, error) {
	close(s.opening)
	<-ctx.Done()
	return nil, context.Cause(ctx)
}

func TestR7DrainEndsOpening(t *testing.T) {
	f := newFixture(4)
	opening := make(chan struct{})
	f.config.Drain = opening // closed once the source is being opened
	f.config.Limits.GraceMs = time.Hour.Milliseconds()
	f.config.Source = &slowOpening{Source: f.config.Source, opening: opening}
	f.mustRun(t)
	same(t, "sink closed", 1, f.sink.Closed)
}

func TestR7GraceEnds(t *testing.T) {
	f := newFixture(4)
	drain := make(chan struct{})
	f.config.Drain = drain
	f.config.Limits.GraceMs = 1
	f.sink.Before = func(write int, _ []pipeline.Message) (int, error) {
		if write == 0 {
			close(drain)
		}
		return 0, errTest
	}
	if err := f.run(t); !errors.Is(err, pipeline.ErrGrace) {
		t.Errorf("want ErrGrace, got %v", err)
	}
	same(t, "settled", 0, len(f.lane.Settled()))
}

func TestR7OrderedRetryEndsWithDrain(t *testing.T) {
	f := newFixture(4)
	f.lane.InOrder = true
	drain := make(chan struct{})
	f.config.Drain = drain
	f.config.Delivery = wire.Delivery{MaxRetries: 3, BackoffMs: time.Hour.Milliseconds(), MaxBackoffMs: time.Hour.Milliseconds()}
	f.config.Functions = runnertest.Each(func(ctx context.Context, m pipeline.Message) pipeline.Result {
		if m.ID() == "4" {
			close(drain)
		}
		return failOn("3")(ctx, m)
	})
	f.mustRun(t)
	same(t, "settled", []string{"1", "2"}, f.lane.Settled())
}

func TestSecondCancelEndsAtOnce(t *testing.T) {
	f := newFixture(4)
	ctx, cancel := context.WithCancelCause(t.Context())
	f.sink.Before = func(int, []pipeline.Message) (int, error) {
		cancel(errTest)
		return 0, errTest
	}
	if err := pipeline.Run(ctx, f.config); !errors.Is(err, errTest) {
		t.Errorf("want the cause, got %v", err)
	}
}

func TestTerminalErrorEndsAllLanes(t *testing.T) {
	f := newFixture(0)
	f.config.Source = &runnertest.MemorySource{Lanes: []*runnertest.MemoryLane{
		runnertest.NewLane("idle"), runnertest.NewLane("in", "1"),
	}}
	want := &pipeline.TerminalError{Reason: "ClassNotFound", Err: errTest}
	f.config.Functions = runnertest.Batches(func(context.Context, []pipeline.Message) ([]pipeline.Result, error) {
		return nil, want
	})
	var got *pipeline.TerminalError
	if err := f.run(t); !errors.As(err, &got) || got.Reason != want.Reason {
		t.Errorf("want %v, got %v", want, err)
	}
}

func TestReadFailureIsRetried(t *testing.T) {
	f := newFixture(3)
	f.lane.FailRead = errTest
	f.mustRun(t)
	same(t, "written", numbers(3), f.sink.Values())
	same(t, "source failures", 1, f.counts.Failures(pipeline.SourceFailure))
}

func TestForwarding(t *testing.T) {
	in := pipeline.Message{
		Topic: "persistent://public/default/in", Position: pipeline.Numbered(7), Value: []byte("v"), Key: []byte("k"),
		EventTime: 5, Properties: map[string]string{"a": "1", "b": "2"},
	}
	out := func() []pipeline.Message {
		return []pipeline.Message{
			{Value: []byte("plain")},
			{Value: []byte("own"), Key: []byte("o"), EventTime: 9, Properties: map[string]string{"b": "3"}},
			{Value: []byte("published"), Topic: "other"},
		}
	}
	source := map[string]string{pipeline.InputTopic: in.Topic, pipeline.InputID: "Nw=="}
	with := func(more map[string]string) map[string]string {
		maps.Copy(more, source)
		return more
	}
	cases := map[string]struct {
		forward bool
		want    []pipeline.Message
	}{
		"Forwarded": {true, []pipeline.Message{
			{Value: []byte("plain"), Key: []byte("k"), EventTime: 5, Properties: with(map[string]string{"a": "1", "b": "2"})},
			{Value: []byte("own"), Key: []byte("o"), EventTime: 9, Properties: with(map[string]string{"a": "1", "b": "3"})},
			{Value: []byte("published"), Topic: "other"},
		}},
		"Not": {false, []pipeline.Message{
			{Value: []byte("plain"), Key: []byte("k"), EventTime: 5},
			{Value: []byte("own"), Key: []byte("o"), EventTime: 9, Properties: map[string]string{"b": "3"}},
			{Value: []byte("published"), Topic: "other"},
		}},
	}
	for name, c := range cases {
		t.Run(name, func(t *testing.T) {
			f := newFixture(0)
			lane := runnertest.NewLane(in.Topic)
			lane.Finite = true
			lane.Add(in)
			f.config.Source = &runnertest.MemorySource{Lanes: []*runnertest.MemoryLane{lane}}
			f.config.Delivery.ForwardProperties = c.forward
			f.config.Functions = runnertest.Each(func(context.Context, pipeline.Message) pipeline.Result {
				return pipeline.Result{Outputs: out()}
			})
			f.mustRun(t)
			same(t, "outputs", c.want, f.sink.Messages())
		})
	}
}

func TestPassThroughGoesToTheOutput(t *testing.T) {
	f := newFixture(2)
	f.config.Functions = nil
	f.mustRun(t)
	for _, m := range f.sink.Messages() {
		same(t, "destination", "", m.Topic)
	}
	same(t, "written", numbers(2), f.sink.Values())
}

func TestRefusedByAConnectorIsGivenUpAtOnce(t *testing.T) {
	f := newFixture(3)
	f.config.Functions, f.config.DeadLetter = nil, nil
	f.sink.Before = func(_ int, out []pipeline.Message) (int, error) {
		at := slices.IndexFunc(out, func(m pipeline.Message) bool { return string(m.Value) == "2" })
		if at < 0 {
			return len(out), nil
		}
		return at, &pipeline.MessageError{Err: errTest}
	}
	f.mustRun(t)
	same(t, "written", []string{"1", "3"}, f.sink.Values())
	same(t, "settled", numbers(3), f.lane.Settled())
	same(t, "redeliveries", 0, len(f.lane.Delays()))
}

func TestR9DeadLetterReasonIsMasked(t *testing.T) {
	f := newFixture(3)
	f.config.Functions = failOn("2")
	f.config.Delivery.MaxRetries = 0
	f.config.Mask = func(text string) string { return strings.ReplaceAll(text, errTest.Error(), "masked") }
	f.mustRun(t)
	same(t, "reason", "masked", f.dead.Messages()[0].Properties[pipeline.DeadReason])
}
