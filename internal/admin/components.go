package admin

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"strings"

	"github.com/functionmesh/terraform-provider-functionmesh/internal/engine"
	"github.com/functionmesh/terraform-provider-functionmesh/internal/pulsarform"
	"github.com/functionmesh/terraform-provider-functionmesh/internal/spec"
)

// face is what differs between functions, sources and sinks.
type face struct {
	path   string // of the API
	config string // name of the part that holds the configuration
}

var faces = map[spec.Kind]face{
	spec.KindFunction: {"functions", "functionConfig"},
	spec.KindSource:   {"sources", "sourceConfig"},
	spec.KindSink:     {"sinks", "sinkConfig"},
}

// components drives functions, sources or sinks. Marks travel in the envelope inside
// customRuntimeOptions.
type components struct {
	*api
	kind spec.Kind
	face
}

func (c *components) key(s spec.Component) engine.Key {
	return keyOf(c.kind, s.Tenant, s.Namespace, s.Name)
}

// segment escapes a name so that it stays one segment. pulsaradmin cleans the path after
// decoding it, so what would climb or divide there is escaped once more. No such name is
// valid: the answer is that nothing is there, instead of one about another path.
func segment(name string) string {
	if name == "." || name == ".." || strings.Contains(name, "/") {
		name = strings.NewReplacer(".", "%2E", "/", "%2F").Replace(name)
	}
	return url.PathEscape(name)
}

func (c *components) pathOf(key engine.Key, parts ...string) string {
	path := []string{"/admin/v3", c.path}
	for _, p := range append([]string{key.Tenant, key.Namespace, key.Name}, parts...) {
		if p != "" {
			path = append(path, segment(p))
		}
	}
	return strings.Join(path, "/")
}

// read gets JSON; our own server is asked for everything at once.
func (c *components) read(ctx context.Context, path string) (json.RawMessage, *exchange, error) {
	var raw json.RawMessage
	x, err := c.call(ctx, func(ctx context.Context) error {
		_, err := c.rest.GetWithQueryParamsWithContext(ctx, path, &raw, map[string]string{pulsarform.ExpandQuery: "expand"}, true)
		return err
	})
	return raw, x, err
}

// Observe implements engine.Client.
func (c *components) Observe(ctx context.Context, key engine.Key) (engine.Observed[spec.Component], error) {
	raw, x, err := c.read(ctx, c.pathOf(key))
	if engine.Is(err, engine.NotFound) {
		if missing := c.found(ctx, x, key, err); missing != nil {
			return engine.Observed[spec.Component]{}, missing
		}
	}
	out, err := observed(ctx, c.api, x, spec.Component{}, err)
	if err != nil || !out.Found {
		return out, err
	}
	if ours(x) {
		err = c.expanded(raw, &out)
	} else {
		err = c.plain(ctx, key, raw, &out)
	}
	if err != nil {
		return engine.Observed[spec.Component]{}, fmt.Errorf("%s %s: %w", c.kind, key, err)
	}
	return out, nil
}

func (c *components) expanded(raw json.RawMessage, out *engine.Observed[spec.Component]) error {
	var e pulsarform.Expanded
	if err := json.Unmarshal(raw, &e); err != nil {
		return fmt.Errorf("the answer cannot be read: %w", err)
	}
	if err := json.Unmarshal(e.Status, &out.Status); err != nil {
		return fmt.Errorf("the status cannot be read: %w", err)
	}
	return c.decode(e.Config, true, out)
}

// plain reads what a Pulsar says in two answers. Its worker does not store whether a
// component is stopped; the instances tell.
func (c *components) plain(ctx context.Context, key engine.Key, raw json.RawMessage, out *engine.Observed[spec.Component]) error {
	if err := c.decode(raw, false, out); err != nil {
		return err
	}
	var s workerStatus
	_, err := c.call(ctx, func(ctx context.Context) error {
		return c.rest.GetWithContext(ctx, c.pathOf(key, "status"), &s)
	})
	if err != nil {
		return err
	}
	out.Status = s.status()
	out.Spec.State = spec.StateRunning
	if out.Status.Phase == engine.Stopped {
		out.Spec.State = spec.StateStopped
	}
	return nil
}

// decode reads a configuration; one that is not whole has Pulsar's defaults filled in.
func (c *components) decode(config json.RawMessage, whole bool, out *engine.Observed[spec.Component]) error {
	d, err := pulsarform.Decode(c.kind, config)
	if err != nil {
		return fmt.Errorf("the configuration cannot be read: %w", err)
	}
	out.Spec = d.Component
	if !whole {
		blank(&out.Spec, d.Envelope.Rest[explicitKey])
	}
	out.Marks = engine.Marks{
		Owner: d.Envelope.Owner, Mesh: d.Envelope.Mesh, Creating: d.Envelope.Creating, Digest: d.Envelope.Digest, BaseDir: d.Envelope.BaseDir,
		Connections: d.Envelope.Connections(),
	}
	// Code behind a URL is known by the URL: its digest is the platform's affair
	// unless the user gave it.
	if _, code := out.Spec.Runtime.Chosen(); code != nil && code.URL != "" && code.SHA256 == "" {
		out.Marks.Digest = ""
	}
	return nil
}

// Create implements engine.Client: one request.
func (c *components) Create(ctx context.Context, want engine.Object[spec.Component]) (engine.Observed[spec.Component], error) {
	f, err := c.form(want, true)
	if err != nil {
		return engine.Observed[spec.Component]{}, err
	}
	key := c.key(want.Spec)
	x, err := c.send(ctx, http.MethodPost, key, f)
	// A Pulsar starts what it creates.
	if err == nil && !ours(x) && want.Spec.State == spec.StateStopped {
		err = c.post(ctx, c.pathOf(key, "stop"))
	}
	if err != nil {
		return engine.Observed[spec.Component]{}, err
	}
	return c.Observe(ctx, key)
}

// Update implements engine.Client. The whole configuration is sent; code only when it
// is other code.
func (c *components) Update(ctx context.Context, have engine.Observed[spec.Component], want engine.Object[spec.Component], changes []engine.Change) error {
	if want.Marks.Owner == "" {
		want.Marks.Owner = have.Marks.Owner
	}
	if want.Spec.State == "" {
		want.Spec.State = have.Spec.State
	}
	f, err := c.form(want, codeChanged(have.Object, want))
	if err != nil {
		return err
	}
	key := c.key(have.Spec)
	x, err := c.send(ctx, http.MethodPut, key, f)
	if ours(x) {
		return err
	}
	if err != nil && !strings.Contains(err.Error(), "contains no change") {
		return err
	}
	if err := uncleared(changes); err != nil {
		return err
	}
	if !touches(changes, "state") || want.Spec.State == have.Spec.State {
		return nil
	}
	verb := map[spec.State]string{spec.StateStopped: "stop"}[want.Spec.State]
	if verb == "" {
		verb = "start"
	}
	return c.post(ctx, c.pathOf(key, verb))
}

// uncleared is the refusal to take a setting away where that cannot be said: Pulsar's
// update keeps whatever is not set.
func uncleared(changes []engine.Change) error {
	for _, change := range changes {
		if change.Op == engine.Clear {
			return &engine.Error{
				Class: engine.Immutable, Path: change.Path, Err: errors.New("a Pulsar function worker cannot unset it"),
				Hint: "Set it to a value, or replace the component",
			}
		}
	}
	return nil
}

func codeChanged(have, want engine.Object[spec.Component]) bool {
	wasLang, was := have.Spec.Runtime.Chosen()
	lang, code := want.Spec.Runtime.Chosen()
	switch {
	case code == nil:
		return false
	case was == nil || lang != wasLang || code.URL != was.URL:
		return true
	}
	return code.URL == "" && (code.SHA256 == "" || code.SHA256 != have.Marks.Digest)
}

// Delete implements engine.Client.
func (c *components) Delete(ctx context.Context, have engine.Observed[spec.Component], opts engine.DeleteOptions) error {
	return c.remove(ctx, c.pathOf(c.key(have.Spec)), opts)
}

// List implements engine.Lister: one request, or one more per component of a Pulsar.
func (c *components) List(ctx context.Context, in engine.Key) ([]engine.Observed[spec.Component], error) {
	in.Name = ""
	raw, x, err := c.read(ctx, c.pathOf(in))
	if err != nil {
		return nil, err
	}
	var items []json.RawMessage
	if err := json.Unmarshal(raw, &items); err != nil {
		return nil, fmt.Errorf("list of %s: the answer cannot be read: %w", c.path, err)
	}
	if !ours(x) {
		keys := make([]engine.Key, 0, len(items))
		for _, item := range items {
			var name string
			if err := json.Unmarshal(item, &name); err != nil {
				return nil, fmt.Errorf("list of %s: the answer cannot be read: %w", c.path, err)
			}
			keys = append(keys, keyOf(c.kind, in.Tenant, in.Namespace, name))
		}
		return observeAll(ctx, c, keys)
	}
	id, err := c.platform(ctx, x)
	out := make([]engine.Observed[spec.Component], 0, len(items))
	for _, item := range items {
		o := engine.Observed[spec.Component]{Found: true, Platform: id}
		if err := c.expanded(item, &o); err != nil {
			return nil, err
		}
		out = append(out, o)
	}
	return out, err
}
