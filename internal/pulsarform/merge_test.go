package pulsarform

import (
	"encoding/json"
	"testing"

	"github.com/functionmesh/terraform-provider-functionmesh/internal/spec"
)

func TestMerge(t *testing.T) {
	const have = `{"name":"f","parallelism":1,"logTopic":"l","inputSpecs":{"a":{"schemaType":"json"},"b":{}},
		"customRuntimeOptions":"{\"functionmesh\":{\"v\":1,\"owner\":\"me\"},\"mine\":1}"}`
	for name, tc := range map[string]struct{ change, want string }{
		"Nothing": {`{}`, have},
		"Nulls":   {`{"name":null,"logTopic":null}`, have},
		"Value": {`{"parallelism":2}`, `{"name":"f","parallelism":2,"logTopic":"l","inputSpecs":{"a":{"schemaType":"json"},"b":{}},
			"customRuntimeOptions":"{\"functionmesh\":{\"v\":1,\"owner\":\"me\"},\"mine\":1}"}`},
		"InputsKeepTheirSettings": {`{"inputs":["a","c"],"inputSpecs":{"d":{}}}`, `{"name":"f","parallelism":1,"logTopic":"l",
			"inputs":["a","c"],"inputSpecs":{"a":{"schemaType":"json"},"d":{}},
			"customRuntimeOptions":"{\"functionmesh\":{\"v\":1,\"owner\":\"me\"},\"mine\":1}"}`},
		"OwnOptions": {`{"customRuntimeOptions":"{\"yours\":2}"}`, `{"name":"f","parallelism":1,"logTopic":"l",
			"inputSpecs":{"a":{"schemaType":"json"},"b":{}},"customRuntimeOptions":"{\"functionmesh\":{\"owner\":\"me\",\"v\":1},\"yours\":2}"}`},
		"NewEnvelope": {`{"customRuntimeOptions":"{\"functionmesh\":{\"v\":1,\"owner\":\"you\"}}"}`, `{"name":"f","parallelism":1,"logTopic":"l",
			"inputSpecs":{"a":{"schemaType":"json"},"b":{}},"customRuntimeOptions":"{\"functionmesh\":{\"v\":1,\"owner\":\"you\"}}"}`},
	} {
		t.Run(name, func(t *testing.T) {
			got, err := Merge([]byte(have), []byte(tc.change))
			if err != nil {
				t.Fatal(err)
			}
			if !same(got, json.RawMessage(tc.want)) {
				t.Errorf("got  %s\nwant %s", got, tc.want)
			}
		})
	}
	for name, change := range map[string]string{"NoObject": "[]", "Null": "null", "Inputs": `{"inputs":1}`, "Options": `{"customRuntimeOptions":1}`} {
		t.Run(name, func(t *testing.T) {
			if _, err := Merge([]byte(have), []byte(change)); err == nil {
				t.Error("accepted")
			}
		})
	}
}

// A whole configuration merged into its own kind of configuration reads as itself, so
// that an update never depends on what was there but for what it leaves out.
func FuzzMerge(f *testing.F) {
	f.Add([]byte(`{"name":"a","inputSpecs":{"x":{}}}`), []byte(`{"inputs":["x"],"customRuntimeOptions":"z"}`))
	f.Add([]byte(`{"customRuntimeOptions":"{\"functionmesh\":{\"v\":1,\"owner\":\"o\"}}"}`), []byte(`{"customRuntimeOptions":""}`))
	f.Fuzz(func(t *testing.T, have, change []byte) {
		if _, err := Decode(spec.KindFunction, have); err != nil {
			return
		}
		if _, err := Decode(spec.KindFunction, change); err != nil {
			return
		}
		merged, err := Merge(have, change)
		if err != nil {
			t.Fatalf("merge: %v", err)
		}
		again, err := Merge(merged, change)
		if err != nil {
			t.Fatalf("merge again: %v", err)
		}
		if !same(merged, again) {
			t.Fatalf("merging twice changed\n%s\nto\n%s", merged, again)
		}
	})
}
