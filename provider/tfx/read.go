package tfx

import (
	"cmp"
	"context"

	"github.com/hashicorp/terraform-plugin-framework/resource"

	"github.com/functionmesh/terraform-provider-functionmesh/internal/engine"
)

// Read refreshes the state. Only a proven absence on the object's own platform
// removes it; a platform that cannot be reached is an error.
func (m *managed[S]) Read(ctx context.Context, req resource.ReadRequest, resp *resource.ReadResponse) {
	s, _, err := Decode[S](req.State.Raw)
	if err != nil {
		resp.Diagnostics.AddError("State cannot be read", err.Error())
		return
	}
	m.setIdentity(ctx, resp.Identity, req.State.Raw, &resp.Diagnostics) // of an object that has gone, too
	if m.session != nil && m.session.Unknown != "" {
		resp.Diagnostics.AddWarning("Provider configuration is not known yet",
			"The provider's "+m.session.Unknown+" depends on something that is not there yet, so the state was kept as it is, unrefreshed.")
		return
	}
	out := result{state: &resp.State, identity: resp.Identity, private: resp.Private, diags: &resp.Diagnostics}
	m.refresh(ctx, job[S]{verb: read, plan: req.State.Raw, want: engine.Object[S]{Spec: s}, out: out})
}

// refresh observes the object of a state and writes down what became of it.
func (m *managed[S]) refresh(ctx context.Context, j job[S]) {
	eng := m.connect(ctx, j.out.diags)
	if eng == nil {
		return
	}
	key := m.keyOf(j.want.Spec)
	seen, err := eng.Observe(ctx, key)
	if err != nil && !engine.Is(err, engine.NotFound) {
		m.failure(j, err)
		return
	}
	home, here := homeOf(ctx, j.out.private), cmp.Or(seen.Platform, m.session.platform())
	switch {
	case home != "" && here != "" && here != home:
		m.otherPlatform(j.out.diags, key, home, here)
	case err != nil || !seen.Found:
		j.out.state.RemoveResource(ctx)
	default:
		m.save(ctx, seen, j.plan, j.out)
		if word(j.plan, attrID) == "" { // an import has nothing but the name
			j.out.state.Raw = m.encode(importing, seen, j.plan)
			m.note(ctx, seen.Spec, j.out.private, j.out.diags)
		}
	}
}
