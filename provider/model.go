package provider

import (
	"context"
	"os"
	"time"

	"github.com/hashicorp/terraform-plugin-framework/diag"
	"github.com/hashicorp/terraform-plugin-framework/path"
	"github.com/hashicorp/terraform-plugin-framework/types"
	"github.com/hashicorp/terraform-plugin-framework/types/basetypes"

	"github.com/functionmesh/terraform-provider-functionmesh/internal/spec"
	"github.com/functionmesh/terraform-provider-functionmesh/provider/tfx"
)

// model is the provider's block as Terraform hands it over.
type model struct {
	Local     types.Object `tfsdk:"local"`
	Pulsar    types.Object `tfsdk:"pulsar"`
	Tenant    types.String `tfsdk:"tenant"`
	Namespace types.String `tfsdk:"namespace"`
	Owner     types.String `tfsdk:"owner"`
}

type localModel struct {
	DataDir     types.String `tfsdk:"data_dir"`
	IdleTimeout types.String `tfsdk:"idle_timeout"`
}

type pulsarModel struct {
	AdminURL  types.String `tfsdk:"admin_url"`
	Token     types.String `tfsdk:"token"`
	TokenFile types.String `tfsdk:"token_file"`
}

// validate looks at what is known already.
func (m model) validate(ctx context.Context, diags *diag.Diagnostics) {
	if !m.Local.IsNull() && !m.Pulsar.IsNull() {
		diags.AddAttributeError(path.Root("pulsar"), "Two platforms are configured",
			"Streams on Pulsar with instances on this machine are not supported by this version of the provider. Configure either local or pulsar.")
	}
	m.idleTimeout(ctx, diags)
	p := m.pulsar(ctx, diags)
	if !p.Token.IsNull() && !p.TokenFile.IsNull() {
		diags.AddAttributeError(path.Root("pulsar").AtName("token_file"), "Two tokens are configured",
			"Configure either token or token_file.")
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
	if !m.Pulsar.IsNull() {
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

// unknown names the first attribute that is needed to open the platform and is not
// known yet.
func (m model) unknown(ctx context.Context, diags *diag.Diagnostics) string {
	l, p := m.local(ctx, diags), m.pulsar(ctx, diags)
	for _, a := range []struct {
		name  string
		value interface{ IsUnknown() bool }
	}{
		{"local", m.Local},
		{"local.data_dir", l.DataDir},
		{"local.idle_timeout", l.IdleTimeout},
		{"pulsar", m.Pulsar},
		{"pulsar.admin_url", p.AdminURL},
		{"pulsar.token", p.Token},
		{"pulsar.token_file", p.TokenFile},
		{"owner", m.Owner},
	} {
		if a.value.IsUnknown() {
			return a.name
		}
	}
	return ""
}

func (m model) config(ctx context.Context, version string, diags *diag.Diagnostics) Config {
	l, p := m.local(ctx, diags), m.pulsar(ctx, diags)
	return Config{
		Version:     version,
		DataDir:     l.DataDir.ValueString(),
		IdleTimeout: m.idleTimeout(ctx, diags),
		AdminURL:    p.AdminURL.ValueString(),
		Token:       spec.NewSecret(p.Token.ValueString()),
		TokenFile:   p.TokenFile.ValueString(),
	}
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

func (m model) pulsar(ctx context.Context, diags *diag.Diagnostics) pulsarModel {
	return nested[pulsarModel](ctx, m.Pulsar, diags)
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
