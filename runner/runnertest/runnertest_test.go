package runnertest_test

import (
	"context"
	"errors"
	"testing"

	"github.com/functionmesh/terraform-provider-functionmesh/runner/pipeline"
	"github.com/functionmesh/terraform-provider-functionmesh/runner/runnertest"
)

func TestMemorySourceConforms(t *testing.T) {
	runnertest.SourceSuite(t, runnertest.SourceHarness{
		New: func(_ *testing.T, values [][]byte) pipeline.Source {
			texts := make([]string, len(values))
			for i, v := range values {
				texts[i] = string(v)
			}
			return &runnertest.MemorySource{Lanes: []*runnertest.MemoryLane{runnertest.NewLane("memory", texts...)}}
		},
	})
}

func TestHandLaneConforms(t *testing.T) {
	runnertest.SourceSuite(t, runnertest.SourceHarness{
		NacksSoon: true,
		New: func(_ *testing.T, values [][]byte) pipeline.Source {
			lane := runnertest.NewLane("memory")
			for i, v := range values {
				lane.Add(pipeline.Message{Topic: "memory", Value: v, Position: pipeline.Numbered(int64(i))})
			}
			return handSource{lane: &runnertest.HandLane{MemoryLane: lane}}
		},
	})
}

type handSource struct{ lane pipeline.Lane }

func (s handSource) Open(context.Context) ([]pipeline.Lane, error) {
	return []pipeline.Lane{s.lane}, nil
}
func (s handSource) Close(context.Context) error { return nil }

func TestMemorySinkConforms(t *testing.T) {
	var latest *runnertest.MemorySink
	runnertest.SinkSuite(t, runnertest.SinkHarness{
		Properties: true,
		New: func(*testing.T) pipeline.Sink {
			latest = &runnertest.MemorySink{}
			return latest
		},
		Written: func(*testing.T) []pipeline.Message { return latest.Messages() },
	})
}

func TestAsyncSinkConforms(t *testing.T) {
	var latest *runnertest.MemorySink
	runnertest.SinkSuite(t, runnertest.SinkHarness{
		Properties: true,
		New: func(*testing.T) pipeline.Sink {
			latest = &runnertest.MemorySink{Before: func(_ int, out []pipeline.Message) (int, error) {
				for i, m := range out {
					if string(m.Value) == "refused" {
						return i, &pipeline.MessageError{Err: errors.New("asked to refuse")}
					}
				}
				return len(out), nil
			}}
			return &runnertest.AsyncSink{MemorySink: latest}
		},
		Written: func(*testing.T) []pipeline.Message { return latest.Messages() },
		Refused: func() pipeline.Message { return pipeline.Message{Value: []byte("refused")} },
	})
}

func TestEachConforms(t *testing.T) {
	runnertest.FunctionSuite(t, runnertest.FunctionHarness{
		Properties: true,
		New: func(*testing.T) pipeline.Functions {
			return runnertest.Each(func(_ context.Context, m pipeline.Message) pipeline.Result {
				out := pipeline.Message{Key: m.Key, Value: m.Value, Properties: m.Properties}
				switch string(m.Value) {
				case "fail":
					return pipeline.Result{Err: errors.New("asked to fail")}
				case "none":
					return pipeline.Result{}
				case "two":
					return pipeline.Result{Outputs: []pipeline.Message{{Value: []byte("two-1")}, {Value: []byte("two-2")}}}
				}
				return pipeline.Result{Outputs: []pipeline.Message{out}}
			})
		},
	})
}
