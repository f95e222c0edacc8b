package spec

import (
	"encoding/json"
	"testing"

	"github.com/google/go-cmp/cmp"
)

func FuzzParseTopic(f *testing.F) {
	for _, seed := range []string{"orders", "a/b/c", "persistent://a/b/c-partition-7", "non-persistent://a/b/c", "a-partition-", "://", "", "-partition-1", "ä/b/c"} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, text string) {
		name, err := ParseTopic(text, "shop", "eu")
		if err != nil {
			return
		}
		for _, spelling := range []string{name.String(), name.Short("shop", "eu"), name.Short("a", "b")} {
			tenant, namespace := "shop", "eu"
			if spelling == name.Short("a", "b") {
				tenant, namespace = "a", "b"
			}
			again, err := ParseTopic(spelling, tenant, namespace)
			if err != nil || again != name {
				t.Errorf("%q is spelled %q, which is %+v, %v", text, spelling, again, err)
			}
		}
	})
}

func FuzzQuantity(f *testing.F) {
	for _, seed := range []string{"1Gi", "500m", "1e3", "-.5", "1E", "12Ei", "", "1e-30", "9.9.9"} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, text string) {
		q := Quantity(text)
		amount, err := q.Parse()
		if err != nil {
			return
		}
		if canonical := Quantity(q.Canonical()); len(canonical) <= maxQuantity {
			again, err := canonical.Parse()
			if err != nil || again.Cmp(amount) != 0 {
				t.Errorf("%q is %q, which is %v, %v", text, canonical, again, err)
			}
		}
	})
}

func FuzzPath(f *testing.F) {
	for _, seed := range []string{"", "a.b", `functions["enrich"].inputs["a/b"].schema`, "a[0]", `a["\"]"]`, "a[", "..", `["\u0000"]`} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, text string) {
		steps, err := ParsePath(Path(text))
		if err != nil {
			return
		}
		again, err := ParsePath(JoinPath(steps))
		if err != nil {
			t.Fatalf("%q became %q: %v", text, JoinPath(steps), err)
		}
		if diff := cmp.Diff(steps, again); diff != "" {
			t.Errorf("%q (-first +second):\n%s", text, diff)
		}
	})
}

func FuzzJSON(f *testing.F) {
	for _, seed := range []string{`{"b":1,"a":[1.50e+3,"<ä>",null,true]}`, "0", "-0.0e-0", `{"a":{"a":{}}}`, "null", `{"a":1,"a":2}`, "[[[[]]]]", "1e400"} {
		f.Add([]byte(seed))
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		j, err := ParseJSON(data)
		if err != nil || j == "" {
			return
		}
		if !json.Valid([]byte(j)) {
			t.Fatalf("%q became %q", data, j)
		}
		again, err := ParseJSON([]byte(j))
		if err != nil || again != j {
			t.Errorf("%q became %q, then %q, %v", data, j, again, err)
		}
		canonical := JSON(j.Canonical())
		if canonical.Canonical() != string(canonical) {
			t.Errorf("%q: canonical %q is not its own", data, canonical)
		}
	})
}

// Whatever JSON says, decoding, defaulting, validating and matching it neither panics nor
// disagrees with itself.
func FuzzDecodeMesh(f *testing.F) {
	text, err := json.Marshal(testMesh())
	if err != nil {
		f.Fatal(err)
	}
	f.Add(text)
	f.Add([]byte(`{"name":"m","functions":{"a":{"inputs":{"x":{},"public/default/x":{}}}},"sinks":{"a":null}}`))
	f.Fuzz(func(t *testing.T, data []byte) {
		m, problems := DecodeMesh(data)
		if len(problems) > 0 {
			return
		}
		ValidateMesh(m)
		once := DefaultMesh(m)
		if diff := cmp.Diff(once, DefaultMesh(once)); diff != "" {
			t.Errorf("defaulting twice changed:\n%s", diff)
		}
		for _, kind := range meshOrder() {
			for key, c := range once.Components(kind) {
				Honour(PlatformLocal, once.Member(kind, key, c))
			}
		}
	})
}
