package pulsar_test

import (
	"context"
	"errors"
	"fmt"
	"testing"
	"time"

	"github.com/functionmesh/terraform-provider-functionmesh/internal/wire"
	"github.com/functionmesh/terraform-provider-functionmesh/runner/broker/pulsar"
	"github.com/functionmesh/terraform-provider-functionmesh/runner/broker/pulsar/pulsartest"
	"github.com/functionmesh/terraform-provider-functionmesh/runner/pipeline"
	"github.com/functionmesh/terraform-provider-functionmesh/runner/runnertest"
)

// job is a function between two topics, as an instance runs it.
type job struct {
	Server      *pulsartest.Server `json:"-"`
	URL         string
	In, Out     string
	Partitions  int // of the input
	Outputs     int // of the output
	Mode        wire.Mode
	Guarantee   string
	Instance    int
	Parallelism int
	Dead        string
	MaxRetries  int
	NackDelayMs int64
	Batch       int

	Function pipeline.Functions `json:"-"`
	Counts   *runnertest.Counts `json:"-"`
	Report   func(error)        `json:"-"`
}

func (j *job) broker() wire.Broker { return wire.Broker{Kind: "pulsar", URL: j.URL} }

func (j *job) delivery() wire.Delivery {
	return wire.Delivery{Guarantee: j.Guarantee, MaxRetries: j.MaxRetries, BackoffMs: 5, MaxBackoffMs: 50}
}

func (j *job) source(o pulsar.SourceOptions) (*pulsar.Source, error) {
	o.Brokers = map[string]wire.Broker{"": j.broker()}
	o.Source = wire.Source{
		Inputs:       []wire.Input{{Topic: j.In, Partitions: j.Partitions}},
		Subscription: wire.Subscription{Name: "sub", Mode: j.Mode, Position: "earliest", NackDelayMs: j.NackDelayMs},
	}
	o.Instance, o.Component, o.Delivery, o.Name = wire.Instance{ID: j.Instance, Parallelism: max(j.Parallelism, 1)}, component, j.delivery(), "f"
	o.LookEvery = 200 * time.Millisecond
	o.Report = j.Report
	return pulsar.NewSource(o)
}

func (j *job) sink(topic string, partitions int, end func(context.Context, string, int) (int64, int64, error), o pulsar.SinkOptions) (*pulsar.Sink, error) {
	o.Broker, o.Output = j.broker(), wire.Output{Topic: topic, Partitions: partitions}
	o.Instance, o.Component, o.Delivery, o.Name = wire.Instance{ID: j.Instance, Parallelism: max(j.Parallelism, 1)}, component, j.delivery(), "f"
	o.LookEvery, o.InputEnd = 200*time.Millisecond, end
	return pulsar.NewSink(o)
}

// run runs the job until drain is closed or ctx ends.
func (j *job) run(ctx context.Context, drain <-chan struct{}, source pulsar.SourceOptions, sink pulsar.SinkOptions) error {
	c := pipeline.Config{Delivery: j.delivery(), Subscription: "sub", Drain: drain, Functions: j.Function, Logger: source.Logger}
	c.Limits.BatchMessages = j.Batch
	if j.Counts != nil {
		c.Observer = j.Counts
	}
	s, err := j.source(source)
	if err != nil {
		return err
	}
	c.Source = s
	if c.Sink, err = j.sink(j.Out, j.Outputs, s.End, sink); err != nil {
		return err
	}
	if j.Dead != "" {
		sink.DeadLetter = true
		if c.DeadLetter, err = j.sink(j.Dead, 0, s.End, sink); err != nil {
			return err
		}
	}
	if c.Functions == nil {
		c.Functions = runnertest.Each(runnertest.Echo)
	}
	return pipeline.Run(ctx, c)
}

// start runs the job; the function that it returns drains it and waits.
func (j *job) start(t testing.TB) (stop func()) {
	t.Helper()
	drain, done := make(chan struct{}), make(chan error, 1)
	if j.URL == "" {
		j.URL = j.Server.URL
	}
	go func() {
		done <- j.run(context.WithoutCancel(t.Context()), drain, pulsar.SourceOptions{Logger: logger(t)}, pulsar.SinkOptions{Logger: logger(t)})
	}()
	ended := false
	stop = func() {
		t.Helper()
		if ended {
			return
		}
		ended = true
		close(drain)
		select {
		case err := <-done:
			if err != nil {
				t.Errorf("the job ended with %v", err)
			}
		case <-time.After(patience):
			t.Error("the job does not drain")
		}
	}
	t.Cleanup(stop)
	return stop
}

// grid is every guarantee and mode that go together, batched and not, partitioned and
// not.
type cell struct {
	guarantee  string
	mode       wire.Mode
	perEntry   int
	partitions int
}

func (c cell) String() string {
	form := "Plain"
	if c.perEntry > 1 {
		form = "Batched"
	}
	return fmt.Sprintf("%s-%s-%s-%d", c.guarantee, c.mode, form, c.partitions)
}

func (c cell) bounds() pulsartest.Bounds {
	b := pulsartest.Bounds{Disorder: c.mode == wire.Shared || c.mode == wire.KeyShared, KeyDisorder: c.mode == wire.Shared}
	switch c.guarantee {
	case "atleast_once":
		b.Duplicates = true
	case "atmost_once":
		b.Loss = true
	}
	return b
}

func grid(guarantees ...string) []cell {
	var all []cell
	for _, g := range guarantees {
		modes := []wire.Mode{wire.Shared, wire.Failover, wire.KeyShared, wire.Exclusive}
		if g == "effectively_once" {
			modes = []wire.Mode{wire.Failover, wire.Exclusive}
		}
		for _, m := range modes {
			for _, per := range []int{1, 50} {
				for _, p := range []int{0, 3} {
					all = append(all, cell{g, m, per, p})
				}
			}
		}
	}
	return all
}

func (c cell) policies() pulsartest.Policies {
	return pulsartest.Policies{Retention: true, Deduplication: c.guarantee == "effectively_once"}
}

func (c cell) fill() pulsartest.Fill {
	return pulsartest.Fill{Partitions: c.partitions, PerEntry: c.perEntry, Keys: 5, KeyBased: c.mode == wire.KeyShared}
}

// job makes the topics of a cell.
func (c cell) job(t testing.TB, n *pulsartest.Namespace) *job {
	t.Helper()
	j := &job{
		Server: n.Server, URL: n.URL, Partitions: c.partitions, Outputs: c.partitions, Mode: c.mode, Guarantee: c.guarantee,
		In: n.Topic(t, "in", c.partitions), Out: n.Topic(t, "out", c.partitions), Counts: &runnertest.Counts{},
	}
	n.Subscribe(t, j.In, "sub", "earliest")
	return j
}

// Nothing happens: every guarantee is exact, and everything is acknowledged.
func TestPulsarEveryGuarantee(t *testing.T) {
	s := pulsartest.Need(t)
	for _, c := range grid("atleast_once", "atmost_once", "effectively_once") {
		t.Run(c.String(), func(t *testing.T) {
			t.Parallel()
			const total = 3000
			n := s.Namespace(t, c.policies())
			j := c.job(t, n)
			s.Fill(t, j.In, total, c.fill())
			stop := j.start(t)
			flow := s.Watch(t, j.Out, j.Outputs, total)
			flow.Until(t, total)
			stop()
			b := c.bounds()
			b.Duplicates, b.Loss = false, false
			flow.Tally(t).Check(t, b)
			if left := s.Backlog(t, j.In, "sub"); left != 0 {
				t.Errorf("%d entries are not acknowledged", left)
			}
			if received, processed, _ := j.Counts.Totals(); received != total || processed != total {
				t.Errorf("received %d, processed %d of %d", received, processed, total)
			}
		})
	}
}

var errOdd = errors.New("odd")
