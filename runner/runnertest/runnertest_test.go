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
