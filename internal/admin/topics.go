package admin

import (
	"context"
	"fmt"
	"maps"
	"strings"

	"github.com/apache/pulsar-client-go/pulsaradmin/pkg/utils"
	"golang.org/x/sync/errgroup"

	"github.com/functionmesh/terraform-provider-functionmesh/internal/engine"
	"github.com/functionmesh/terraform-provider-functionmesh/internal/pulsarform"
	"github.com/functionmesh/terraform-provider-functionmesh/internal/spec"
)

// topics drives persistent topics. Marks are properties with a reserved prefix.
type topics struct{ *api }

// metadata is Pulsar's model of a topic.
type metadata struct {
	Partitions int               `json:"partitions"`
	Properties map[string]string `json:"properties"`
}

func topicPath(key engine.Key, parts ...string) string {
	var path strings.Builder
	path.WriteString("/admin/v2/persistent/" + segment(key.Tenant) + "/" + segment(key.Namespace))
	for _, p := range append([]string{key.Name}, parts...) {
		if p != "" {
			path.WriteString("/" + segment(p))
		}
	}
	return path.String()
}

// Observe implements engine.Client.
func (c *topics) Observe(ctx context.Context, key engine.Key) (engine.Observed[spec.Topic], error) {
	var m metadata
	x, err := c.call(ctx, func(ctx context.Context) error {
		return c.rest.GetWithContext(ctx, topicPath(key, "partitions"), &m)
	})
	if err == nil && !ours(x) {
		// Older Pulsars answer for a topic that is not there as for one without
		// partitions; its properties tell.
		m.Properties = nil
		x, err = c.call(ctx, func(ctx context.Context) error {
			return c.rest.GetWithContext(ctx, topicPath(key, "properties"), &m.Properties)
		})
	}
	if engine.Is(err, engine.NotFound) {
		if missing := c.found(ctx, x, key, err); missing != nil {
			return engine.Observed[spec.Topic]{}, missing
		}
	}
	out, err := observed(ctx, c.api, x, spec.Topic{Tenant: key.Tenant, Namespace: key.Namespace, Name: key.Name}, err)
	if out.Found {
		m.fill(&out.Object)
	}
	return out, err
}

// fill takes our marks out of the properties.
func (m metadata) fill(o *engine.Object[spec.Topic]) {
	if m.Partitions > 0 {
		o.Spec.Partitions = &m.Partitions
	}
	o.Marks = marksIn(m.Properties)
	for k, v := range m.Properties {
		if strings.HasPrefix(k, pulsarform.PropertyPrefix) {
			continue
		}
		if o.Spec.Properties == nil {
			o.Spec.Properties = map[string]string{}
		}
		o.Spec.Properties[k] = v
	}
}

// marksIn reads our marks among the properties of a topic or a namespace.
func marksIn(all map[string]string) engine.Marks {
	return engine.Marks{
		Owner: all[pulsarform.PropertyOwner], Creating: all[pulsarform.PropertyCreating] == "true",
	}
}

// properties are a user's own with our marks among them.
func properties(marks engine.Marks, own map[string]string) map[string]string {
	out := maps.Clone(own)
	if out == nil {
		out = map[string]string{}
	}
	if marks.Owner != "" {
		out[pulsarform.PropertyOwner] = marks.Owner
	}
	if marks.Creating {
		out[pulsarform.PropertyCreating] = "true"
	}
	return out
}

func partitions(t spec.Topic) int {
	if t.Partitions == nil {
		return 0
	}
	return *t.Partitions
}

func topicKey(t spec.Topic) engine.Key { return keyOf(spec.KindTopic, t.Tenant, t.Namespace, t.Name) }

// Create implements engine.Client: one request, marks included. A topic that a Pulsar
// made by itself, for a producer or a function, becomes ours.
func (c *topics) Create(ctx context.Context, want engine.Object[spec.Topic]) (engine.Observed[spec.Topic], error) {
	name, err := utils.GetTopicName(want.Spec.FullName())
	if err != nil {
		return engine.Observed[spec.Topic]{}, engine.New(engine.Invalid, err)
	}
	x, err := c.call(ctx, func(ctx context.Context) error {
		return c.pulsar.Topics().CreateWithPropertiesWithContext(ctx, *name, partitions(want.Spec), properties(want.Marks, want.Spec.Properties))
	})
	if engine.Is(err, engine.Exists) && !ours(x) {
		err = c.claim(ctx, want, err)
	}
	if err != nil {
		return engine.Observed[spec.Topic]{}, err
	}
	return c.Observe(ctx, topicKey(want.Spec))
}

// claim turns a topic without marks and properties into the wanted one.
func (c *topics) claim(ctx context.Context, want engine.Object[spec.Topic], exists error) error {
	have, err := c.Observe(ctx, topicKey(want.Spec))
	if err != nil {
		return err
	}
	if !have.Found || have.Marks != (engine.Marks{}) || len(have.Spec.Properties) > 0 {
		return exists
	}
	is, becomes := partitions(have.Spec), partitions(want.Spec)
	if (is == 0) != (becomes == 0) || becomes < is {
		return &engine.Error{
			Class: engine.Immutable, Path: "partitions",
			Err:  fmt.Errorf("it was made already, on first use, with %s, and cannot get %s", count(is), count(becomes)),
			Hint: "Declare what it has, or delete it with all that it holds, and let whatever uses it reference functionmesh_topic.<name>.name, so that it is made first",
		}
	}
	return c.Update(ctx, have, want, []engine.Change{{Path: "partitions"}, {Path: "properties"}})
}

func count(partitions int) string {
	if partitions == 0 {
		return "no partitions"
	}
	return fmt.Sprintf("%d partitions", partitions)
}

// Update implements engine.Client: partitions first, because they can be refused.
func (c *topics) Update(ctx context.Context, have engine.Observed[spec.Topic], want engine.Object[spec.Topic], changes []engine.Change) error {
	key := topicKey(have.Spec)
	name, err := utils.GetTopicName(have.Spec.FullName())
	if err != nil {
		return engine.New(engine.Invalid, err)
	}
	if touches(changes, "partitions") && partitions(want.Spec) != partitions(have.Spec) {
		_, err := c.call(ctx, func(ctx context.Context) error {
			return c.pulsar.Topics().UpdateWithContext(ctx, *name, partitions(want.Spec))
		})
		if err != nil {
			return err
		}
	}
	target := engine.Object[spec.Topic]{Spec: have.Spec, Marks: want.Marks}
	if touches(changes, "properties") {
		target.Spec.Properties = want.Spec.Properties
	}
	if target.Marks.Owner == "" {
		target.Marks.Owner = have.Marks.Owner
	}
	return c.setProperties(ctx, key, *name, properties(have.Marks, have.Spec.Properties), properties(target.Marks, target.Spec.Properties))
}

func (c *topics) setProperties(ctx context.Context, key engine.Key, name utils.TopicName, have, want map[string]string) error {
	put := map[string]string{}
	for k, v := range want {
		if old, ok := have[k]; !ok || old != v {
			put[k] = v
		}
	}
	if len(put) > 0 {
		_, err := c.call(ctx, func(ctx context.Context) error {
			return c.pulsar.Topics().UpdatePropertiesWithContext(ctx, name, put)
		})
		if err != nil {
			return err
		}
	}
	for _, k := range spec.SortedKeys(have) {
		if _, kept := want[k]; kept {
			continue
		}
		_, err := c.call(ctx, func(ctx context.Context) error {
			return c.rest.DeleteWithQueryParamsWithContext(ctx, topicPath(key, "properties"), map[string]string{"key": k})
		})
		if err != nil {
			return err
		}
	}
	return nil
}

// Delete implements engine.Client.
func (c *topics) Delete(ctx context.Context, have engine.Observed[spec.Topic], opts engine.DeleteOptions) error {
	part := ""
	if partitions(have.Spec) > 0 {
		part = "partitions"
	}
	err := c.remove(ctx, topicPath(topicKey(have.Spec), part), opts)
	if err != nil && strings.Contains(err.Error(), "connected producers/consumers") {
		return &engine.Error{Class: engine.Conflict, Err: err, Hint: "End whoever reads or writes it first"}
	}
	return err
}

// List implements engine.Lister.
func (c *topics) List(ctx context.Context, in engine.Key) ([]engine.Observed[spec.Topic], error) {
	var partitioned, all []string
	in.Name = ""
	for part, names := range map[string]*[]string{"partitioned": &partitioned, "": &all} {
		_, err := c.call(ctx, func(ctx context.Context) error {
			return c.rest.GetWithContext(ctx, topicPath(in, part), names)
		})
		if err != nil {
			return nil, err
		}
	}
	found := map[string]bool{}
	for _, full := range append(partitioned, all...) {
		if name, err := spec.ParseTopic(full, "", ""); err == nil {
			found[name.Whole().Local] = true
		}
	}
	keys := make([]engine.Key, 0, len(found))
	for _, local := range spec.SortedKeys(found) {
		keys = append(keys, keyOf(spec.KindTopic, in.Tenant, in.Namespace, local))
	}
	return observeAll(ctx, c, keys)
}

// observeAll reads objects, some at a time. One that has gone meanwhile is left out.
func observeAll[S any](ctx context.Context, c engine.Client[S], keys []engine.Key) ([]engine.Observed[S], error) {
	const atOnce = 8
	all := make([]engine.Observed[S], len(keys))
	group, ctx := errgroup.WithContext(ctx)
	group.SetLimit(atOnce)
	for i, key := range keys {
		group.Go(func() (err error) {
			all[i], err = c.Observe(ctx, key)
			return err
		})
	}
	if err := group.Wait(); err != nil {
		return nil, err
	}
	out := make([]engine.Observed[S], 0, len(all))
	for _, o := range all {
		if o.Found {
			out = append(out, o)
		}
	}
	return out, nil
}
