package provider

import (
	"context"
	"os"
	"path/filepath"
	"strings"

	"github.com/hashicorp/terraform-plugin-framework/attr"
	"github.com/hashicorp/terraform-plugin-framework/diag"
	"github.com/hashicorp/terraform-plugin-framework/path"
	"github.com/hashicorp/terraform-plugin-framework/types"

	"github.com/functionmesh/terraform-provider-functionmesh/internal/local"
	"github.com/functionmesh/terraform-provider-functionmesh/internal/spec"
)

// connectionModel is how to reach one Pulsar, as Terraform hands it over.
type connectionModel struct {
	ServiceURL types.String `tfsdk:"service_url"`
	AdminURL   types.String `tfsdk:"admin_url"`
	Token      types.String `tfsdk:"token"`
	TokenFile  types.String `tfsdk:"token_file"`
	TLS        types.Object `tfsdk:"tls"`
	OAuth2     types.Object `tfsdk:"oauth2"`
}

type tlsModel struct {
	CAFile      types.String `tfsdk:"ca_file"`
	CertFile    types.String `tfsdk:"cert_file"`
	KeyFile     types.String `tfsdk:"key_file"`
	Insecure    types.Bool   `tfsdk:"insecure"`
	AnyHostname types.Bool   `tfsdk:"any_hostname"`
}

type oauth2Model struct {
	IssuerURL types.String `tfsdk:"issuer_url"`
	Audience  types.String `tfsdk:"audience"`
	Scope     types.String `tfsdk:"scope"`
	KeyFile   types.String `tfsdk:"key_file"`
}

// reach is one connection of a provider's block: where it is written, and what of it
// is known.
type reach struct {
	at     path.Path
	object types.Object
	model  connectionModel
	tls    tlsModel
	oauth2 oauth2Model
}

func readReach(ctx context.Context, at path.Path, o types.Object, diags *diag.Diagnostics) reach {
	r := reach{at: at, object: o, model: nested[connectionModel](ctx, o, diags)}
	r.tls = nested[tlsModel](ctx, r.model.TLS, diags)
	r.oauth2 = nested[oauth2Model](ctx, r.model.OAuth2, diags)
	return r
}

// environment fills in what the pulsar block leaves out, with the variables of Pulsar's
// own tools. A way to authenticate that is written wins over all of them.
func (r *reach) environment() {
	if r.object.IsNull() || r.object.IsUnknown() {
		return
	}
	fill := func(s *types.String, name string) {
		if v := os.Getenv(name); s.IsNull() && v != "" {
			*s = types.StringValue(v)
		}
	}
	fill(&r.model.ServiceURL, "PULSAR_URL")
	fill(&r.model.AdminURL, "PULSAR_ADMIN_URL")
	if r.model.Token.IsNull() && r.model.TokenFile.IsNull() && r.model.OAuth2.IsNull() {
		fill(&r.model.TokenFile, "PULSAR_TOKEN_FILE")
		if r.model.TokenFile.IsNull() {
			fill(&r.model.Token, "PULSAR_TOKEN")
		}
	}
	if !r.model.TLS.IsUnknown() {
		fill(&r.tls.CAFile, "PULSAR_CA_FILE")
		fill(&r.tls.CertFile, "PULSAR_CERT_FILE")
		fill(&r.tls.KeyFile, "PULSAR_KEY_FILE")
	}
}

// values are all attributes by their name below the block.
func (r reach) values() []struct {
	name  string
	value attr.Value
} {
	return []struct {
		name  string
		value attr.Value
	}{
		{"service_url", r.model.ServiceURL},
		{"admin_url", r.model.AdminURL},
		{"token", r.model.Token},
		{"token_file", r.model.TokenFile},
		{"tls", r.model.TLS},
		{"tls.ca_file", r.tls.CAFile},
		{"tls.cert_file", r.tls.CertFile},
		{"tls.key_file", r.tls.KeyFile},
		{"tls.insecure", r.tls.Insecure},
		{"tls.any_hostname", r.tls.AnyHostname},
		{"oauth2", r.model.OAuth2},
		{"oauth2.issuer_url", r.oauth2.IssuerURL},
		{"oauth2.audience", r.oauth2.Audience},
		{"oauth2.scope", r.oauth2.Scope},
		{"oauth2.key_file", r.oauth2.KeyFile},
	}
}

// unknown is the name of the first attribute that is not known yet; "" for none.
func (r reach) unknown() string {
	if r.object.IsUnknown() {
		return r.at.String()
	}
	for _, v := range r.values() {
		if v.value != nil && v.value.IsUnknown() {
			return r.at.String() + "." + v.name
		}
	}
	return ""
}

// connection is what is written, with files named from the root.
func (r reach) connection() local.Connection {
	c := local.Connection{
		ServiceURL: r.model.ServiceURL.ValueString(), AdminURL: r.model.AdminURL.ValueString(),
		Token: spec.NewSecret(r.model.Token.ValueString()), TokenFile: rooted(r.model.TokenFile),
		CAFile: rooted(r.tls.CAFile), CertFile: rooted(r.tls.CertFile), KeyFile: rooted(r.tls.KeyFile),
		Insecure: r.tls.Insecure.ValueBool(), AnyHostname: r.tls.AnyHostname.ValueBool(),
	}
	if !r.model.OAuth2.IsNull() {
		c.OAuth2 = &local.OAuth2{
			IssuerURL: r.oauth2.IssuerURL.ValueString(), Audience: r.oauth2.Audience.ValueString(),
			Scope: r.oauth2.Scope.ValueString(), KeyFile: rooted(r.oauth2.KeyFile),
		}
	}
	return c
}

// rooted names a file so that it is the same in every process of this machine.
func rooted(s types.String) string {
	file := s.ValueString()
	if file == "" {
		return ""
	}
	if abs, err := filepath.Abs(file); err == nil {
		return abs
	}
	return file
}

// validate reports what is wrong with it as far as it is known. The service URL is
// needed where instances of ours run, the admin URL where streams are declared.
func (r reach) validate(needsService, needsAdmin bool, diags *diag.Diagnostics) {
	if r.object.IsNull() || r.object.IsUnknown() {
		return
	}
	if needsService && r.model.ServiceURL.IsNull() {
		r.missing("service_url", "pulsar://localhost:6650", "PULSAR_URL", diags)
	}
	if needsAdmin && r.model.AdminURL.IsNull() {
		r.missing("admin_url", "http://localhost:8080", "PULSAR_ADMIN_URL", diags)
	}
	if needsAdmin && !r.model.OAuth2.IsNull() {
		diags.AddAttributeError(r.at.AtName("oauth2"), "Connection cannot be used",
			"The admin REST API is not reached with OAuth 2.0 here, only the brokers of connections are. Use token_file or token.")
	}
	r.check(diags)
}

// check reports what the connection itself finds wrong with what is known.
func (r reach) check(diags *diag.Diagnostics) {
	unsaid := r.unsaid()
	for _, p := range r.connection().Check() {
		if unsaid[p.Field] || unsaid[parent(p.Field)] {
			continue
		}
		at := r.at
		for step := range strings.SplitSeq(p.Field, ".") {
			at = at.AtName(step)
		}
		diags.AddAttributeError(at, "Connection cannot be used", at.String()+": "+p.Message+" "+p.Hint)
	}
}

// unsaid are the attributes that nothing can be said about: unknown ones, and a service
// URL that is left out, which is needed in some cases only.
func (r reach) unsaid() map[string]bool {
	unsaid := map[string]bool{}
	for _, v := range r.values() {
		unsaid[v.name] = v.value != nil && v.value.IsUnknown()
	}
	unsaid["service_url"] = unsaid["service_url"] || r.model.ServiceURL.IsNull()
	return unsaid
}

func parent(field string) string {
	before, _, _ := strings.Cut(field, ".")
	return before
}

func (r reach) missing(name, example, variable string, diags *diag.Diagnostics) {
	how := "Set " + name + ", for example to " + example + "."
	if r.at.Equal(path.Root("pulsar")) {
		how = "Set " + name + ", for example to " + example + ", or the environment variable " + variable + "."
	}
	diags.AddAttributeError(r.at.AtName(name), "Connection cannot be used", r.at.String()+": It has no "+name+". "+how)
}
