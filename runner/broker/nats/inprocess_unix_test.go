//go:build unix

package nats_test

import (
	"context"
	"errors"
	"runtime"
	"slices"
	"strconv"
	"sync"
	"testing"
	"time"

	"github.com/functionmesh/terraform-provider-functionmesh/internal/wire"
	"github.com/functionmesh/terraform-provider-functionmesh/runner/broker/nats/natstest"
	"github.com/functionmesh/terraform-provider-functionmesh/runner/pipeline"
	"github.com/functionmesh/terraform-provider-functionmesh/runner/runnertest"
)

// running is a pipeline inside the test.
type running struct {
	drain  chan struct{}
	done   chan error
	counts *runnertest.Counts
	once   sync.Once
}

// begin runs s with f; change may replace parts of its configuration.
func (s setup) begin(t *testing.T, f pipeline.Functions, change func(*pipeline.Config)) *running {
	t.Helper()
	c, err := s.config(f)
	if err != nil {
		t.Fatal(err)
	}
	r := &running{drain: make(chan struct{}), done: make(chan error, 1), counts: &runnertest.Counts{}}
	c.Drain, c.Observer = r.drain, r.counts
	if change != nil {
		change(&c)
	}
	ctx := context.WithoutCancel(t.Context())
	go func() { r.done <- pipeline.Run(ctx, c) }()
	t.Cleanup(func() { r.end(t) })
	return r
}

// end drains it and wants no error.
func (r *running) end(t *testing.T) {
	t.Helper()
	r.once.Do(func() {
		close(r.drain)
		select {
		case err := <-r.done:
			if err != nil {
				t.Errorf("pipeline: %v", err)
			}
		case <-time.After(patience):
			t.Error("the pipeline does not drain")
		}
	})
}

// eventually waits for a condition.
func eventually(t *testing.T, what string, ok func() bool) {
	t.Helper()
	for end := time.Now().Add(patience); !ok(); time.Sleep(2 * time.Millisecond) {
		if time.Now().After(end) {
			t.Fatalf("never: %s", what)
		}
	}
}

// everyTenth fails for each number that ten divides, always.
func everyTenth(ctx context.Context, m pipeline.Message) pipeline.Result {
	if n, err := strconv.Atoi(string(m.Value)); err != nil || n%10 == 0 {
		return pipeline.Result{Err: errors.New("every tenth fails")}
	}
	return runnertest.Echo(ctx, m)
}

func TestR5EveryTenthIsDeadLettered(t *testing.T) {
	const total, retries = 5_000, 2
	for _, mode := range []wire.Mode{wire.Shared, wire.Failover} {
		t.Run(string(mode), func(t *testing.T) {
			t.Parallel()
			s := killSetup(natstest.Start(t), mode, "atleast_once")
			s.Delivery = wire.Delivery{MaxRetries: retries, BackoffMs: 1, MaxBackoffMs: 2}
			s.place(t)
			feed(t, s.Broker, 0, total)
			r := s.begin(t, runnertest.Each(everyTenth), nil)
			eventually(t, "all dead letters", func() bool {
				_, processed, dead := r.counts.Totals()
				return processed >= total*9/10 && dead >= total/10
			})
			settled(t, s)
			r.end(t)
			if got := r.counts.Failures(pipeline.User); got != (retries+1)*total/10 {
				t.Errorf("%d failures counted, want %d", got, (retries+1)*total/10)
			}
			dead := stored(t, s.Broker, deadTopic)
			if len(dead) != total/10 {
				t.Errorf("%d dead letters, want %d", len(dead), total/10)
			}
			for _, m := range dead {
				if m.Properties[pipeline.DeadReason] != "every tenth fails" || m.Properties[pipeline.DeadAttempts] != "3" ||
					m.Properties[pipeline.DeadTopic] != inTopic || m.Key == nil {
					t.Fatalf("dead letter %+v", m)
				}
			}
			f := &flow{next: map[int]int{}, seen: map[string]int{}}
			f.rest(t, s.Broker)
			if len(f.seen) != total*9/10 || f.duplicates > 0 {
				t.Errorf("%d outputs, %d duplicates", len(f.seen), f.duplicates)
			}
			if mode == wire.Failover && len(f.disorder) > 0 {
				t.Errorf("R4: out of order: %q", f.disorder[:min(5, len(f.disorder))])
			}
		})
	}
}

func TestR5UnorderedNeverWaitsForAFailure(t *testing.T) {
	const total = 2_000
	s := killSetup(natstest.Start(t), wire.Shared, "atleast_once")
	hour := time.Hour.Milliseconds()
	s.Delivery = wire.Delivery{MaxRetries: 3, BackoffMs: hour, MaxBackoffMs: hour}
	s.place(t)
	feed(t, s.Broker, 0, total)
	r := s.begin(t, runnertest.Each(everyTenth), nil)
	// The failing ones wait an hour; the others do not.
	eventually(t, "all others processed", func() bool {
		_, processed, _ := r.counts.Totals()
		return processed == total*9/10
	})
	r.end(t)
}

// gate is a sink that takes nothing until it is opened.
type gate struct {
	pipeline.Sink
	reached chan struct{}
	open    chan struct{}
	once    sync.Once
}

func (g *gate) Write(ctx context.Context, out []pipeline.Message) (int, error) {
	g.once.Do(func() { close(g.reached) })
	select {
	case <-g.open:
		return g.Sink.Write(ctx, out)
	case <-ctx.Done():
		return 0, context.Cause(ctx)
	}
}

func TestR6SlowSinkKeepsMemoryFlat(t *testing.T) {
	const messages, size, budget = 3_000, 32 << 10, 4 << 20 // 94 MiB through 4
	s := killSetup(natstest.Start(t), wire.Failover, "atleast_once")
	s.Limits = wire.Limits{BatchMessages: 1000, BatchBytes: 1 << 20}
	s.place(t)
	value := make([]byte, size)
	for at := 0; at < messages; at += 100 {
		batch := make([]pipeline.Message, 100)
		for i := range batch {
			batch[i] = pipeline.Message{Key: strconv.AppendInt(nil, int64(at+i), 10), Value: value}
		}
		produce(t, s.Broker, inTopic, batch...)
	}
	before := heap()
	g := &gate{reached: make(chan struct{}), open: make(chan struct{})}
	b := pipeline.NewBudget(budget)
	r := s.begin(t, runnertest.Each(runnertest.Echo), func(c *pipeline.Config) {
		g.Sink, c.Sink, c.Budget = c.Sink, g, b
	})
	<-g.reached
	eventually(t, "every lane holds a batch", func() bool { return b.InUse() > budget*partitions/8 })
	if held := heap() - before; held > 6*budget {
		t.Errorf("%d bytes on the heap with a budget of %d", held, budget)
	}
	close(g.open)
	eventually(t, "all processed", func() bool {
		_, processed, _ := r.counts.Totals()
		return processed == messages
	})
	r.end(t)
	// An echo's outputs count beside its inputs.
	if b.Peak() > 2*budget+2*size*partitions {
		t.Errorf("peak of %d bytes with a budget of %d", b.Peak(), budget)
	}
	if b.InUse() != 0 {
		t.Errorf("%d bytes held at the end", b.InUse())
	}
}

func heap() int64 {
	var m runtime.MemStats
	runtime.GC()
	runtime.ReadMemStats(&m)
	return int64(m.HeapAlloc)
}

func TestR4ZombieIsFenced(t *testing.T) {
	const total = 4_000
	s := killSetup(natstest.Start(t), wire.Failover, "atleast_once")
	s.place(t)
	feed(t, s.Broker, 0, total/2)

	// The first owner is stuck in the middle of a batch while the second takes over.
	stuck, free := make(chan struct{}), make(chan struct{})
	var once sync.Once
	zombie := s.begin(t, runnertest.Batches(func(ctx context.Context, in []pipeline.Message) ([]pipeline.Result, error) {
		if slices.ContainsFunc(in, func(m pipeline.Message) bool { return string(m.Value) == "1000" }) {
			once.Do(func() { close(stuck) })
			<-free
		}
		return runnertest.Each(runnertest.Echo).Invoke(ctx, in)
	}), nil)
	<-stuck
	owner := s.begin(t, runnertest.Each(runnertest.Echo), nil)
	eventually(t, "the second owner reads", func() bool {
		_, processed, _ := owner.counts.Totals()
		return processed > 0
	})
	close(free)
	feed(t, s.Broker, total/2, total)

	f := watch(t, s.Broker, total)
	f.until(t, total)
	settled(t, s)
	// What was under way when it was fenced it may still have read; then it stops.
	all := total
	eventually(t, "the first owner stops reading", func() bool {
		before, _, _ := zombie.counts.Totals()
		feed(t, s.Broker, all, all+100)
		all += 100
		f.until(t, all)
		after, _, _ := zombie.counts.Totals()
		return after == before
	})
	settled(t, s)
	zombie.end(t)
	owner.end(t)
	f.rest(t, s.Broker)
	if len(f.disorder) > 0 || len(f.seen) != all {
		t.Errorf("%d of %d messages, out of order: %q", len(f.seen), all, f.disorder[:min(5, len(f.disorder))])
	}
	t.Logf("%d duplicates", f.duplicates)
	for p := range partitions {
		if got := position(t.Context(), t, natstest.Connect(t, s.Broker), p); got.Epoch != 2 {
			t.Errorf("partition %d: epoch %d, want 2", p, got.Epoch)
		}
	}
}
