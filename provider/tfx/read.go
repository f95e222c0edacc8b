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
	eng := m.connect(ctx, &resp.Diagnostics)
	if eng == nil {
		return
	}
	out := result{state: &resp.State, identity: resp.Identity, private: resp.Private, diags: &resp.Diagnostics}
	key := m.keyOf(s)
	seen, err := eng.Observe(ctx, key)
	if err != nil && !engine.Is(err, engine.NotFound) {
		m.failure(job[S]{verb: read, plan: req.State.Raw, want: engine.Object[S]{Spec: s}, out: out}, err)
		return
	}
	home, here := homeOf(ctx, req.Private), cmp.Or(seen.Platform, m.session.platform())
	if home != "" && here != "" && here != home {
		m.otherPlatform(&resp.Diagnostics, key, home, here)
		return
	}
	if err != nil || !seen.Found {
		resp.State.RemoveResource(ctx)
		return
	}
	m.save(ctx, seen, req.State.Raw, out)
	if word(req.State.Raw, attrID) == "" { // an import has nothing but the name
		out.state.Raw = m.encode(importing, seen, req.State.Raw)
	}
}
