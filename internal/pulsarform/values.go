package pulsarform

import (
	"encoding/json"
	"math"
	"strconv"
	"strings"

	"github.com/functionmesh/terraform-provider-functionmesh/internal/spec"
)

// harmless are settings without a word in spec at the value that Pulsar assumes
// anyway. Pulsar's server and clients write them out; they are spelling, not meaning.
var harmless = map[string]string{
	"exposePulsarAdminClientEnabled":     "false",
	"maxPendingAsyncRequests":            "1000",
	"runtimeFlags":                       `""`,
	"functionType":                       `""`,
	"inputTypeClassName":                 `""`,
	"outputTypeClassName":                `""`,
	"customSchemaOutputs":                "{}",
	"topicToSchemaProperties":            "{}",
	"poolMessages":                       "false",
	"schemaProperties":                   "{}",
	"consumerProperties":                 "{}",
	"maxPendingMessagesAcrossPartitions": "0",
	"useThreadLocalProducers":            "false",
	"className":                          `""`,
}

// extraOf turns settings without a word into Extra, the harmless left out.
func extraOf(rest map[string]json.RawMessage) map[string]spec.JSON {
	var out map[string]spec.JSON
	for k, raw := range rest {
		if h, ok := harmless[k]; ok && same(raw, json.RawMessage(h)) {
			continue
		}
		out = putExtra(out, k, raw)
	}
	return out
}

func putExtra(extra map[string]spec.JSON, key string, raw json.RawMessage) map[string]spec.JSON {
	text, err := canonical(raw)
	if err != nil {
		return extra // raw was decoded once already, so that it is valid
	}
	if extra == nil {
		extra = map[string]spec.JSON{}
	}
	extra[key] = spec.JSON(text)
	return extra
}

func putExtraString(extra map[string]spec.JSON, key, value string) map[string]spec.JSON {
	return putExtra(extra, key, quote(value))
}

func quote(s string) json.RawMessage {
	b, _ := json.Marshal(s) // a string always marshals
	return b
}

// restOf is the inverse of extraOf. A text that is no JSON cannot be said.
func restOf(extra map[string]spec.JSON) map[string]json.RawMessage {
	var out map[string]json.RawMessage
	for k, text := range extra {
		if !json.Valid([]byte(text)) {
			continue
		}
		if out == nil {
			out = make(map[string]json.RawMessage, len(extra))
		}
		out[k] = json.RawMessage(text)
	}
	return out
}

func guarantee(p *string) spec.Guarantee { return spec.Guarantee(strings.ToLower(val(p))) }

func guaranteeText(g spec.Guarantee) *string { return opt(strings.ToUpper(string(g))) }

func subscription(name, position *string) *spec.Subscription {
	if name == nil && position == nil {
		return nil
	}
	return &spec.Subscription{Name: val(name), Position: spec.Position(strings.ToLower(val(position)))}
}

func subscriptionText(s *spec.Subscription) (name, position *string) {
	if s == nil {
		return nil, nil
	}
	p := string(s.Position)
	if p != "" {
		p = strings.ToUpper(p[:1]) + p[1:]
	}
	return opt(s.Name), opt(p)
}

// schema lowers the names of Pulsar's schema types, which Pulsar itself compares
// without case; anything else is a class name.
func schema(p *string) string {
	s := val(p)
	switch strings.ToUpper(s) {
	case "NONE", "BYTES", "STRING", "JSON", "AVRO", "PROTOBUF", "PROTOBUF_NATIVE", "KEY_VALUE", "AUTO_CONSUME", "AUTO_PUBLISH", "AUTO":
		return strings.ToLower(s)
	}
	return s
}

// object is a JSON object as spec holds it; an empty one is what Pulsar answers for
// none.
func object(raw json.RawMessage) spec.JSON {
	if raw == nil || same(raw, json.RawMessage("{}")) {
		return ""
	}
	text, err := canonical(raw)
	if err != nil {
		return ""
	}
	return spec.JSON(text)
}

func objectRaw(j spec.JSON) json.RawMessage {
	if !json.Valid([]byte(j)) || !isObject(json.RawMessage(j)) {
		return nil
	}
	return json.RawMessage(j)
}

// secretModel is how Function Mesh and Pulsar's Kubernetes provider write a reference
// to one value.
type secretModel struct {
	Path *string `json:"path"`
	Key  *string `json:"key"`
}

// secrets splits off what is a reference; the rest belongs to another secrets
// provider and is kept verbatim.
func secrets(in map[string]json.RawMessage) (map[string]spec.SecretRef, map[string]json.RawMessage) {
	var refs map[string]spec.SecretRef
	var other map[string]json.RawMessage
	for name, raw := range in {
		var m secretModel
		rest, err := unmarshalModel(raw, &m)
		if err != nil || rest != nil || m.Path == nil || m.Key == nil {
			if other == nil {
				other = map[string]json.RawMessage{}
			}
			other[name] = raw
			continue
		}
		if refs == nil {
			refs = map[string]spec.SecretRef{}
		}
		refs[name] = spec.SecretRef{Name: *m.Path, Key: *m.Key}
	}
	return refs, other
}

func secretsText(refs map[string]spec.SecretRef, extra map[string]spec.JSON) map[string]json.RawMessage {
	var out map[string]json.RawMessage
	if other := objectRaw(extra["secrets"]); other != nil {
		_ = json.Unmarshal(other, &out) // objectRaw has checked it
	}
	for name, ref := range refs {
		if out == nil {
			out = make(map[string]json.RawMessage, len(refs))
		}
		b, _ := json.Marshal(secretModel{Path: &ref.Name, Key: &ref.Key}) // two strings always marshal
		out[name] = b
	}
	return out
}

func resources(in *Resources) (*spec.Resources, json.RawMessage) {
	if in == nil {
		return nil, nil
	}
	var other json.RawMessage
	if in.Rest != nil {
		other, _ = json.Marshal(in.Rest) // raw messages from a valid document
	}
	out := spec.Resources{Memory: bytesQuantity(in.RAM), Disk: bytesQuantity(in.Disk)}
	if in.CPU != nil {
		out.CPU = coresQuantity(*in.CPU)
	}
	if out == (spec.Resources{}) {
		return nil, other
	}
	return &out, other
}

func resourcesText(in *spec.Resources, extra map[string]spec.JSON) *Resources {
	out := Resources{}
	if other := objectRaw(extra["resources"]); other != nil {
		_ = json.Unmarshal(other, &out.Rest) // objectRaw has checked it
	}
	if in != nil {
		out.CPU, out.RAM, out.Disk = cores(in.CPU), byteCount(in.Memory), byteCount(in.Disk)
	}
	if out.CPU == nil && out.RAM == nil && out.Disk == nil && out.Rest == nil {
		return nil
	}
	return &out
}

func coresQuantity(cpu float64) spec.Quantity {
	milli := cpu * 1000
	switch {
	case milli != math.Trunc(milli) || math.Abs(milli) > 1e15 || milli/1000 != cpu:
		return spec.Quantity(strconv.FormatFloat(cpu, 'f', -1, 64))
	case math.Mod(milli, 1000) == 0:
		return spec.Quantity(strconv.FormatInt(int64(cpu), 10))
	}
	return spec.Quantity(strconv.FormatInt(int64(milli), 10) + "m")
}

// cores reads what Pulsar can be told: a plain number, or thousandths.
func cores(q spec.Quantity) *float64 {
	text, isMilli := strings.CutSuffix(string(q), "m")
	f, err := strconv.ParseFloat(text, 64)
	if err != nil || math.IsInf(f, 0) || math.IsNaN(f) {
		return nil
	}
	if isMilli {
		f /= 1000
	}
	return &f
}

func bytesQuantity(p *int64) spec.Quantity {
	if p == nil {
		return ""
	}
	n, unit := *p, ""
	for _, u := range []string{"Ki", "Mi", "Gi", "Ti"} {
		if n == 0 || n%1024 != 0 {
			break
		}
		n, unit = n/1024, u
	}
	return spec.Quantity(strconv.FormatInt(n, 10) + unit)
}

func byteCount(q spec.Quantity) *int64 {
	if q == "" {
		return nil
	}
	n, err := q.Bytes()
	if err != nil {
		return nil
	}
	return &n
}
