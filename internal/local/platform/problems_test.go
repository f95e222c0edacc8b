//go:build linux || darwin

package platform_test

import (
	"strings"
	"testing"

	"github.com/functionmesh/terraform-provider-functionmesh/internal/engine"
	"github.com/functionmesh/terraform-provider-functionmesh/internal/spec"
)

func TestEveryProblemHasItsHint(t *testing.T) {
	p := newPlatform(t)
	bad := fileSink("s")
	bad.LogTopic, bad.Parallelism = "log", new(1000)
	_, err := components(p, spec.KindSink).Create(t.Context(), object(bad))
	if !engine.Is(err, engine.Invalid) {
		t.Fatalf("%v, want invalid", err)
	}
	paths := map[string]bool{}
	for _, e := range engine.All(err) {
		paths[e.Path] = true
		if e.Hint == "" || !strings.Contains(err.Error(), e.Hint) {
			t.Errorf("%s: hint %q is not told in %v", e.Path, e.Hint, err)
		}
	}
	if !paths["log_topic"] || !paths["parallelism"] {
		t.Errorf("paths %v", paths)
	}
}
