package local

import (
	"context"
	"encoding/json"
	"fmt"
	"sync"
	"time"

	"github.com/functionmesh/terraform-provider-functionmesh/internal/catalog"
	"github.com/functionmesh/terraform-provider-functionmesh/internal/engine"
	"github.com/functionmesh/terraform-provider-functionmesh/internal/spec"
)

// bringEvery is how often a long run brings its connections again before it writes, so
// that the daemon does not forget one that nothing uses yet.
const bringEvery = 10 * time.Minute

// Connect gives the components of clients, which are this daemon's, the caller's names
// for connections: "" is where streams lie unless a component says otherwise. The
// daemon has them when this returns. What a component was connected to under another
// caller's meaning of a name is observed as a difference in that place.
func (c *Client) Connect(ctx context.Context, clients catalog.Clients, by map[string]Connection) (catalog.Clients, error) {
	b := &bringer{client: c, by: by}
	if _, err := b.bring(ctx); err != nil {
		return clients, err
	}
	connected := map[spec.Kind]engine.Client[spec.Component]{}
	for kind, client := range clients.Components {
		connected[kind] = &connectedClient{base: client, bringer: b}
	}
	clients.Components = connected
	return clients, nil
}

// bringer leaves the connections of one run with the daemon.
type bringer struct {
	client *Client
	by     map[string]Connection

	mu   sync.Mutex
	at   time.Time
	keys map[string]string
}

func (b *bringer) bring(ctx context.Context) (map[string]string, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.keys != nil && (len(b.by) == 0 || time.Since(b.at) < bringEvery) {
		return b.keys, nil
	}
	keys := map[string]string{}
	if len(b.by) > 0 {
		var err error
		if keys, err = b.client.PutConnections(ctx, b.by); err != nil {
			return nil, err
		}
	}
	b.keys, b.at = keys, time.Now()
	return keys, nil
}

// connectedClient implements engine.Client, engine.Lister and engine.Actor.
type connectedClient struct {
	base engine.Client[spec.Component]
	*bringer
}

// Observe implements engine.Client. The namespace of a component whose streams are on a
// Pulsar is the Pulsar's: here it is only absent.
func (c *connectedClient) Observe(ctx context.Context, key engine.Key) (engine.Observed[spec.Component], error) {
	o, err := c.base.Observe(ctx, key)
	if engine.Is(err, engine.NotFound) && c.elsewhere() {
		return engine.Observed[spec.Component]{Platform: c.client.hello.ID}, nil
	}
	return c.seen(o), err
}

// elsewhere reports whether streams lie on a Pulsar.
func (b *bringer) elsewhere() bool {
	_, ok := b.by[""]
	return ok
}

// List implements engine.Lister.
func (c *connectedClient) List(ctx context.Context, in engine.Key) ([]engine.Observed[spec.Component], error) {
	lister, ok := c.base.(engine.Lister[spec.Component])
	if !ok {
		return nil, engine.New(engine.Invalid, fmt.Errorf("this platform does not list a %s", in.Kind))
	}
	all, err := lister.List(ctx, in)
	if engine.Is(err, engine.NotFound) && c.elsewhere() {
		return nil, nil
	}
	for i := range all {
		all[i] = c.seen(all[i])
	}
	return all, err
}

// Create implements engine.Client.
func (c *connectedClient) Create(ctx context.Context, want engine.Object[spec.Component]) (engine.Observed[spec.Component], error) {
	keys, err := c.bring(ctx)
	if err != nil {
		return engine.Observed[spec.Component]{}, err
	}
	want.Marks.Connections = stamp(want.Spec, keys)
	o, err := c.base.Create(ctx, want)
	return c.seen(o), err
}

// Update implements engine.Client.
func (c *connectedClient) Update(ctx context.Context, have engine.Observed[spec.Component], want engine.Object[spec.Component], changes []engine.Change) error {
	keys, err := c.bring(ctx)
	if err != nil {
		return err
	}
	want.Marks.Connections = stamp(want.Spec, keys)
	if want.Marks.Connections == "" && have.Marks.Connections != "" {
		want.Marks.Connections = "{}" // none from now on, rather than nothing said
	}
	return c.base.Update(ctx, have, want, changes)
}

// Delete implements engine.Client.
func (c *connectedClient) Delete(ctx context.Context, have engine.Observed[spec.Component], opts engine.DeleteOptions) error {
	return c.base.Delete(ctx, have, opts)
}

// Act implements engine.Actor.
func (c *connectedClient) Act(ctx context.Context, key engine.Key, verb string, args map[string]string) (string, error) {
	actor, ok := c.base.(engine.Actor)
	if !ok {
		return "", engine.New(engine.Invalid, fmt.Errorf("this platform cannot %s a %s", verb, key.Kind))
	}
	return actor.Act(ctx, key, verb, args)
}

// stamp is the mark of a component: the keys of the names that it uses, and of the
// unnamed connection, on which its log lies.
func stamp(c spec.Component, keys map[string]string) string {
	used := map[string]string{}
	note := func(name string) {
		if key := keys[name]; key != "" {
			used[name] = key
		}
	}
	note("")
	eachConnection(&c, func(name *string) { note(*name) })
	if len(used) == 0 {
		return ""
	}
	text, _ := json.Marshal(used) // strings always marshal, in the order of their keys
	return string(text)
}

// eachConnection visits every place where a component says a connection, also where it
// leaves it out.
func eachConnection(c *spec.Component, visit func(*string)) {
	for topic, in := range c.Inputs {
		visit(&in.Connection)
		c.Inputs[topic] = in
	}
	if c.Output != nil {
		visit(&c.Output.Connection)
	}
}

// seen tells connections that mean another thing to the platform than to the caller.
func (b *bringer) seen(o engine.Observed[spec.Component]) engine.Observed[spec.Component] {
	if !o.Found {
		return o
	}
	b.mu.Lock()
	mine := b.keys
	b.mu.Unlock()
	theirs := map[string]string{}
	_ = json.Unmarshal([]byte(o.Marks.Connections), &theirs) // what is no object names none
	o.Spec = o.Spec.Clone()
	eachConnection(&o.Spec, func(name *string) {
		if theirs[*name] != mine[*name] {
			*name = otherConnection(*name, theirs[*name])
		}
	})
	return o
}

// otherConnection spells a connection that the caller's configuration does not mean.
func otherConnection(name, key string) string {
	const shown = 8
	if key == "" {
		return name + "@embedded"
	}
	return name + "@" + key[:min(shown, len(key))]
}
