package tfx

import (
	"context"
	"slices"

	"github.com/hashicorp/terraform-plugin-framework/path"
	"github.com/hashicorp/terraform-plugin-framework/resource"
	"github.com/hashicorp/terraform-plugin-go/tftypes"

	"github.com/functionmesh/terraform-provider-functionmesh/internal/engine"
	"github.com/functionmesh/terraform-provider-functionmesh/internal/spec"
)

// ModifyPlan completes the plan without asking any platform: names from the
// provider's defaults, prior spellings, digests of code, the id; then it reports what
// the platform cannot honour, what is replaced and what a change costs.
func (m *managed[S]) ModifyPlan(ctx context.Context, req resource.ModifyPlanRequest, resp *resource.ModifyPlanResponse) {
	if req.Plan.Raw.IsNull() {
		return
	}
	planned, err := m.inherit(req.Config.Raw, req.Plan.Raw, req.State.Raw)
	if err != nil {
		resp.Diagnostics.AddError("Plan cannot be made", err.Error())
		return
	}
	named, _, _ := Decode[S](planned)
	p := m.placeOf(named)
	if !req.State.Raw.IsNull() {
		planned = p.respell(specType[S](), planned, req.State.Raw, plain)
	}
	planned = digester{}.walk(specType[S](), planned, req.State.Raw, "")
	want, holes, err := Decode[S](planned)
	if err != nil {
		resp.Diagnostics.AddError("Plan cannot be made", err.Error())
		return
	}
	resp.Plan.Raw = m.derive(planned, want, holes)
	m.honour(req, resp)
	if !req.State.Raw.IsNull() {
		m.compare(ctx, want, holes, req, resp)
	}
}

// inherit gives an object that names no tenant or namespace the provider's. While that
// is unknown, an object that exists stays where it is: to plan a replacement because
// of what may turn out to be the same would be worse.
func (m *managed[S]) inherit(config, planned, state tftypes.Value) (tftypes.Value, error) {
	said, err := children(config)
	if err != nil {
		return planned, err
	}
	attrs, err := children(planned)
	if err != nil {
		return planned, err
	}
	before, err := children(state)
	if err != nil {
		return planned, err
	}
	for _, name := range m.keyAttributes() {
		if name == attrName || !said[name].IsNull() {
			continue
		}
		switch w := m.parent(name); {
		case !w.Unknown:
			attrs[name] = tftypes.NewValue(tftypes.String, w.Text)
		case isSet(before[name]):
			attrs[name] = before[name]
		default:
			attrs[name] = unknownText()
		}
	}
	return tftypes.NewValue(planned.Type(), attrs), nil
}

// derive computes what follows from the name alone.
func (m *managed[S]) derive(v tftypes.Value, s S, holes []spec.Path) tftypes.Value {
	attrs, err := children(v)
	if err != nil {
		return v
	}
	unnamed := slices.ContainsFunc(m.keyAttributes(), func(name string) bool {
		return slices.Contains(holes, spec.Path(name))
	})
	set := func(name, text string) {
		attrs[name] = tftypes.NewValue(tftypes.String, tftypes.UnknownValue)
		if !unnamed {
			attrs[name] = tftypes.NewValue(tftypes.String, text)
		}
	}
	set(attrID, m.keyOf(s).String())
	if m.FullName != nil {
		set(attrFullName, m.FullName(m.Entity.Default(s)))
	}
	return tftypes.NewValue(v.Type(), attrs)
}

// honour looks at what the user wrote: what is computed hides nothing.
func (m *managed[S]) honour(req resource.ModifyPlanRequest, resp *resource.ModifyPlanResponse) {
	if m.Honour == nil || m.session == nil || m.session.Platform == "" {
		return
	}
	wrote, holes, err := Decode[S](req.Config.Raw)
	if err != nil {
		return // validation said so
	}
	problems := m.Honour(m.session.Platform, wrote)
	if m.Connections != nil && m.session.Connections != nil {
		problems = append(problems, m.Connections(m.session.Connections, wrote)...)
	}
	problems = visible(problems, holes)
	report(&resp.Diagnostics, problems)
}

// compare finds what replaces the object, and what a change in place costs.
func (m *managed[S]) compare(ctx context.Context, want S, holes []spec.Path, req resource.ModifyPlanRequest, resp *resource.ModifyPlanResponse) {
	prior, _, err := Decode[S](req.State.Raw)
	if err != nil || m.moves(req.State.Raw, resp) {
		return
	}
	have := engine.Observed[S]{Found: true, Object: engine.Object[S]{Spec: m.Entity.Default(prior)}, Owned: owned(req.State.Raw)}
	object := engine.Object[S]{Spec: m.Entity.Default(want)}
	changes := m.Entity.Diff(have, object, holes)
	for _, c := range changes {
		if c.Op != engine.Replace || m.InPlace {
			continue
		}
		if steps, err := spec.ParsePath(spec.Path(c.Path)); err == nil && len(steps) > 0 {
			resp.RequiresReplace.Append(path.Root(steps[0].Name))
		}
	}
	if len(resp.RequiresReplace) == 0 {
		m.warn(&resp.Diagnostics, m.Entity.Warnings(have, object, changes))
		return
	}
	m.guarded(ctx, have.Spec, object.Spec, req.Private, &resp.Diagnostics)
}

// moves reports whether the plan gives the object another name or place.
func (m *managed[S]) moves(state tftypes.Value, resp *resource.ModifyPlanResponse) bool {
	before, err := children(state)
	if err != nil {
		return false
	}
	after, err := children(resp.Plan.Raw)
	if err != nil {
		return false
	}
	for _, name := range m.keyAttributes() {
		if isSet(before[name]) && !before[name].Equal(after[name]) {
			resp.RequiresReplace.Append(path.Root(name))
		}
	}
	return len(resp.RequiresReplace) > 0
}
