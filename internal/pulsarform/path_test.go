package pulsarform

import (
	"encoding/json"
	"reflect"
	"slices"
	"strings"
	"testing"

	"github.com/functionmesh/terraform-provider-functionmesh/internal/spec"
)

func TestPathOf(t *testing.T) {
	cases := []struct {
		kind spec.Kind
		ours spec.Path
		want spec.Path
	}{
		{spec.KindFunction, "", ""},
		{spec.KindFunction, "processing_guarantees", "processingGuarantees"},
		{spec.KindFunction, `inputs["a.b"]`, `inputs["a.b"]`},
		{spec.KindFunction, `inputs["a"].schema`, `inputSpecs["a"].schemaType`},
		{spec.KindFunction, `inputs["a"].extra["cryptoConfig"]`, `inputSpecs["a"].cryptoConfig`},
		{spec.KindFunction, `output.producer.extra["useThreadLocalProducers"]`, "producerConfig.useThreadLocalProducers"},
		{spec.KindFunction, "output.producer.batching.enabled", "producerConfig.batchingConfig.enabled"},
		{spec.KindFunction, "output.producer.batching.max_bytes", "producerConfig.batchingConfig.batchingMaxBytes"},
		{spec.KindFunction, `extra["runtimeFlags"]`, "runtimeFlags"},
		{spec.KindFunction, `user_config["a"][0]`, `userConfig["a"][0]`},
		{spec.KindFunction, "subscription.name", "subName"},
		{spec.KindSink, "subscription.name", "sourceSubscriptionName"},
		{spec.KindFunction, "output.topic", "output"},
		{spec.KindSource, "output.topic", "topicName"},
		{spec.KindFunction, "runtime.python.class", "className"},
		{spec.KindFunction, "no path[", "no path["},
	}
	for _, c := range cases {
		if got := PathOf(c.kind, c.ours); got != c.want {
			t.Errorf("%s %s: %s, want %s", c.kind, c.ours, got, c.want)
		}
	}
}

// Whatever a configuration in Pulsar's form can ask for has a place there.
func TestEverySettingHasAPlaceInPulsarsForm(t *testing.T) {
	models := map[spec.Kind]any{spec.KindFunction: FunctionConfig{}, spec.KindSource: SourceConfig{}, spec.KindSink: SinkConfig{}}
	// What Pulsar has no field for.
	ours := []string{"state", "wasm", "connection", "data_path", "mesh", "type"}
	placed := 0
	for _, row := range spec.Matrix() {
		steps, err := spec.ParsePath(spec.Path(strings.ReplaceAll(string(row.Setting), "[*]", `["k"]`)))
		if err != nil {
			t.Fatal(err)
		}
		if slices.ContainsFunc(steps, func(s spec.Step) bool { return slices.Contains(ours, s.Name) }) {
			continue
		}
		for kind, model := range models {
			has := func(r spec.Runner, c spec.Cell) bool { return r.Kind == kind && c.Verdict != spec.Absent }
			if !slices.ContainsFunc(spec.Runners(), func(r spec.Runner) bool { return has(r, row.Cells[slices.Index(spec.Runners(), r)]) }) {
				continue
			}
			at, err := spec.ParsePath(PathOf(kind, spec.JoinPath(steps)))
			if err != nil {
				t.Fatal(err)
			}
			if slices.ContainsFunc(steps, func(s spec.Step) bool { return s.Name == "extra" }) {
				at = at[:len(at)-1] // the last is known to Pulsar, not to the model
			}
			placed++
			if defect := stray(reflect.TypeOf(model), at); defect != "" {
				t.Errorf("%s %s becomes %s, which has no %s", kind, row.Setting, PathOf(kind, spec.JoinPath(steps)), defect)
			}
		}
	}
	if placed < 50 {
		t.Errorf("%d settings were looked for", placed)
	}
}

// stray is the first step that a model has no field for.
func stray(model reflect.Type, at []spec.Step) string {
	for _, step := range at {
		for model.Kind() == reflect.Pointer {
			model = model.Elem()
		}
		if model == reflect.TypeFor[json.RawMessage]() {
			return "" // kept as it was written
		}
		if step.Key {
			if model.Kind() == reflect.Map || model.Kind() == reflect.Slice && model.Elem().Kind() == reflect.String {
				model = model.Elem()
			}
			continue
		}
		if model.Kind() != reflect.Struct {
			return step.Name
		}
		field, ok := model.FieldByNameFunc(func(name string) bool {
			f, _ := model.FieldByName(name)
			return f.Tag.Get("json") == step.Name
		})
		if !ok {
			return step.Name
		}
		model = field.Type
	}
	return ""
}
