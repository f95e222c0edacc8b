package tfx

import (
	"cmp"
	"context"
	"encoding/json"
	"fmt"
	"time"

	"github.com/hashicorp/terraform-plugin-framework-timeouts/resource/timeouts"
	"github.com/hashicorp/terraform-plugin-framework/diag"
	"github.com/hashicorp/terraform-plugin-framework/path"
	"github.com/hashicorp/terraform-plugin-framework/resource"
	"github.com/hashicorp/terraform-plugin-framework/tfsdk"
	"github.com/hashicorp/terraform-plugin-go/tftypes"

	"github.com/functionmesh/terraform-provider-functionmesh/internal/engine"
	"github.com/functionmesh/terraform-provider-functionmesh/internal/spec"
)

const (
	defaultTimeout  = 5 * time.Minute
	privatePlatform = "platform"
)

// private is the part of the framework's private state that we use.
type private interface {
	GetKey(ctx context.Context, key string) ([]byte, diag.Diagnostics)
	SetKey(ctx context.Context, key string, value []byte) diag.Diagnostics
}

// result is where a verb leaves what it made or saw.
type result struct {
	state    *tfsdk.State
	identity *tfsdk.ResourceIdentity
	private  private
	diags    *diag.Diagnostics
}

// job is one create or update on its way.
type job[S any] struct {
	verb string
	plan tftypes.Value
	want engine.Object[S]
	eng  *engine.Engine[S] // nil when a diagnostic says why nothing can be done
	out  result
}

// Create makes the object, saves it and only then waits until it is ready.
func (m *managed[S]) Create(ctx context.Context, req resource.CreateRequest, resp *resource.CreateResponse) {
	out := result{state: &resp.State, identity: resp.Identity, private: resp.Private, diags: &resp.Diagnostics}
	j := m.prepare(ctx, job[S]{verb: created, plan: req.Plan.Raw, out: out}, req.Config.Raw)
	if j.eng == nil {
		return
	}
	t := planTimeouts(ctx, req.Plan, out.diags)
	limit, diags := t.Create(ctx, defaultTimeout)
	out.diags.Append(diags...)
	ctx, cancel := context.WithTimeout(ctx, limit)
	defer cancel()
	outcome, err := j.eng.Create(ctx, j.want, engine.CreateOptions{
		Adopt:      flag(j.plan, attrAdopt),
		ImportHint: m.importHint(m.keyOf(j.want.Spec)),
	})
	m.finish(ctx, j, outcome, err)
}

// Update changes the object in place.
func (m *managed[S]) Update(ctx context.Context, req resource.UpdateRequest, resp *resource.UpdateResponse) {
	out := result{state: &resp.State, identity: resp.Identity, private: resp.Private, diags: &resp.Diagnostics}
	j := m.prepare(ctx, job[S]{verb: updated, plan: req.Plan.Raw, out: out}, req.Config.Raw)
	if j.eng == nil || !m.sameHome(ctx, j.eng, m.keyOf(j.want.Spec), out) {
		return
	}
	t := planTimeouts(ctx, req.Plan, out.diags)
	limit, diags := t.Update(ctx, defaultTimeout)
	out.diags.Append(diags...)
	ctx, cancel := context.WithTimeout(ctx, limit)
	defer cancel()
	outcome, err := j.eng.Update(ctx, j.want, engine.UpdateOptions{Owned: owned(req.State.Raw)})
	m.finish(ctx, j, outcome, err)
}

// Delete removes the object, or only forgets it.
func (m *managed[S]) Delete(ctx context.Context, req resource.DeleteRequest, resp *resource.DeleteResponse) {
	if word(req.State.Raw, attrDeletion) == policyOrphan {
		return
	}
	s, _, err := Decode[S](req.State.Raw)
	if err != nil {
		resp.Diagnostics.AddError("State cannot be read", err.Error())
		return
	}
	eng := m.connect(ctx, &resp.Diagnostics)
	out := result{private: req.Private, diags: &resp.Diagnostics}
	if eng == nil || !m.sameHome(ctx, eng, m.keyOf(s), out) {
		return
	}
	var t timeouts.Value
	resp.Diagnostics.Append(req.State.GetAttribute(ctx, path.Root(attrTimeouts), &t)...)
	limit, diags := t.Delete(ctx, defaultTimeout)
	resp.Diagnostics.Append(diags...)
	ctx, cancel := context.WithTimeout(ctx, limit)
	defer cancel()
	if err := eng.Delete(ctx, m.keyOf(s), engine.DeleteOptions{}); err != nil {
		m.failure(job[S]{verb: deleted, plan: req.State.Raw, want: engine.Object[S]{Spec: s}, out: out}, err)
	}
}

// prepare decodes what is wanted: with what the plan could not know, and with the
// digests of code as they are now.
func (m *managed[S]) prepare(ctx context.Context, j job[S], config tftypes.Value) job[S] {
	out := j.out
	named, err := m.settle(config, j.plan)
	if err != nil {
		out.diags.AddError("Plan cannot be read", err.Error())
		return j
	}
	strict := digester{strict: true, fail: func(at spec.Path, summary, detail string) {
		out.diags.Append(located(diag.NewErrorDiagnostic(summary, detail), at))
	}}
	s, _, err := Decode[S](strict.walk(specType[S](), named, named, ""))
	if err != nil {
		out.diags.AddError("Plan cannot be read", err.Error())
	}
	if out.diags.HasError() {
		return j
	}
	j.eng = m.connect(ctx, out.diags)
	if j.eng != nil {
		j.want = engine.Object[S]{Spec: m.Entity.Default(s), Marks: engine.Marks{Owner: m.session.Owner, BaseDir: m.session.BaseDir}}
	}
	return j
}

// settle names the tenant and namespace that were unknown while planning. What the
// plan knew stands.
func (m *managed[S]) settle(config, planned tftypes.Value) (tftypes.Value, error) {
	attrs, err := children(planned)
	if err != nil {
		return planned, err
	}
	for _, name := range m.keyAttributes() {
		if !isSet(attrs[name]) {
			return m.inherit(config, planned, tftypes.Value{})
		}
	}
	return planned, nil
}

// connect opens the platform; nil means that a diagnostic says why not.
func (m *managed[S]) connect(ctx context.Context, diags *diag.Diagnostics) *engine.Engine[S] {
	switch {
	case m.session == nil:
		diags.AddError("Provider is not configured", "The provider must be configured before objects are read or written.")
		return nil
	case m.session.Unknown != "":
		diags.AddError("Provider configuration is not known yet",
			"The provider's "+m.session.Unknown+" depends on something that is not there yet. Apply that first, for example with -target.")
		return nil
	}
	eng, err := engineOf(ctx, m.session, m.Definition)
	if err != nil {
		diags.AddError("Platform cannot be opened", err.Error())
		return nil
	}
	return eng
}

// finish saves what exists, then reports the error or waits for readiness.
func (m *managed[S]) finish(ctx context.Context, j job[S], outcome engine.Outcome[S], err error) {
	m.warn(j.out.diags, outcome.Warnings)
	if outcome.Observed.Found {
		m.save(ctx, outcome.Observed, j.plan, j.out)
		m.note(ctx, j.want.Spec, j.out.private, j.out.diags)
	}
	if err == nil && m.Runs && outcome.Action != engine.None && flag(j.plan, attrWait) {
		var seen engine.Observed[S]
		if seen, err = j.eng.Wait(ctx, m.keyOf(j.want.Spec), nil); seen.Found {
			m.save(ctx, seen, j.plan, j.out)
		}
	}
	if err != nil {
		m.failure(j, err)
	}
}

// save writes state, identity and home platform of an object that exists.
func (m *managed[S]) save(ctx context.Context, seen engine.Observed[S], prior tftypes.Value, out result) {
	out.state.Raw = m.encode(refreshing, seen, prior)
	m.setIdentity(ctx, out.identity, out.state.Raw, out.diags)
	if here := cmp.Or(seen.Platform, m.session.platform()); here != "" {
		home, err := json.Marshal(here)
		if err != nil {
			out.diags.AddError("State cannot be written", err.Error())
			return
		}
		out.diags.Append(out.private.SetKey(ctx, privatePlatform, home)...)
	}
}

// encode writes an observed object in the spelling of prior.
func (m *managed[S]) encode(how mode, seen engine.Observed[S], prior tftypes.Value) tftypes.Value {
	known := m.Entity.Known(seen.Object)
	e := encoder{place: m.placeOf(known), mode: how, rules: m.Entity}
	return m.derive(encode(e, known, prior, m.Entity.Default), known, nil)
}

// sameHome checks that the object's platform is the configured one.
func (m *managed[S]) sameHome(ctx context.Context, eng *engine.Engine[S], key engine.Key, out result) bool {
	home := homeOf(ctx, out.private)
	if home == "" {
		return true
	}
	here := m.session.platform()
	if here == "" {
		seen, err := eng.Observe(ctx, key)
		if err != nil {
			return true // the verb itself meets the error, with its retries
		}
		here = seen.Platform
	}
	if here == "" || here == home {
		return true
	}
	m.otherPlatform(out.diags, key, home, here)
	return false
}

// homeOf is the platform that the object was last seen on; "" when not known.
func homeOf(ctx context.Context, p private) string {
	data, diags := p.GetKey(ctx, privatePlatform)
	var home string
	if diags.HasError() || len(data) == 0 || json.Unmarshal(data, &home) != nil {
		return ""
	}
	return home
}

func (m *managed[S]) importHint(key engine.Key) string {
	return fmt.Sprintf("Import it with `terraform import %s.<name> %s`, or set adopt = true to take it over", m.typeName(), key)
}

func planTimeouts(ctx context.Context, plan tfsdk.Plan, diags *diag.Diagnostics) timeouts.Value {
	var t timeouts.Value
	diags.Append(plan.GetAttribute(ctx, path.Root(attrTimeouts), &t)...)
	return t
}

// flag and word read attributes that only Terraform knows.
func flag(v tftypes.Value, name string) bool {
	attrs, err := children(v)
	var b bool
	return err == nil && isSet(attrs[name]) && attrs[name].As(&b) == nil && b
}

func word(v tftypes.Value, name string) string {
	attrs, err := children(v)
	var s string
	if err != nil || !isSet(attrs[name]) || attrs[name].As(&s) != nil {
		return ""
	}
	return s
}
