package admin

import (
	"encoding/json"
	"slices"

	"github.com/functionmesh/terraform-provider-functionmesh/internal/spec"
)

// explicitKey is the key in the envelope under which we remember the settings that a
// user wrote although a Pulsar would fill in the same. Without it, what Pulsar filled
// in could not be told from what was asked for.
const explicitKey = "explicit"

// filled is a setting at the value that a Pulsar worker fills in where there is none.
type filled struct {
	path  spec.Path
	clear func()
}

// filledIn finds them in c.
func filledIn(c *spec.Component) []filled {
	var out []filled
	if r := c.Resources; r != nil {
		for path, q := range map[spec.Path]struct {
			value *spec.Quantity
			fill  spec.Quantity
		}{
			"resources.cpu": {&r.CPU, "1"}, "resources.memory": {&r.Memory, "1Gi"}, "resources.disk": {&r.Disk, "10Gi"},
		} {
			if *q.value != "" && q.value.Canonical() == q.fill.Canonical() {
				out = append(out, filled{path, func() { *q.value = "" }})
			}
		}
	}
	if c.Output != nil && c.Output.Producer != nil && c.Output.Producer.Compression == "lz4" {
		out = append(out, filled{"output.producer.compression", func() { c.Output.Producer.Compression = "" }})
	}
	for topic, in := range c.Inputs {
		if in.Regex != nil && !*in.Regex {
			out = append(out, filled{spec.Path("inputs").Key(topic).Field("regex"), func() {
				in.Regex = nil
				c.Inputs[topic] = in
			}})
		}
	}
	return out
}

// explicit is what the envelope remembers of c.
func explicit(c spec.Component) map[string]json.RawMessage {
	var paths []spec.Path
	for _, f := range filledIn(&c) {
		paths = append(paths, f.path)
	}
	if paths == nil {
		return nil
	}
	slices.Sort(paths)
	b, _ := json.Marshal(paths) // strings always marshal
	return map[string]json.RawMessage{explicitKey: b}
}

// blank takes out of c what nobody asked for.
func blank(c *spec.Component, remembered json.RawMessage) {
	var paths []spec.Path
	_ = json.Unmarshal(remembered, &paths) // what cannot be read remembers nothing
	for _, f := range filledIn(c) {
		if !slices.Contains(paths, f.path) {
			f.clear()
		}
	}
	if c.Resources != nil && *c.Resources == (spec.Resources{}) {
		c.Resources = nil
	}
	if o := c.Output; o != nil && o.Producer != nil && o.Producer.Compression == "" && o.Producer.MaxPendingMessages == nil && o.Producer.Extra == nil {
		o.Producer = nil
	}
}
