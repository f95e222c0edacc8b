package provider_test

import (
	"fmt"
	"strings"
	"testing"

	"github.com/hashicorp/terraform-plugin-framework/providerserver"
	"github.com/hashicorp/terraform-plugin-go/tfprotov6"
	"github.com/hashicorp/terraform-plugin-go/tftypes"

	"github.com/functionmesh/terraform-provider-functionmesh/provider"
)

// object is configuration as plain data; what is missing is null, unknown is unknown.
type object = map[string]any

type unknownValue struct{}

var unknown = unknownValue{}

func newServer(t *testing.T, open provider.Opener) tfprotov6.ProviderServer {
	t.Helper()
	server, err := providerserver.NewProtocol6WithError(provider.NewWith("test", open)())()
	if err != nil {
		t.Fatal(err)
	}
	return server
}

// core plays Terraform's part against the provider, in process: it proposes, plans,
// applies and keeps state, private data and identity of one resource.
type core struct {
	t        *testing.T
	server   tfprotov6.ProviderServer
	kind     string
	schema   *tfprotov6.Schema
	state    tftypes.Value
	private  []byte
	identity *tfprotov6.ResourceIdentityData
	diags    []*tfprotov6.Diagnostic
}

func newCore(t *testing.T, p *platform, kind string, config object) *core {
	t.Helper()
	c := &core{t: t, kind: kind, server: newServer(t, p.open)}
	resp, err := c.server.GetProviderSchema(t.Context(), &tfprotov6.GetProviderSchemaRequest{})
	c.check(err)
	c.schema = resp.ResourceSchemas[kind]
	c.state = tftypes.NewValue(c.schema.ValueType(), nil)
	c.configure(resp.Provider, config)
	return c
}

func (c *core) configure(schema *tfprotov6.Schema, config object) {
	c.t.Helper()
	v := c.dynamic(asValue(c.t, schema.ValueType(), config))
	resp, err := c.server.ConfigureProvider(c.t.Context(), &tfprotov6.ConfigureProviderRequest{Config: v})
	c.check(err)
	c.diags = resp.Diagnostics
}

// as continues with another provider and the same state.
func (c *core) as(p *platform, config object) *core {
	c.t.Helper()
	next := newCore(c.t, p, c.kind, config)
	next.state, next.private, next.identity = c.state, c.private, c.identity
	return next
}

func (c *core) check(err error) {
	c.t.Helper()
	if err != nil {
		c.t.Fatal(err)
	}
}

func (c *core) dynamic(v tftypes.Value) *tfprotov6.DynamicValue {
	c.t.Helper()
	d, err := tfprotov6.NewDynamicValue(v.Type(), v)
	c.check(err)
	return &d
}

func (c *core) value(d *tfprotov6.DynamicValue) tftypes.Value {
	c.t.Helper()
	v, err := d.Unmarshal(c.schema.ValueType())
	c.check(err)
	return v
}

func (c *core) validate(config object) []*tfprotov6.Diagnostic {
	c.t.Helper()
	resp, err := c.server.ValidateResourceConfig(c.t.Context(), &tfprotov6.ValidateResourceConfigRequest{
		TypeName: c.kind, Config: c.dynamic(asValue(c.t, c.schema.ValueType(), config)),
	})
	c.check(err)
	return resp.Diagnostics
}

// plan returns the planned value and remembers the diagnostics.
func (c *core) plan(config object) (tftypes.Value, *tfprotov6.PlanResourceChangeResponse) {
	c.t.Helper()
	written := asValue(c.t, c.schema.ValueType(), config)
	resp, err := c.server.PlanResourceChange(c.t.Context(), &tfprotov6.PlanResourceChangeRequest{
		TypeName: c.kind, PriorState: c.dynamic(c.state), Config: c.dynamic(written), PriorPrivate: c.private,
		ProposedNewState: c.dynamic(propose(c.schema.Block.Attributes, written, c.state)), PriorIdentity: c.identity,
	})
	c.check(err)
	c.diags = resp.Diagnostics
	if resp.PlannedState == nil {
		return c.state, resp
	}
	return c.value(resp.PlannedState), resp
}

// apply plans and applies.
func (c *core) apply(config object) {
	c.t.Helper()
	written := asValue(c.t, c.schema.ValueType(), config)
	planned, p := c.plan(config)
	if failed(p.Diagnostics) {
		return
	}
	c.change(planned, written, p)
}

func (c *core) change(planned, written tftypes.Value, p *tfprotov6.PlanResourceChangeResponse) {
	c.t.Helper()
	resp, err := c.server.ApplyResourceChange(c.t.Context(), &tfprotov6.ApplyResourceChangeRequest{
		TypeName: c.kind, PriorState: c.dynamic(c.state), PlannedState: c.dynamic(planned), Config: c.dynamic(written),
		PlannedPrivate: p.PlannedPrivate, PlannedIdentity: p.PlannedIdentity,
	})
	c.check(err)
	c.diags = resp.Diagnostics
	c.state, c.private, c.identity = c.value(resp.NewState), resp.Private, resp.NewIdentity
}

func (c *core) destroy() {
	c.t.Helper()
	null := tftypes.NewValue(c.schema.ValueType(), nil)
	c.change(null, null, &tfprotov6.PlanResourceChangeResponse{PlannedPrivate: c.private, PlannedIdentity: c.identity})
}

func (c *core) read() {
	c.t.Helper()
	resp, err := c.server.ReadResource(c.t.Context(), &tfprotov6.ReadResourceRequest{
		TypeName: c.kind, CurrentState: c.dynamic(c.state), Private: c.private, CurrentIdentity: c.identity,
	})
	c.check(err)
	c.diags = resp.Diagnostics
	if !failed(resp.Diagnostics) {
		c.state, c.private, c.identity = c.value(resp.NewState), resp.Private, resp.NewIdentity
	}
}

// imports reads an object by id, or by identity when there is one.
func (c *core) imports(id string, identity map[string]string) {
	c.t.Helper()
	req := &tfprotov6.ImportResourceStateRequest{TypeName: c.kind, ID: id}
	if identity != nil {
		req.Identity = c.identityData(identity)
	}
	resp, err := c.server.ImportResourceState(c.t.Context(), req)
	c.check(err)
	c.diags = resp.Diagnostics
	if failed(resp.Diagnostics) {
		return
	}
	found := resp.ImportedResources[0]
	c.state, c.private, c.identity = c.value(found.State), found.Private, found.Identity
	c.read()
}

func (c *core) identityData(identity map[string]string) *tfprotov6.ResourceIdentityData {
	c.t.Helper()
	resp, err := c.server.GetResourceIdentitySchemas(c.t.Context(), &tfprotov6.GetResourceIdentitySchemasRequest{})
	c.check(err)
	typ := resp.IdentitySchemas[c.kind].ValueType()
	parts := object{}
	for k, v := range identity {
		parts[k] = v
	}
	return &tfprotov6.ResourceIdentityData{IdentityData: c.dynamic(asValue(c.t, typ, parts))}
}

// identityParts is what the identity of the state says.
func (c *core) identityParts() map[string]string {
	c.t.Helper()
	resp, err := c.server.GetResourceIdentitySchemas(c.t.Context(), &tfprotov6.GetResourceIdentitySchemasRequest{})
	c.check(err)
	v, err := c.identity.IdentityData.Unmarshal(resp.IdentitySchemas[c.kind].ValueType())
	c.check(err)
	var attrs map[string]tftypes.Value
	c.check(v.As(&attrs))
	out := map[string]string{}
	for name, a := range attrs {
		var s string
		c.check(a.As(&s))
		out[name] = s
	}
	return out
}

// clean fails the test when the last answer had errors.
func (c *core) clean() {
	c.t.Helper()
	if failed(c.diags) {
		c.t.Fatal(printed(c.diags))
	}
}

func failed(diags []*tfprotov6.Diagnostic) bool {
	return count(diags, tfprotov6.DiagnosticSeverityError) > 0
}

func count(diags []*tfprotov6.Diagnostic, severity tfprotov6.DiagnosticSeverity) int {
	n := 0
	for _, d := range diags {
		if d.Severity == severity {
			n++
		}
	}
	return n
}

// printed is one line per diagnostic, with its attribute.
func printed(diags []*tfprotov6.Diagnostic) string {
	var lines []string
	for _, d := range diags {
		lines = append(lines, fmt.Sprintf("%s at %q: %s: %s", d.Severity, at(d), d.Summary, d.Detail))
	}
	return strings.Join(lines, "\n")
}

// at spells the attribute of a diagnostic.
func at(d *tfprotov6.Diagnostic) string {
	s := ""
	if d.Attribute == nil {
		return s
	}
	for _, step := range d.Attribute.Steps() {
		switch step := step.(type) {
		case tftypes.AttributeName:
			s += "." + string(step)
		case tftypes.ElementKeyString:
			s += fmt.Sprintf("[%q]", string(step))
		}
	}
	return strings.TrimPrefix(s, ".")
}

func asValue(t *testing.T, typ tftypes.Type, data any) tftypes.Value {
	t.Helper()
	switch {
	case data == nil:
		return tftypes.NewValue(typ, nil)
	case data == any(unknown):
		return tftypes.NewValue(typ, tftypes.UnknownValue)
	}
	switch typ := typ.(type) {
	case tftypes.Object:
		given, _ := data.(object)
		out := map[string]tftypes.Value{}
		for name, a := range typ.AttributeTypes {
			out[name] = asValue(t, a, given[name])
		}
		for name := range given {
			if out[name].Type() == nil {
				t.Fatalf("there is no attribute %s", name)
			}
		}
		return tftypes.NewValue(typ, out)
	case tftypes.Map:
		out := map[string]tftypes.Value{}
		for k, e := range data.(object) {
			out[k] = asValue(t, typ.ElementType, e)
		}
		return tftypes.NewValue(typ, out)
	default:
		return tftypes.NewValue(typ, data)
	}
}

// propose does what Terraform does before it asks for a plan: computed attributes that
// the configuration leaves out keep their prior value.
func propose(attrs []*tfprotov6.SchemaAttribute, config, prior tftypes.Value) tftypes.Value {
	if config.IsNull() || !config.IsKnown() {
		return config
	}
	written, before := parts(config), parts(prior)
	for _, a := range attrs {
		old, ok := before[a.Name]
		switch v := written[a.Name]; {
		case v.IsNull() && a.Computed && ok:
			written[a.Name] = old
		case a.NestedType == nil || v.IsNull() || !v.IsKnown():
		case a.NestedType.Nesting == tfprotov6.SchemaObjectNestingModeMap:
			elems, olds := parts(v), parts(old)
			for k, e := range elems {
				elems[k] = propose(a.NestedType.Attributes, e, olds[k])
			}
			written[a.Name] = tftypes.NewValue(v.Type(), elems)
		default:
			written[a.Name] = propose(a.NestedType.Attributes, v, old)
		}
	}
	return tftypes.NewValue(config.Type(), written)
}

// parts are the attributes or elements of a value; none when it has none.
func parts(v tftypes.Value) map[string]tftypes.Value {
	out := map[string]tftypes.Value{}
	if v.Type() == nil || v.IsNull() || !v.IsKnown() || v.As(&out) != nil {
		return map[string]tftypes.Value{}
	}
	return out
}

// get follows names and keys into a value and returns plain data.
func get(v tftypes.Value, names ...string) any {
	for _, name := range names {
		v = parts(v)[name]
	}
	var s string
	var b bool
	switch {
	case v.Type() == nil || v.IsNull():
		return nil
	case !v.IsKnown():
		return unknown
	case v.As(&s) == nil:
		return s
	case v.As(&b) == nil:
		return b
	}
	return v.String()
}
