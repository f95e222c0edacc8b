package catalog

import (
	"context"
	"errors"
	"fmt"
	"slices"

	"github.com/functionmesh/terraform-provider-functionmesh/internal/engine"
	"github.com/functionmesh/terraform-provider-functionmesh/internal/graph"
	"github.com/functionmesh/terraform-provider-functionmesh/internal/spec"
)

// NewMeshClient makes meshes out of component clients, which must be engine.Listers.
// A mesh has no object of its own: it is the components whose marks name it, so that
// it is found again after a lost state file. Its own client performs no request.
func NewMeshClient(components map[spec.Kind]engine.Client[spec.Component]) engine.Client[spec.Mesh] {
	c := &meshClient{engines: map[spec.Kind]*engine.Engine[spec.Component]{}}
	for kind, client := range components {
		if client != nil {
			c.engines[kind] = Component(kind).Engine(client)
		}
	}
	return c
}

// meshClient implements engine.Client, engine.Lister and engine.Actor for meshes.
// Components are independent of each other in failure: one that cannot be written
// does not keep the others from it, and the joined error names each.
type meshClient struct {
	engines map[spec.Kind]*engine.Engine[spec.Component]
}

// Observe implements engine.Client.
func (c *meshClient) Observe(ctx context.Context, key engine.Key) (engine.Observed[spec.Mesh], error) {
	all, err := c.members(ctx, key)
	if err != nil {
		return engine.Observed[spec.Mesh]{}, err
	}
	mine := slices.DeleteFunc(all, func(m memberObject) bool { return m.Marks.Mesh != key.Name })
	if len(mine) == 0 {
		return c.missing(ctx, key)
	}
	return assemble(key, mine), nil
}

// missing asks for the platform, which an empty list does not tell.
func (c *meshClient) missing(ctx context.Context, key engine.Key) (engine.Observed[spec.Mesh], error) {
	for _, kind := range spec.ComponentKinds() {
		if e := c.engines[kind]; e != nil {
			key.Kind = string(kind)
			have, err := e.Observe(ctx, key)
			return engine.Observed[spec.Mesh]{Platform: have.Platform}, err
		}
	}
	return engine.Observed[spec.Mesh]{}, nil
}

// Create implements engine.Client: consumers before producers, so that nothing is
// emitted before somebody is subscribed.
func (c *meshClient) Create(ctx context.Context, want engine.Object[spec.Mesh]) (engine.Observed[spec.Mesh], error) {
	key := Mesh().Key(want.Spec)
	all, err := c.members(ctx, key)
	if err != nil {
		return engine.Observed[spec.Mesh]{}, err
	}
	if err := inTheWay(want, all); err != nil {
		return engine.Observed[spec.Mesh]{}, err
	}
	var failed []error
	for _, component := range graph.Expand(want.Spec) {
		if err := context.Cause(ctx); err != nil {
			failed = append(failed, err)
			break
		}
		failed = append(failed, c.create(ctx, want, component))
	}
	if err := errors.Join(failed...); err != nil {
		return engine.Observed[spec.Mesh]{}, err
	}
	return c.Observe(ctx, key)
}

// inTheWay refuses a mesh that exists, and one of whose names another object has,
// before anything is written.
func inTheWay(want engine.Object[spec.Mesh], all []memberObject) error {
	names := map[string]memberID{}
	for _, component := range graph.Expand(want.Spec) {
		names[component.Name] = idOf(want.Spec.Name, component)
	}
	var taken []error
	for _, m := range all {
		if m.Marks.Mesh == want.Spec.Name {
			return engine.New(engine.Exists, errors.New("components of it exist already"))
		}
		if id, wanted := names[m.Spec.Name]; wanted {
			taken = append(taken, foreignMember(want.Spec.Name, id, m))
		}
	}
	return errors.Join(taken...)
}

// foreignMember says whose object has the name that a component would get.
func foreignMember(mesh string, id memberID, m memberObject) error {
	whose := "stands alone"
	if m.Marks.Mesh != "" {
		whose = fmt.Sprintf("is a component of mesh %q", m.Marks.Mesh)
	}
	return &engine.Error{
		Class: engine.Exists,
		Key:   Component(m.kind).Key(m.Spec),
		Path:  string(id.path()),
		Err:   fmt.Errorf("it exists already and %s, so mesh %q cannot have it", whose, mesh),
		Hint:  "Choose another name for the component or the mesh, or delete it first",
	}
}

// create makes one component. One that exists is refused when it is not of this mesh;
// of this mesh it is another writer's, a moment ago, and is made what is wanted.
func (c *meshClient) create(ctx context.Context, want engine.Object[spec.Mesh], component spec.Component) error {
	e, err := c.engine(component.Kind)
	if err != nil {
		return err
	}
	id, object := idOf(want.Spec.Name, component), memberOf(want, component)
	_, err = e.Create(ctx, object, engine.CreateOptions{})
	if !engine.Is(err, engine.Exists) {
		return within(id, err)
	}
	_, err = e.Update(ctx, object, engine.UpdateOptions{Replace: true})
	if engine.Is(err, engine.NotFound) {
		err = engine.New(engine.Conflict, err) // and gone again
	}
	return within(id, err)
}

// within puts a component's failure to its place in the mesh.
func within(id memberID, err error) error {
	failures := engine.All(err)
	if len(failures) == 0 {
		return err // nobody's failure: the context has ended
	}
	first := failures[0]
	path := id.path()
	if first.Path != "" {
		path = path.Field(first.Path)
	}
	return &engine.Error{Class: first.Class, Key: first.Key, Path: string(path), Hint: first.Hint, Err: cause(first, err)}
}

// cause is what an Error wraps, or the words around it where there are any.
func cause(first *engine.Error, err error) error {
	if err != error(first) { //nolint:errorlint // identity: is there anything around it
		return err
	}
	return first.Err
}

// memberOf is a component with the marks of its mesh.
func memberOf(want engine.Object[spec.Mesh], component spec.Component) engine.Object[spec.Component] {
	return engine.Object[spec.Component]{
		Spec:  component,
		Marks: engine.Marks{Owner: want.Marks.Owner, Mesh: want.Spec.Name, BaseDir: want.Marks.BaseDir},
	}
}

// Update implements engine.Client. What is new or changed goes first, consumers
// before producers; what is removed goes last, producers first: a renamed component
// has its successor subscribed before it stops reading.
func (c *meshClient) Update(ctx context.Context, have engine.Observed[spec.Mesh], want engine.Object[spec.Mesh], changes []engine.Change) error {
	touched := map[memberID]bool{}
	for _, ch := range changes {
		kind, key, _ := member(ch.Path)
		touched[memberID{kind, key}] = true
	}
	all := len(changes) == 0 || have.Marks.Creating // only marks, or the rest of a create
	failed := []error{c.clash(ctx, have, want)}
	for _, component := range graph.Expand(want.Spec) {
		id := idOf(want.Spec.Name, component)
		if all || touched[id] {
			failed = append(failed, c.apply(ctx, have, want, component))
		}
	}
	return errors.Join(append(failed, c.drop(ctx, have, want))...)
}

// clash removes a component whose name goes to one of another kind: platforms keep
// functions, sources and sinks in one space of names.
func (c *meshClient) clash(ctx context.Context, have engine.Observed[spec.Mesh], want engine.Object[spec.Mesh]) error {
	var failed []error
	for _, component := range removed(have.Spec, want.Spec) {
		id := idOf(have.Spec.Name, component)
		for _, kind := range spec.ComponentKinds() {
			if _, reused := want.Spec.Components(kind)[id.key]; reused {
				failed = append(failed, c.delete(ctx, component, engine.DeleteOptions{}))
			}
		}
	}
	return errors.Join(failed...)
}

// drop removes the components that are no longer wanted.
func (c *meshClient) drop(ctx context.Context, have engine.Observed[spec.Mesh], want engine.Object[spec.Mesh]) error {
	var failed []error
	for _, component := range removed(have.Spec, want.Spec) {
		failed = append(failed, c.delete(ctx, component, engine.DeleteOptions{}))
	}
	return errors.Join(failed...)
}

// apply creates or updates one component. What would replace it if it stood alone is
// done by making it again; its subscription survives that even where a deletion
// normally cleans it up.
func (c *meshClient) apply(ctx context.Context, have engine.Observed[spec.Mesh], want engine.Object[spec.Mesh], component spec.Component) error {
	if err := context.Cause(ctx); err != nil {
		return err
	}
	e, err := c.engine(component.Kind)
	if err != nil {
		return err
	}
	id := idOf(want.Spec.Name, component)
	was, exists := have.Spec.Components(component.Kind)[id.key]
	if !exists {
		return c.create(ctx, want, component)
	}
	opts := engine.UpdateOptions{Owned: ownedBelow(have.Owned, id.path()), Replace: true}
	if cleans(was) && otherRuntime(was, component) {
		was = have.Spec.Member(id.kind, id.key, was)
		if err := keepSubscription(ctx, e, memberOf(want, was)); err != nil {
			return within(id, err)
		}
	}
	_, err = e.Update(ctx, memberOf(want, component), opts)
	if engine.Is(err, engine.NotFound) {
		return c.create(ctx, want, component) // deleted since the mesh was observed
	}
	return within(id, err)
}

// keepSubscription stops a component from cleaning up its subscription when deleted.
func keepSubscription(ctx context.Context, e *engine.Engine[spec.Component], was engine.Object[spec.Component]) error {
	keep := false
	was.Spec.CleanupSubscription = &keep
	_, err := e.Update(ctx, was, engine.UpdateOptions{})
	return err
}

func cleans(c spec.Component) bool { return c.CleanupSubscription != nil && *c.CleanupSubscription }

func otherRuntime(a, b spec.Component) bool {
	was, _ := a.Runtime.Chosen()
	becomes, _ := b.Runtime.Chosen()
	return was != becomes
}

// Delete implements engine.Client: producers first.
func (c *meshClient) Delete(ctx context.Context, have engine.Observed[spec.Mesh], opts engine.DeleteOptions) error {
	var failed []error
	for _, component := range backwards(graph.Expand(have.Spec)) {
		failed = append(failed, c.delete(ctx, component, opts))
	}
	return errors.Join(failed...)
}

func (c *meshClient) delete(ctx context.Context, component spec.Component, opts engine.DeleteOptions) error {
	e, err := c.engine(component.Kind)
	if err != nil {
		return err
	}
	return e.Delete(ctx, Component(component.Kind).Key(component), opts)
}

// engine finds the engine of a kind.
func (c *meshClient) engine(kind spec.Kind) (*engine.Engine[spec.Component], error) {
	if e := c.engines[kind]; e != nil {
		return e, nil
	}
	return nil, &engine.Error{
		Class: engine.Invalid,
		Path:  string(meshFields()[kind]),
		Err:   fmt.Errorf("this platform runs no %ss", kind),
		Hint:  "Leave them out, or choose a platform that has them",
	}
}

// removed lists, producers first, the components of have that want lacks.
func removed(have, want spec.Mesh) []spec.Component {
	var out []spec.Component
	for _, component := range backwards(graph.Expand(have)) {
		if _, stays := want.Components(component.Kind)[idOf(have.Name, component).key]; !stays {
			out = append(out, component)
		}
	}
	return out
}

func backwards[T any](list []T) []T {
	slices.Reverse(list)
	return list
}
