package pipeline_test

import (
	"context"
	"io"
	"testing"

	"github.com/functionmesh/terraform-provider-functionmesh/internal/wire"
	"github.com/functionmesh/terraform-provider-functionmesh/runner/pipeline"
)

const benchBatch = 1000

// treadmill is a lane that gives the same batch again and again.
type treadmill struct {
	batch pipeline.Batch
	left  int
}

func (t *treadmill) Open(context.Context) ([]pipeline.Lane, error) { return []pipeline.Lane{t}, nil }
func (t *treadmill) Close(context.Context) error                   { return nil }
func (t *treadmill) Name() string                                  { return "treadmill" }
func (t *treadmill) Ordered() bool                                 { return false }
func (t *treadmill) Read(context.Context, int, int64) (pipeline.Batch, error) {
	if t.left--; t.left < 0 {
		return pipeline.Batch{}, io.EOF
	}
	return t.batch, nil
}
func (t *treadmill) Settle(context.Context, pipeline.Batch, []pipeline.Verdict) error { return nil }

// echo returns values and uses its results again.
type echo struct{ free chan []pipeline.Result }

func (e echo) ForLane(context.Context, int) (pipeline.Function, error) { return e, nil }
func (e echo) Close(context.Context) error                             { return nil }
func (e echo) Reuse(r []pipeline.Result)                               { e.free <- r }
func (e echo) Invoke(_ context.Context, in []pipeline.Message) ([]pipeline.Result, error) {
	var results []pipeline.Result
	select {
	case results = <-e.free:
	default:
		out := make([]pipeline.Message, len(in))
		results = make([]pipeline.Result, len(in))
		for i := range results {
			results[i].Outputs = out[i : i+1]
		}
	}
	for i := range in {
		results[i].Outputs[0] = pipeline.Message{Value: in[i].Value}
	}
	return results, nil
}

// hole takes everything at once.
type hole struct{}

func (h hole) Sender(context.Context, int) (pipeline.Sender, error)         { return h, nil }
func (h hole) Write(_ context.Context, out []pipeline.Message) (int, error) { return len(out), nil }
func (h hole) Send(_ context.Context, out []pipeline.Message) pipeline.Pending {
	return taken(len(out))
}
func (h hole) Resume()                     {}
func (h hole) Close(context.Context) error { return nil }

type taken int

func (n taken) Wait(context.Context) (int, error) { return int(n), nil }

// onlyWrites hides that a sink is asynchronous.
type onlyWrites struct{ pipeline.Sink }

// What the pipeline itself costs per message, beside source, function and sink.
func BenchmarkPipeline(b *testing.B) {
	cases := map[string]struct {
		sink      pipeline.Sink
		guarantee string
		forward   bool
	}{
		"Asynchronous": {sink: hole{}, guarantee: "atleast_once", forward: true},
		"AtMostOnce":   {sink: hole{}, guarantee: "atmost_once", forward: true},
		"OneByOne":     {sink: onlyWrites{hole{}}, guarantee: "atleast_once"},
	}
	for name, c := range cases {
		b.Run(name, func(b *testing.B) {
			messages := make([]pipeline.Message, benchBatch)
			for i := range messages {
				messages[i] = pipeline.Message{Topic: "persistent://public/default/in", Position: pipeline.Position{Ledger: 7, Entry: int64(i)}, Value: make([]byte, 100)}
			}
			config := pipeline.Config{
				Source:    &treadmill{batch: pipeline.Batch{Messages: messages}, left: (b.N + benchBatch - 1) / benchBatch},
				Functions: echo{free: make(chan []pipeline.Result, 64)}, Sink: c.sink,
				Delivery: wire.Delivery{Guarantee: c.guarantee, ForwardProperties: c.forward},
			}
			b.ReportAllocs()
			b.ResetTimer()
			if err := pipeline.Run(b.Context(), config); err != nil {
				b.Fatal(err)
			}
		})
	}
}

// What a sink pays to learn the properties of an output.
func BenchmarkEachProperty(b *testing.B) {
	in := pipeline.Message{Topic: "persistent://public/default/in", Position: pipeline.Position{Ledger: 123456, Entry: 789, Index: 12, Count: 100}}
	own := map[string]string{"a": "b"}
	cases := map[string]pipeline.Message{
		"Plain": {Cause: &in, Forward: pipeline.ForwardAll},
		"Own":   {Cause: &in, Forward: pipeline.ForwardAll, Properties: own},
		"Trace": {Cause: &in, Forward: pipeline.ForwardTrace},
	}
	for name, m := range cases {
		b.Run(name, func(b *testing.B) {
			var texts pipeline.Texts
			n := 0
			add := func(name, value string) { n += len(name) + len(value) }
			b.ReportAllocs()
			for b.Loop() {
				m.EachProperty(&texts, add)
			}
		})
	}
}
