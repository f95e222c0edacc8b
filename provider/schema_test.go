package provider_test

import (
	"encoding/json"
	"flag"
	"fmt"
	"maps"
	"os"
	"reflect"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/hashicorp/terraform-plugin-go/tfprotov6"

	"github.com/functionmesh/terraform-provider-functionmesh/internal/spec"
)

var update = flag.Bool("update", false, "rewrite the golden files")

// leaf is one attribute without nested ones, or the group that holds them.
type leaf struct {
	Type  string `json:"type"`
	Flags string `json:"flags"`
	doc   string
}

// flatten lists every attribute of a schema by path.
func flatten(attrs []*tfprotov6.SchemaAttribute, at string, into map[string]leaf) {
	for _, a := range attrs {
		name := strings.TrimPrefix(at+"."+a.Name, ".")
		l := leaf{doc: a.Description}
		for _, f := range []struct {
			set  bool
			word string
		}{{a.Required, "required"}, {a.Optional, "optional"}, {a.Computed, "computed"}, {a.Sensitive, "sensitive"}} {
			if f.set {
				l.Flags = strings.TrimSpace(l.Flags + " " + f.word)
			}
		}
		if a.NestedType == nil {
			l.Type = strings.ReplaceAll(a.Type.String(), "tftypes.", "")
			into[name] = l
			continue
		}
		suffix := map[tfprotov6.SchemaObjectNestingMode]string{
			tfprotov6.SchemaObjectNestingModeMap: "[*]", tfprotov6.SchemaObjectNestingModeList: "[*]",
		}[a.NestedType.Nesting]
		l.Type = "nested" + suffix
		into[name] = l
		flatten(a.NestedType.Attributes, name+suffix, into)
	}
}

func leaves(all map[string]leaf) int {
	n := 0
	for _, l := range all {
		if !strings.HasPrefix(l.Type, "nested") {
			n++
		}
	}
	return n
}

type shapes struct {
	Provider    map[string]leaf            `json:"provider"`
	Resources   map[string]map[string]leaf `json:"resources"`
	DataSources map[string]map[string]leaf `json:"data_sources"`
}

func readShapes(t *testing.T) shapes {
	t.Helper()
	resp, err := newServer(t, nil).GetProviderSchema(t.Context(), &tfprotov6.GetProviderSchemaRequest{})
	if err != nil {
		t.Fatal(err)
	}
	for _, d := range resp.Diagnostics {
		t.Errorf("%s: %s", d.Summary, d.Detail)
	}
	s := shapes{Provider: map[string]leaf{}, Resources: map[string]map[string]leaf{}, DataSources: map[string]map[string]leaf{}}
	flatten(resp.Provider.Block.Attributes, "", s.Provider)
	for name, r := range resp.ResourceSchemas {
		s.Resources[name] = map[string]leaf{}
		flatten(r.Block.Attributes, "", s.Resources[name])
	}
	for name, r := range resp.DataSourceSchemas {
		s.DataSources[name] = map[string]leaf{}
		flatten(r.Block.Attributes, "", s.DataSources[name])
	}
	return s
}

// A change of the golden file is a change of what users may write: adding is a feature,
// all else breaks configurations.
func TestSchemaIsGolden(t *testing.T) {
	const golden = "testdata/schema.json"
	got, err := json.MarshalIndent(readShapes(t), "", " ")
	if err != nil {
		t.Fatal(err)
	}
	got = append(got, '\n')
	if *update {
		if err := os.WriteFile(golden, got, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(golden)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(string(want), string(got)); diff != "" {
		t.Errorf("the schema changed; when that is meant, run go test ./provider -run Golden -update\n%s", diff)
	}
}

// bookkeeping are attributes of a resource that are none of the component in it.
func bookkeeping(at string) bool {
	root, _, _ := strings.Cut(at, ".")
	return slices.Contains([]string{"id", "tenant", "namespace", "name", "adopt", "deletion_policy", "wait_for_ready", "timeouts"}, root)
}

func TestSchemaIsSmall(t *testing.T) {
	const component, mesh = 60, 150
	for name, attrs := range readShapes(t).Resources {
		limit := component
		if name == "functionmesh_mesh" {
			limit = mesh
		} else {
			maps.DeleteFunc(attrs, func(at string, _ leaf) bool { return bookkeeping(at) })
		}
		if n := leaves(attrs); n > limit {
			t.Errorf("%s has %d leaves, at most %d keep plans fast", name, n, limit)
		} else {
			t.Logf("%s: %d leaves", name, n)
		}
	}
}

func TestSchemaIsDescribed(t *testing.T) {
	s := readShapes(t)
	all := map[string]map[string]leaf{"provider": s.Provider}
	maps.Copy(all, s.Resources)
	for name, attrs := range s.DataSources {
		all["data "+name] = attrs
	}
	for name, attrs := range all {
		for at, l := range attrs {
			if !strings.HasSuffix(l.doc, ".") {
				t.Errorf("%s: %s is described as %q, not in sentences", name, at, l.doc)
			}
		}
	}
}

// words lists the fields of a spec as patterns of paths.
func words(t reflect.Type, at string, into map[string]bool) {
	switch t.Kind() {
	case reflect.Pointer:
		words(t.Elem(), at, into)
	case reflect.Map:
		if t.Elem().Kind() == reflect.Struct {
			words(t.Elem(), at+"[*]", into)
			return
		}
		into[at] = true
	case reflect.Struct:
		for f := range t.Fields() {
			name, _, _ := strings.Cut(f.Tag.Get("json"), ",")
			if name != "-" && name != "" {
				words(f.Type, strings.TrimPrefix(at+"."+name, "."), into)
			}
		}
	default:
		into[at] = true
	}
}

// Every field of a spec is an attribute, or its absence has a reason.
func TestSchemaHasEveryWord(t *testing.T) {
	noCode := "a connector runs no user code"
	noInputs := "a source reads no topics"
	oneEntry := "it has a single entry point"
	function := map[string]string{
		"builtin": "a function runs user code", "config": "a function has user_config",
		"runtime.go.class": oneEntry, "runtime.wasm.class": oneEntry,
	}
	source := map[string]string{
		"runtime": noCode, "user_config": noCode, "timeout_ms": noCode,
		"inputs[*]": noInputs, "topics_pattern": noInputs, "subscription": noInputs, "cleanup_subscription": noInputs,
		"retain_ordering": noInputs, "retain_key_ordering": noInputs, "forward_source_message_property": noInputs,
		"max_message_retries": noInputs, "dead_letter_topic": noInputs,
		"skip_to_latest": noInputs, "auto_ack": noInputs, "negative_ack_redelivery_delay_ms": noInputs,
	}
	sink := map[string]string{
		"runtime": noCode, "user_config": noCode, "output": "a sink publishes nothing", "forward_source_message_property": "a sink publishes nothing",
	}
	mesh := map[string]string{}
	for field, reasons := range map[string]map[string]string{"functions[*]": function, "sources[*]": source, "sinks[*]": sink} {
		for word, reason := range reasons {
			mesh[field+"."+word] = reason
		}
		for _, own := range []string{"tenant", "namespace", "name"} {
			mesh[field+"."+own] = "the mesh decides it"
		}
	}
	cases := map[string]struct {
		spec     reflect.Type
		excluded map[string]string
	}{
		"functionmesh_function":  {reflect.TypeFor[spec.Component](), function},
		"functionmesh_source":    {reflect.TypeFor[spec.Component](), source},
		"functionmesh_sink":      {reflect.TypeFor[spec.Component](), sink},
		"functionmesh_mesh":      {reflect.TypeFor[spec.Mesh](), mesh},
		"functionmesh_topic":     {reflect.TypeFor[spec.Topic](), nil},
		"functionmesh_tenant":    {reflect.TypeFor[spec.Tenant](), nil},
		"functionmesh_namespace": {reflect.TypeFor[spec.Namespace](), nil},
	}
	shapes := readShapes(t)
	for name, tc := range cases {
		t.Run(name, func(t *testing.T) {
			wanted := map[string]bool{}
			words(tc.spec, "", wanted)
			for _, attrs := range []map[string]leaf{shapes.Resources[name], shapes.DataSources[name]} {
				if problems := parity(wanted, attrs, tc.excluded); len(problems) > 0 {
					t.Error(strings.Join(problems, "\n"))
				}
			}
		})
	}
}

func parity(wanted map[string]bool, attrs map[string]leaf, excluded map[string]string) []string {
	ours := []string{"id", "full_name", "adopt", "deletion_policy", "wait_for_ready", "timeouts", "phase", "reason", "message", "ready", "instances"}
	var problems []string
	below := func(path string) string {
		for prefix := range excluded {
			if path == prefix || strings.HasPrefix(path, prefix+".") || strings.HasPrefix(path, prefix+"[") {
				return prefix
			}
		}
		return ""
	}
	for path := range wanted {
		_, has := attrs[path]
		if prefix := below(path); has == (prefix != "") {
			problems = append(problems, fmt.Sprintf("%s: in the schema %v, excluded by %q", path, has, prefix))
		}
	}
	for path, l := range attrs {
		root, _, _ := strings.Cut(path, ".")
		root = strings.TrimSuffix(root, "[*]")
		if !strings.HasPrefix(l.Type, "nested") && !wanted[path] && !slices.Contains(ours, root) {
			problems = append(problems, path+" is no word of the spec")
		}
	}
	return problems
}
