package command

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/functionmesh/terraform-provider-functionmesh/internal/spec"
)

func TestBadMeshWritesNothing(t *testing.T) {
	cases := map[string]string{
		"NotHonoured": "sinks:\n  all:\n    builtin: file\n    config: { path: x }\n    inputs: { out: {} }\n    parallelism: 1000\n",
		"NotValid":    "sinks:\n  all:\n    builtin: file\n    config: { path: x }\n",
	}
	for name, sinks := range cases {
		t.Run(name, func(t *testing.T) {
			p := newPlatform()
			file := filepath.Join(filepath.Dir(meshFile(t)), "bad.yaml")
			if err := os.WriteFile(file, []byte(meshYAML+sinks), 0o600); err != nil {
				t.Fatal(err)
			}
			for _, verb := range []string{"create", "update"} {
				got := runLine(t, &p.clients, "", "mesh", verb, "-f", file)
				if got.code != ExitFailure || !strings.Contains(got.err.Error(), `sinks["all"]`) {
					t.Errorf("%s: exit code %d: %v", verb, got.code, got.err)
				}
			}
			if n := p.functions.Writes(); n != 0 {
				t.Errorf("%d writes", n)
			}
		})
	}
}

func TestNotHere(t *testing.T) {
	cases := map[string]struct {
		c    spec.Component
		path spec.Path
	}{
		"One":     {c: spec.Component{Parallelism: new(1), State: spec.StateRunning}},
		"Many":    {c: spec.Component{Parallelism: new(2)}, path: "parallelism"},
		"Stopped": {c: spec.Component{State: spec.StateStopped}, path: "state"},
	}
	for name, tc := range cases {
		t.Run(name, func(t *testing.T) {
			got := notHere(tc.c)
			if (len(got) == 0) != (tc.path == "") || len(got) > 0 && got[0].Path != tc.path {
				t.Errorf("%v, want %q", got, tc.path)
			}
		})
	}
}
