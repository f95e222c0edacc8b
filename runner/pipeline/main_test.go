package pipeline_test

import (
	"os"
	"testing"

	"github.com/functionmesh/terraform-provider-functionmesh/runner/pipeline"
	"github.com/functionmesh/terraform-provider-functionmesh/runner/runnertest"
)

// asynchronous says what kind of sink fixtures have: everything holds with both.
var asynchronous bool

func TestMain(m *testing.M) {
	code := m.Run()
	if asynchronous = true; code == 0 {
		code = m.Run()
	}
	os.Exit(code)
}

func sinkOf(s *runnertest.MemorySink) pipeline.Sink {
	if asynchronous {
		return &runnertest.AsyncSink{MemorySink: s}
	}
	return s
}
