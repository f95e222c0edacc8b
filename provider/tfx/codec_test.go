package tfx

import (
	"encoding/json"
	"maps"
	"math/big"
	"reflect"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/hashicorp/terraform-plugin-go/tftypes"

	"github.com/functionmesh/terraform-provider-functionmesh/internal/catalog"
	"github.com/functionmesh/terraform-provider-functionmesh/internal/spec"
)

// shapeOf is the Terraform type with a place for every word of a spec type.
func shapeOf(t reflect.Type) tftypes.Type {
	switch t.Kind() {
	case reflect.Pointer:
		return shapeOf(t.Elem())
	case reflect.Struct:
		attrs := map[string]tftypes.Type{}
		for _, f := range fieldsOf(t) {
			attrs[f.name] = shapeOf(t.Field(f.index).Type)
		}
		return tftypes.Object{AttributeTypes: attrs}
	case reflect.Map:
		return tftypes.Map{ElementType: shapeOf(t.Elem())}
	case reflect.Slice:
		return tftypes.List{ElementType: shapeOf(t.Elem())}
	case reflect.Bool:
		return tftypes.Bool
	case reflect.String:
		return tftypes.String
	default:
		return tftypes.Number
	}
}

// value makes a Terraform value of plain Go data; what is missing is null and the text
// "?" is unknown.
func value(t *testing.T, typ tftypes.Type, data any) tftypes.Value {
	t.Helper()
	if data == nil {
		return tftypes.NewValue(typ, nil)
	}
	if data == "?" {
		return tftypes.NewValue(typ, tftypes.UnknownValue)
	}
	switch typ := typ.(type) {
	case tftypes.Object:
		out := map[string]tftypes.Value{}
		given, _ := data.(map[string]any)
		for name, at := range typ.AttributeTypes {
			out[name] = value(t, at, given[name])
		}
		for name := range given {
			if _, ok := typ.AttributeTypes[name]; !ok {
				t.Fatalf("no attribute %s", name)
			}
		}
		return tftypes.NewValue(typ, out)
	case tftypes.Map:
		out := map[string]tftypes.Value{}
		for k, e := range data.(map[string]any) {
			out[k] = value(t, typ.ElementType, e)
		}
		return tftypes.NewValue(typ, out)
	case tftypes.List:
		var out []tftypes.Value
		for _, e := range data.([]any) {
			out = append(out, value(t, typ.ElementType, e))
		}
		return tftypes.NewValue(typ, out)
	}
	if n, ok := data.(int); ok {
		return tftypes.NewValue(typ, big.NewFloat(float64(n)))
	}
	return tftypes.NewValue(typ, data)
}

// goData is the reverse of value.
func goData(t *testing.T, v tftypes.Value) any {
	t.Helper()
	switch {
	case !v.IsKnown():
		return "?"
	case v.IsNull():
		return nil
	case v.Type().Is(tftypes.Object{}), v.Type().Is(tftypes.Map{}):
		elems, err := children(v)
		if err != nil {
			t.Fatal(err)
		}
		out := map[string]any{}
		for k, e := range elems {
			if d := goData(t, e); d != nil || v.Type().Is(tftypes.Map{}) {
				out[k] = d
			}
		}
		return out
	case v.Type().Is(tftypes.List{}):
		var elems []tftypes.Value
		if err := v.As(&elems); err != nil {
			t.Fatal(err)
		}
		var out []any
		for _, e := range elems {
			out = append(out, goData(t, e))
		}
		return out
	case v.Type().Is(tftypes.String):
		var s string
		if err := v.As(&s); err != nil {
			t.Fatal(err)
		}
		return s
	case v.Type().Is(tftypes.Bool):
		var b bool
		if err := v.As(&b); err != nil {
			t.Fatal(err)
		}
		return b
	default:
		n := new(big.Float)
		if err := v.As(&n); err != nil {
			t.Fatal(err)
		}
		i, _ := n.Int64()
		return int(i)
	}
}

type object = map[string]any

func componentShape() tftypes.Type { return shapeOf(reflect.TypeFor[spec.Component]()) }

func fn(extra object) object {
	base := object{
		"tenant": "public", "namespace": "default", "name": "f",
		"runtime": object{"wasm": object{"file": "f.wasm", "sha256": "aa"}},
		"inputs":  object{"orders": object{}},
	}
	maps.Copy(base, extra)
	return base
}

func decodeComponent(t *testing.T, data object) spec.Component {
	t.Helper()
	c, holes, err := Decode[spec.Component](value(t, componentShape(), data))
	if err != nil || len(holes) > 0 {
		t.Fatalf("holes %v, error %v", holes, err)
	}
	return c
}

func TestDecodeFindsHoles(t *testing.T) {
	v := value(t, componentShape(), fn(object{
		"parallelism": "?", "inputs": "?", "user_config": "?",
		"output": object{"topic": "?", "schema": "json"},
		"secrets": object{
			"API": object{"name": "?", "key": "k"},
		},
	}))
	c, holes, err := Decode[spec.Component](v)
	if err != nil {
		t.Fatal(err)
	}
	want := []spec.Path{"user_config", "inputs", "output.topic", "parallelism", `secrets["API"].name`}
	if diff := cmp.Diff(want, holes); diff != "" {
		t.Error(diff)
	}
	if c.Output.Schema != "json" || c.Parallelism != nil || c.Inputs != nil {
		t.Errorf("decoded %+v", c)
	}
}

func TestDecodeRefusesFractions(t *testing.T) {
	attrs, err := children(value(t, componentShape(), fn(nil)))
	if err != nil {
		t.Fatal(err)
	}
	attrs["parallelism"] = tftypes.NewValue(tftypes.Number, big.NewFloat(1.5))
	if _, _, err := Decode[spec.Component](tftypes.NewValue(componentShape(), attrs)); err == nil {
		t.Error("1.5 instances were accepted")
	}
}

// Terraform wants back the null that it planned, which no platform can keep.
func TestDecodeRefusesNullElements(t *testing.T) {
	cases := map[string]object{
		"Object": fn(object{"inputs": object{"orders": nil}}),
		"Text":   fn(object{"inputs": object{"orders": object{"extra": object{"a": nil}}}}),
		"Deep":   fn(object{"secrets": object{"API": nil}}),
	}
	for name, c := range cases {
		t.Run(name, func(t *testing.T) {
			if s, _, err := Decode[spec.Component](value(t, componentShape(), c)); err == nil {
				t.Errorf("decoded as %+v", s)
			}
		})
	}
}

// What a platform returns is the defaulted spec; encoding it beside what the user wrote
// gives exactly that again, whatever the spelling.
func TestEncodeKeepsWhatTheUserWrote(t *testing.T) {
	cases := map[string]object{
		"Minimal":         fn(nil),
		"DefaultsWritten": fn(object{"parallelism": 1, "processing_guarantees": "atleast_once", "retain_ordering": false}),
		"FullTopicName":   fn(object{"inputs": object{"persistent://public/default/orders": object{}}}),
		"ThreePartTopic":  fn(object{"inputs": object{"public/default/orders": object{"schema": "json"}}}),
		"TopicOutside":    fn(object{"output": object{"topic": "other/space/t"}, "dead_letter_topic": "dead"}),
		"EmptyObjects":    fn(object{"subscription": object{}, "resources": object{}}),
		"EmptyMap":        fn(object{"secrets": object{}}),
		"Quantity":        fn(object{"resources": object{"memory": "1024Mi", "cpu": "0.5"}}),
		"JSONSpelling":    fn(object{"user_config": `{ "b": 1, "a": [ 1.0 ] }`}),
		"State":           fn(object{"state": "running"}),
		"ZeroRetries":     fn(object{"max_message_retries": 0}),
		"Subscription":    fn(object{"subscription": object{"position": "earliest"}}),
		"Code":            fn(object{"runtime": object{"python": object{"url": "function://public/default/p@1", "class": "a.B", "sha256": "cc"}}}),
		"Extra":           fn(object{"extra": object{"windowConfig": `{"windowLengthCount": 5}`}}),
	}
	entity := catalog.Component(spec.KindFunction)
	for name, data := range cases {
		t.Run(name, func(t *testing.T) {
			prior := value(t, componentShape(), data)
			seen := entity.Default(decodeComponent(t, data))
			e := encoder{place: place{"public", "default"}, rules: entity}
			if diff := cmp.Diff(any(data), goData(t, encode(e, seen, prior, entity.Default))); diff != "" {
				t.Error(diff)
			}
		})
	}
}

func TestEncodeShowsDrift(t *testing.T) {
	cases := map[string]struct {
		wrote object
		edit  func(*spec.Component)
		want  object
	}{
		"Parallelism": {
			wrote: fn(object{"parallelism": 2}),
			edit:  func(c *spec.Component) { c.Parallelism = new(7) },
			want:  fn(object{"parallelism": 7}),
		},
		"UnsetParallelism": {
			wrote: fn(nil),
			edit:  func(c *spec.Component) { c.Parallelism = new(7) },
			want:  fn(object{"parallelism": 7}),
		},
		"BackToDefault": {
			wrote: fn(object{"parallelism": 2}),
			edit:  func(c *spec.Component) { c.Parallelism = new(1) },
			want:  fn(object{"parallelism": 1}),
		},
		"StateIsThePlatforms": {
			wrote: fn(nil),
			edit:  func(c *spec.Component) { c.State = spec.StateStopped },
			want:  fn(nil),
		},
		"DeclaredState": {
			wrote: fn(object{"state": "running"}),
			edit:  func(c *spec.Component) { c.State = spec.StateStopped },
			want:  fn(object{"state": "stopped"}),
		},
		"InputAdded": {
			wrote: fn(nil),
			edit:  func(c *spec.Component) { c.Inputs["persistent://public/default/more"] = spec.Input{} },
			want:  fn(object{"inputs": object{"orders": object{}, "more": object{}}}),
		},
		"OutputRemoved": {
			wrote: fn(object{"output": object{"topic": "t"}}),
			edit:  func(c *spec.Component) { c.Output = nil },
			want:  fn(nil),
		},
		"CodeReplaced": {
			wrote: fn(nil),
			edit: func(c *spec.Component) {
				c.Runtime.WASM = &spec.Code{SHA256: "bb", URL: "function://public/default/f@2"}
			},
			want: fn(object{"runtime": object{"wasm": object{"file": "f.wasm", "sha256": "bb"}}}),
		},
		"OtherRuntime": {
			wrote: fn(nil),
			edit: func(c *spec.Component) {
				c.Runtime = &spec.Runtime{Python: &spec.Code{SHA256: "bb", Class: "a.B"}}
			},
			want: fn(object{"runtime": object{"python": object{"class": "a.B", "sha256": "bb"}}}),
		},
		"UploadedCodeHasAURL": {
			wrote: fn(nil),
			edit:  func(c *spec.Component) { c.Runtime.WASM.URL = "function://public/default/f@1" },
			want:  fn(nil),
		},
	}
	entity := catalog.Component(spec.KindFunction)
	for name, tc := range cases {
		t.Run(name, func(t *testing.T) {
			seen := entity.Default(decodeComponent(t, tc.wrote))
			tc.edit(&seen)
			e := encoder{place: place{"public", "default"}, rules: entity}
			got := encode(e, seen, value(t, componentShape(), tc.wrote), entity.Default)
			if diff := cmp.Diff(any(tc.want), goData(t, got)); diff != "" {
				t.Error(diff)
			}
		})
	}
}

func TestEncodeImportsWhatIsNotDefault(t *testing.T) {
	cases := map[string]struct{ there, want object }{
		"Minimal": {
			there: fn(nil),
			want:  fn(nil),
		},
		"DefaultsAreLeftOut": {
			there: fn(object{"parallelism": 1, "state": "running", "inputs": object{"persistent://public/default/orders": object{}}}),
			want:  fn(nil),
		},
		"Everything": {
			there: fn(object{
				"parallelism": 3, "state": "stopped", "output": object{"topic": "persistent://a/b/c"},
				"subscription": object{"name": "s", "position": "earliest"}, "secrets": object{"K": object{"name": "n", "key": "k"}},
				"extra": object{"x": "1"}, "timeout_ms": 5, "retain_ordering": true,
			}),
			want: fn(object{
				"parallelism": 3, "state": "stopped", "output": object{"topic": "a/b/c"},
				"subscription": object{"name": "s", "position": "earliest"}, "secrets": object{"K": object{"name": "n", "key": "k"}},
				"extra": object{"x": "1"}, "timeout_ms": 5, "retain_ordering": true,
			}),
		},
		"URLWins": {
			there: fn(object{"runtime": object{"wasm": object{"file": "f.wasm", "url": "function://a/b/c@1", "sha256": "aa"}}}),
			want:  fn(object{"runtime": object{"wasm": object{"url": "function://a/b/c@1", "sha256": "aa"}}}),
		},
	}
	entity := catalog.Component(spec.KindFunction)
	for name, tc := range cases {
		t.Run(name, func(t *testing.T) {
			seen := decodeComponent(t, tc.there)
			prior := value(t, componentShape(), object{"tenant": "public", "namespace": "default", "name": "f"})
			e := encoder{place: place{"public", "default"}, mode: importing, rules: entity}
			if diff := cmp.Diff(any(tc.want), goData(t, encode(e, seen, prior, entity.Default))); diff != "" {
				t.Error(diff)
			}
		})
	}
}

func TestRespell(t *testing.T) {
	prior := fn(object{"resources": object{"memory": "1Gi"}, "user_config": `{"a":1}`, "output": object{"topic": "out"}})
	cases := map[string]struct{ planned, want object }{
		"AllRespelt": {
			planned: fn(object{
				"resources": object{"memory": "1024Mi"}, "user_config": ` {"a": 1}`, "output": object{"topic": "public/default/out"},
				"inputs": object{"persistent://public/default/orders": object{}},
			}),
			want: prior,
		},
		"OneChanged": {
			planned: fn(object{"resources": object{"memory": "2Gi"}, "user_config": ` {"a": 1}`, "output": object{"topic": "public/default/out"}}),
			want:    fn(object{"resources": object{"memory": "2Gi"}, "user_config": `{"a":1}`, "output": object{"topic": "out"}}),
		},
		"KeyRespeltBesideANewOne": {
			planned: fn(object{"inputs": object{"public/default/orders": object{}, "more": object{}}}),
			want:    fn(object{"inputs": object{"public/default/orders": object{}, "more": object{}}}),
		},
	}
	for name, tc := range cases {
		t.Run(name, func(t *testing.T) {
			got := place{"public", "default"}.respell(reflect.TypeFor[spec.Component](),
				value(t, componentShape(), tc.planned), value(t, componentShape(), prior), plain)
			if diff := cmp.Diff(any(tc.want), goData(t, got)); diff != "" {
				t.Error(diff)
			}
		})
	}
}

// FuzzCodec holds that what is decoded, completed and encoded beside itself does not
// change, and that its comparison with itself finds nothing.
func FuzzCodec(f *testing.F) {
	for _, seed := range []string{
		`{"name":"f","inputs":{"orders":{}},"parallelism":2}`,
		`{"tenant":"a","namespace":"b","name":"f","inputs":{"persistent://a/b/c":{"schema":"json"},"d":{}},"user_config":"{\"a\":1}"}`,
		`{"name":"f","runtime":{"python":{"file":"x.py","class":"x.Y","sha256":"ab"}},"resources":{"memory":"1Gi"},"secrets":{"K":{"name":"n","key":"k"}}}`,
		`{"name":"f","subscription":{"name":"s"},"output":{"topic":"t","producer":{"extra":{"x":"{}"}}},"max_message_retries":0}`,
	} {
		f.Add([]byte(seed))
	}
	entity := catalog.Component(spec.KindFunction)
	f.Fuzz(func(t *testing.T, data []byte) {
		var c spec.Component
		if json.Unmarshal(data, &c) != nil || len(entity.Validate(c)) > 0 {
			t.Skip()
		}
		p := place{or(c.Tenant, "public"), or(c.Namespace, "default")}
		whole := encoder{place: p, mode: reporting, rules: entity}
		empty := tftypes.NewValue(componentShape(), nil)
		wrote := encode(whole, c, empty, func(c spec.Component) spec.Component { return c })
		first, holes, err := Decode[spec.Component](wrote)
		if err != nil || len(holes) > 0 {
			t.Fatalf("holes %v, error %v", holes, err)
		}
		again := encode(encoder{place: p, rules: entity}, entity.Default(first), wrote, entity.Default)
		if !again.Equal(wrote) {
			t.Errorf("encoded %v\nas %v", goData(t, wrote), goData(t, again))
		}
	})
}

func or(s, fallback string) string {
	if s == "" {
		return fallback
	}
	return s
}
