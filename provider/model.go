package provider

import (
	"context"
	"os"
	"time"

	"github.com/hashicorp/terraform-plugin-framework/diag"
	"github.com/hashicorp/terraform-plugin-framework/path"
	"github.com/hashicorp/terraform-plugin-framework/types"
	"github.com/hashicorp/terraform-plugin-framework/types/basetypes"

	"github.com/functionmesh/terraform-provider-functionmesh/internal/local"
	"github.com/functionmesh/terraform-provider-functionmesh/internal/spec"
	"github.com/functionmesh/terraform-provider-functionmesh/provider/tfx"
)

// model is the provider's block as Terraform hands it over.
type model struct {
	Local       types.Object `tfsdk:"local"`
	Pulsar      types.Object `tfsdk:"pulsar"`
	Connections types.Map    `tfsdk:"connections"`
	Tenant      types.String `tfsdk:"tenant"`
	Namespace   types.String `tfsdk:"namespace"`
	Owner       types.String `tfsdk:"owner"`
}

type localModel struct {
	DataDir     types.String `tfsdk:"data_dir"`
	IdleTimeout types.String `tfsdk:"idle_timeout"`
}

// onRunner reports whether our runner on this machine has its streams on a Pulsar. An
// object that is unknown counts as configured.
func (m model) onRunner() bool { return !m.Local.IsNull() && !m.Pulsar.IsNull() }

// validate looks at what is known already.
func (m model) validate(ctx context.Context, diags *diag.Diagnostics) {
	m.idleTimeout(ctx, diags)
	m.pulsar(ctx, diags).validate(m.onRunner(), true, diags)
	for name, r := range m.others(ctx, diags) {
		if name == "" {
			diags.AddAttributeError(r.at, "Connection has no name", "Name it: the unnamed connection is the one of the pulsar block.")
			continue
		}
		r.validate(true, false, diags)
	}
}

// settings are what resources need to know before anything is opened. An object that
// is unknown counts as configured.
func (m model) settings(ctx context.Context, diags *diag.Diagnostics) tfx.Settings {
	s := tfx.Settings{
		Tenant:    word(m.Tenant, spec.DefaultTenant),
		Namespace: word(m.Namespace, spec.DefaultNamespace),
		Owner:     word(m.Owner, "terraform").Text,
		Platform:  spec.PlatformLocal,
		Unknown:   m.unknown(ctx, diags),
	}
	if m.onRunner() {
		s.Platform, s.Connections = spec.PlatformRunner, m.names(ctx, diags)
	} else if !m.Pulsar.IsNull() {
		s.Platform = spec.PlatformPulsar
		return s
	}
	dir, err := os.Getwd()
	if err != nil {
		diags.AddError("Working directory cannot be read", err.Error())
	}
	s.BaseDir = dir
	return s
}

// names are the connections that components may name, with why they need the compatible
// path; nil while they are not known.
func (m model) names(ctx context.Context, diags *diag.Diagnostics) map[string]string {
	if m.Connections.IsUnknown() {
		return nil
	}
	names := map[string]string{}
	for name, r := range m.others(ctx, diags) {
		names[name] = ""
		if !r.model.OAuth2.IsNull() {
			names[name] = spec.OAuth2ByEntry
		}
	}
	return names
}

// unknown names the first attribute that is needed to open the platform and is not
// known yet.
func (m model) unknown(ctx context.Context, diags *diag.Diagnostics) string {
	l := m.local(ctx, diags)
	for _, a := range []struct {
		name  string
		value interface{ IsUnknown() bool }
	}{
		{"local", m.Local},
		{"local.data_dir", l.DataDir},
		{"local.idle_timeout", l.IdleTimeout},
		{"connections", m.Connections},
		{"owner", m.Owner},
	} {
		if a.value.IsUnknown() {
			return a.name
		}
	}
	if name := m.pulsar(ctx, diags).unknown(); name != "" {
		return name
	}
	others := m.others(ctx, diags)
	for _, name := range spec.SortedKeys(others) {
		if at := others[name].unknown(); at != "" {
			return at
		}
	}
	return ""
}

func (m model) config(ctx context.Context, version string, diags *diag.Diagnostics) Config {
	c := Config{
		Version:     version,
		Local:       m.Pulsar.IsNull() || !m.Local.IsNull(),
		DataDir:     m.local(ctx, diags).DataDir.ValueString(),
		IdleTimeout: m.idleTimeout(ctx, diags),
	}
	if m.Pulsar.IsNull() || m.Pulsar.IsUnknown() {
		return c
	}
	pulsar := m.pulsar(ctx, diags).connection()
	c.Pulsar = &pulsar
	for name, r := range m.others(ctx, diags) {
		if c.Connections == nil {
			c.Connections = map[string]local.Connection{}
		}
		c.Connections[name] = r.connection()
	}
	return c
}

func (m model) idleTimeout(ctx context.Context, diags *diag.Diagnostics) time.Duration {
	text := m.local(ctx, diags).IdleTimeout.ValueString()
	if text == "" {
		return 0
	}
	d, err := time.ParseDuration(text)
	if err != nil || d < 0 {
		diags.AddAttributeError(path.Root("local").AtName("idle_timeout"), "Not a duration",
			"Write a duration such as 10m or 1h30m.")
	}
	if d == 0 {
		return -1 // never, where nothing said is: as before
	}
	return d
}

func (m model) local(ctx context.Context, diags *diag.Diagnostics) localModel {
	return nested[localModel](ctx, m.Local, diags)
}

// pulsar is the pulsar block, with what the environment adds to it.
func (m model) pulsar(ctx context.Context, diags *diag.Diagnostics) reach {
	r := readReach(ctx, path.Root("pulsar"), m.Pulsar, diags)
	r.environment()
	return r
}

// others are the connections by their names, as far as they are known.
func (m model) others(ctx context.Context, diags *diag.Diagnostics) map[string]reach {
	all := map[string]reach{}
	for name, v := range m.Connections.Elements() {
		if o, ok := v.(types.Object); ok {
			all[name] = readReach(ctx, path.Root("connections").AtMapKey(name), o, diags)
		}
	}
	return all
}

// nested reads an object; one that is absent or unknown says nothing.
func nested[T any](ctx context.Context, o types.Object, diags *diag.Diagnostics) T {
	var t T
	if !o.IsNull() && !o.IsUnknown() {
		diags.Append(o.As(ctx, &t, basetypes.ObjectAsOptions{})...)
	}
	return t
}

func word(s types.String, fallback string) tfx.Word {
	switch {
	case s.IsUnknown():
		return tfx.Word{Unknown: true}
	case s.ValueString() == "":
		return tfx.Word{Text: fallback}
	default:
		return tfx.Word{Text: s.ValueString()}
	}
}
