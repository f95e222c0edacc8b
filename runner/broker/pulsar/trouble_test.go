package pulsar_test

import (
	"context"
	"fmt"
	"runtime"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/functionmesh/terraform-provider-functionmesh/internal/wire"
	"github.com/functionmesh/terraform-provider-functionmesh/runner/broker/pulsar/pulsartest"
	"github.com/functionmesh/terraform-provider-functionmesh/runner/pipeline"
	"github.com/functionmesh/terraform-provider-functionmesh/runner/runnertest"
)

// Topics are unloaded again and again while messages move.
func TestPulsarUnloadUnderLoad(t *testing.T) {
	s := pulsartest.Need(t)
	for _, c := range grid("atleast_once", "atmost_once", "effectively_once") {
		if c.mode == wire.Exclusive {
			continue // as failover, but for who is active
		}
		t.Run(c.String(), func(t *testing.T) {
			t.Parallel()
			const rounds, each, batch = 6, 1000, 50
			n := s.Namespace(t, c.policies())
			j := c.job(t, n)
			j.Batch = batch
			stop := j.start(t)
			// A feeder for each round: what Pulsar's client sends while its producer is closed
			// may be stored twice, and out of order.
			feed := func(round int) {
				f := c.fill()
				f.From = round * each
				s.NewFeeder(t, j.In, f).Send(t, each)
			}
			for i := range rounds {
				feed(i)
				s.Unload(t, []string{j.In, j.Out}[i%2])
			}
			s.Settled(t, j.In, "sub")
			feed(rounds)
			s.Settled(t, j.In, "sub")
			stop()
			// Read afterwards: Pulsar's own reader may stop for ever at an entry during whose
			// delivery the topic was unloaded.
			tally := s.Read(t, j.Out, j.Outputs, (rounds+1)*each)
			tally.Check(t, c.bounds())
			t.Log(tally)
			// The last round is whole: nothing disturbed it.
			for n := rounds * each; n < (rounds+1)*each; n++ {
				if tally.Seen(n) != 1 {
					t.Fatalf("%d is there %d times, and nothing disturbed it", n, tally.Seen(n))
				}
			}
			// At most once, an unload may cost every lane the batch that was being acknowledged
			// or written.
			if most := rounds * max(c.partitions, 1) * batch; tally.Lost() > most {
				t.Errorf("%d messages are lost where at most %d may be", tally.Lost(), most)
			}
		})
	}
}

// Input and output get partitions while messages move.
func TestPulsarPartitionsGrowUnderLoad(t *testing.T) {
	s := pulsartest.Need(t)
	for _, mode := range []wire.Mode{wire.Shared, wire.Failover} {
		t.Run(string(mode), func(t *testing.T) {
			t.Parallel()
			const rounds, each = 6, 1000
			c := cell{guarantee: "atleast_once", mode: mode, perEntry: 20, partitions: 2}
			n := s.Namespace(t, c.policies())
			j := c.job(t, n)
			stop := j.start(t)
			sent := 0
			for i := range rounds {
				if i == 2 {
					s.Grow(t, j.In, 4)
					s.Grow(t, j.Out, 5)
				}
				// A feeder numbers from 0: each has a topic's partitions of its time.
				f := c.fill()
				f.Partitions = s.Partitions(t, j.In)
				f.Keys = 0
				s.NewFeeder(t, j.In, f).Send(t, each)
				sent += each
				pulsartest.Eventually(t, "what was sent is processed", func() bool {
					_, processed, _ := j.Counts.Totals()
					return processed == sent
				})
			}
			s.Settled(t, j.In, "sub")
			stop()
			used := map[int]bool{}
			all := s.ReadAll(t, j.Out, 5)
			for _, m := range all {
				used[m.Partition] = true
			}
			if len(all) != sent {
				t.Errorf("%d messages of %d", len(all), sent)
			}
			if len(used) != 5 {
				t.Errorf("only %d output partitions of 5 are used", len(used))
			}
		})
	}
}

// attempts counts how often each message was tried.
type attempts struct {
	mu sync.Mutex
	of map[string]int
}

func (a *attempts) count(v []byte) int {
	a.mu.Lock()
	defer a.mu.Unlock()
	if a.of == nil {
		a.of = map[string]int{}
	}
	a.of[string(v)]++
	return a.of[string(v)]
}

// One message in ten fails for ever: it is tried as often as it may be and becomes a dead
// letter; the others of its entry are handed out once.
func TestPulsarR5FailingMessages(t *testing.T) {
	s := pulsartest.Need(t)
	for _, c := range grid("atleast_once", "effectively_once") {
		t.Run(c.String(), func(t *testing.T) {
			t.Parallel()
			const total, retries = 400, 2
			n := s.Namespace(t, c.policies())
			j := c.job(t, n)
			j.Dead, j.MaxRetries = n.Topic(t, "dead", 0), retries
			var tried attempts
			fails := func(v []byte) bool { return strings.Contains(string(v[:strings.IndexByte(string(v), '/')]), "7") }
			j.Function = runnertest.Each(func(ctx context.Context, m pipeline.Message) pipeline.Result {
				tried.count(m.Value)
				if fails(m.Value) {
					return pipeline.Result{Err: errOdd}
				}
				return runnertest.Echo(ctx, m)
			})
			s.Fill(t, j.In, total, c.fill())
			stop := j.start(t)
			s.Settled(t, j.In, "sub")
			stop()
			dead := s.ReadAll(t, j.Dead, 0)
			out := s.ReadAll(t, j.Out, j.Outputs)
			if len(dead)+len(out) != total {
				t.Errorf("%d outputs and %d dead letters of %d messages", len(out), len(dead), total)
			}
			for _, m := range dead {
				if !fails(m.Value) || m.Properties["Fm-Reason"] != "odd" || m.Properties["Fm-Attempts"] != fmt.Sprint(retries+1) || m.Properties["Fm-Original-Topic"] != j.In {
					t.Fatalf("dead letter %s: %v", m.Value, m.Properties)
				}
			}
			for v, times := range tried.of {
				if want := map[bool]int{true: retries + 1, false: 1}[fails([]byte(v))]; times != want {
					t.Errorf("%s was tried %d times, want %d", v, times, want)
				}
			}
			if left := s.Backlog(t, j.In, "sub"); left != 0 {
				t.Errorf("%d entries are not acknowledged", left)
			}
		})
	}
}

// Another instance takes over, and gives back, while messages move.
func TestPulsarR4FailoverBetweenInstances(t *testing.T) {
	s := pulsartest.Need(t)
	for _, guarantee := range []string{"atleast_once", "atmost_once", "effectively_once"} {
		t.Run(guarantee, func(t *testing.T) {
			t.Parallel()
			const rounds, each = 6, 1000
			c := cell{guarantee: guarantee, mode: wire.Failover, perEntry: 20, partitions: 3}
			n := s.Namespace(t, c.policies())
			first := c.job(t, n)
			first.Parallelism = 2
			second := *first
			second.Instance = 1
			feeder := s.NewFeeder(t, first.In, c.fill())
			stopFirst := first.start(t)
			stopSecond := func() {}
			flow := s.Watch(t, first.Out, first.Outputs, rounds*each)
			for i := range rounds {
				feeder.Send(t, each)
				switch i {
				case 1:
					stopSecond = second.start(t)
				case 3:
					stopFirst()
				}
				time.Sleep(300 * time.Millisecond) // so that the broker has something to hand over
			}
			s.Settled(t, first.In, "sub")
			stopSecond()
			tally := flow.Tally(t)
			tally.Check(t, c.bounds())
			t.Log(tally)
		})
	}
}

// Four instances, then two, share keys; each key stays in order.
func TestPulsarR4KeySharedScales(t *testing.T) {
	s := pulsartest.Need(t)
	const rounds, each = 8, 1000
	c := cell{guarantee: "atleast_once", mode: wire.KeyShared, perEntry: 50, partitions: 2}
	n := s.Namespace(t, c.policies())
	j := c.job(t, n)
	f := c.fill()
	f.Keys = 20
	feeder := s.NewFeeder(t, j.In, f)
	flow := s.Watch(t, j.Out, j.Outputs, rounds*each)
	stops := []func(){j.start(t)}
	for i := range rounds {
		feeder.Send(t, each)
		switch i {
		case 2:
			for k := 1; k < 4; k++ {
				more := *j
				more.Instance, more.Parallelism = k, 4
				stops = append(stops, more.start(t))
			}
		case 5:
			stops[0]()
			stops[1]()
		}
	}
	flow.Until(t, rounds*each)
	s.Settled(t, j.In, "sub")
	for _, stop := range stops {
		stop()
	}
	tally := flow.Tally(t)
	tally.Check(t, pulsartest.Bounds{Duplicates: true, Disorder: true})
	t.Log(tally)
}

// working returns the goroutines in packages that only instances use.
func working() (stacks []string) {
	text := make([]byte, 1<<20)
	text = text[:runtime.Stack(text, true)]
	for stack := range strings.SplitSeq(string(text), "\n\n") {
		for _, name := range []string{"/runner/pipeline.", "/runner/broker/pulsar.", "/pulsar/conn.", "/pulsar/subscription.", "/pulsar/publisher."} {
			if strings.Contains(stack, name) {
				stacks = append(stacks, stack)
				break
			}
		}
	}
	return stacks
}

// Nothing is left behind by instances that come and go.
func TestPulsarLeavesNothing(t *testing.T) {
	s := pulsartest.Need(t)
	c := cell{guarantee: "effectively_once", mode: wire.Failover, perEntry: 20, partitions: 3}
	n := s.Namespace(t, c.policies())
	j := c.job(t, n)
	s.Fill(t, j.In, 100, c.fill())
	flow := s.Watch(t, j.Out, j.Outputs, 100)
	for range 5 {
		stop := j.start(t)
		flow.Until(t, 100)
		s.Unload(t, j.In)
		stop()
	}
	t.Cleanup(func() {
		if t.Failed() {
			t.Logf("at work still:\n%s", strings.Join(working(), "\n\n"))
		}
	})
	pulsartest.Eventually(t, "no goroutine of an instance is left", func() bool { return len(working()) == 0 })
	if got := len(s.Stats(t, j.In).Subscriptions["sub"].Consumers); got != 0 {
		t.Errorf("%d consumers are left", got)
	}
}
