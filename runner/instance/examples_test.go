package instance_test

import (
	"errors"
	"path/filepath"
	"strings"
	"testing"

	"github.com/functionmesh/terraform-provider-functionmesh/internal/spec"
	"github.com/functionmesh/terraform-provider-functionmesh/internal/wire"
	"github.com/functionmesh/terraform-provider-functionmesh/runner/instance"
	"github.com/functionmesh/terraform-provider-functionmesh/runner/pipeline"
)

// Every example function does what its comment says.
func TestExamples(t *testing.T) {
	python := filepath.Join("..", "..", "examples", "functions", "python", "enrich.py")
	cases := map[string]struct {
		runtime string
		code    func(t *testing.T) string
		class   string
		config  string
		want    string // of order 0
	}{
		"PythonEnrich": {"python", func(t *testing.T) string { need(t, "python3"); return python }, "enrich.Enrich", `{"region":"eu"}`, `{"id": 0, "amount": 2, "region": "eu"}`},
		"GoEnrich":     {"go", func(t *testing.T) string { return goExample(t, "enrich") }, "", `{"region":"eu"}`, `{"amount":2,"id":0,"region":"eu"}`},
		"GoScore":      {"go", func(t *testing.T) string { return goExample(t, "score") }, "", `{"factor":1.5}`, `{"amount":2,"id":0,"score":3}`},
		"WASMScore":    {"wasm", func(t *testing.T) string { return goExample(t, "score", "GOOS=wasip1", "GOARCH=wasm") }, "", "", `{"amount":2,"id":0,"score":2}`},
	}
	for name, c := range cases {
		t.Run(name, func(t *testing.T) {
			f := file(t, c.runtime, c.code(t), c.class)
			f.Function.UserConfig = c.config
			f.Source.Connector.Config = `{"count": 5, "template": "{\"id\":{n},\"amount\":2}"}`
			r := start(t, f)
			eventually(t, "five lines", func() bool { return strings.Count(r.out(t), "\n") == 5 })
			if first, _, _ := strings.Cut(r.out(t), "\n"); first != c.want {
				t.Errorf("got %s, want %s", first, c.want)
			}
			_ = r.life.Close()
			if err := <-r.done; err != nil {
				t.Error(err)
			}
		})
	}
}

// The runner builds exactly the connectors of spec's table: each entry runs with its
// defaults, and what is in no entry is refused.
func TestR8ConnectorsAreTheTable(t *testing.T) {
	for _, c := range spec.Connectors() {
		for _, kind := range c.Kinds {
			t.Run(c.Name+"_"+string(kind), func(t *testing.T) {
				config := map[bool]string{true: `{"path": "in.txt"}`, false: ""}[c.Name == "file"]
				f := file(t, "", "", "")
				connector := &wire.Connector{Name: c.Name, Config: config}
				if kind == spec.KindSource {
					f.Source.Connector = connector
				} else {
					f.Sink.Connector = connector
				}
				r := start(t, f)
				eventually(t, "ready", func() bool { return r.status(t).Ready })
				_ = r.life.Close()
				if err := <-r.done; err != nil {
					t.Error(err)
				}
			})
		}
	}
	for _, name := range []string{"", "kafka"} {
		f := file(t, "", "", "")
		f.Source.Connector.Name = name
		var terminal *pipeline.TerminalError
		if err := instance.RunFile(t.Context(), f, instance.Options{}); !errors.As(err, &terminal) {
			t.Errorf("connector %q: %v", name, err)
		}
	}
}
