package tfx

import (
	"context"
	"fmt"
	"reflect"
	"strings"

	"github.com/hashicorp/terraform-plugin-framework/diag"
	"github.com/hashicorp/terraform-plugin-framework/path"
	"github.com/hashicorp/terraform-plugin-framework/resource"
	"github.com/hashicorp/terraform-plugin-framework/resource/identityschema"
	"github.com/hashicorp/terraform-plugin-framework/tfsdk"
	"github.com/hashicorp/terraform-plugin-go/tftypes"

	"github.com/functionmesh/terraform-provider-functionmesh/internal/engine"
	"github.com/functionmesh/terraform-provider-functionmesh/internal/spec"
)

var (
	_ resource.ResourceWithConfigure      = (*managed[spec.Component])(nil)
	_ resource.ResourceWithIdentity       = (*managed[spec.Component])(nil)
	_ resource.ResourceWithImportState    = (*managed[spec.Component])(nil)
	_ resource.ResourceWithModifyPlan     = (*managed[spec.Component])(nil)
	_ resource.ResourceWithUpgradeState   = (*managed[spec.Component])(nil)
	_ resource.ResourceWithValidateConfig = (*managed[spec.Component])(nil)
)

// managed is the resource of every kind.
type managed[S any] struct {
	Definition[S]
	session *Session // nil until the provider is configured
}

// NewResource makes the resource of a kind.
func NewResource[S any](d Definition[S]) resource.Resource { return &managed[S]{Definition: d} }

// Metadata names the type.
func (m *managed[S]) Metadata(_ context.Context, _ resource.MetadataRequest, resp *resource.MetadataResponse) {
	resp.TypeName = m.typeName()
}

// Schema is the kind's words and the adapter's own.
func (m *managed[S]) Schema(ctx context.Context, _ resource.SchemaRequest, resp *resource.SchemaResponse) {
	resp.Schema = m.schema(ctx)
}

// UpgradeState has no older version to read yet.
func (m *managed[S]) UpgradeState(context.Context) map[int64]resource.StateUpgrader {
	return map[int64]resource.StateUpgrader{}
}

// Configure receives the provider's session.
func (m *managed[S]) Configure(_ context.Context, req resource.ConfigureRequest, resp *resource.ConfigureResponse) {
	m.session = sessionOf(req.ProviderData, &resp.Diagnostics)
}

// sessionOf unpacks what the provider handed over; nil while it is not configured.
func sessionOf(data any, diags *diag.Diagnostics) *Session {
	if data == nil {
		return nil
	}
	s, ok := data.(*Session)
	if !ok {
		diags.AddError("Provider defect", fmt.Sprintf("The provider handed over a %T in place of its session.", data))
	}
	return s
}

// IdentitySchema is the parts of the id.
func (m *managed[S]) IdentitySchema(_ context.Context, _ resource.IdentitySchemaRequest, resp *resource.IdentitySchemaResponse) {
	attrs := map[string]identityschema.Attribute{}
	for _, name := range m.keyAttributes() {
		attrs[name] = identityschema.StringAttribute{
			RequiredForImport: name == attrName,
			OptionalForImport: name != attrName,
			Description:       "The " + name + " of the " + string(m.Entity.Kind) + ".",
		}
	}
	resp.IdentitySchema = identityschema.Schema{Attributes: attrs}
}

// ImportState takes an id or an identity; the read that follows fills in the rest.
func (m *managed[S]) ImportState(ctx context.Context, req resource.ImportStateRequest, resp *resource.ImportStateResponse) {
	parts := m.importParts(ctx, req, &resp.Diagnostics)
	if resp.Diagnostics.HasError() {
		return
	}
	attrs, err := children(emptyObject(resp.State.Schema.Type().TerraformType(ctx)))
	if err != nil {
		resp.Diagnostics.AddError("Import failed", err.Error())
		return
	}
	for name, text := range parts {
		attrs[name] = tftypes.NewValue(tftypes.String, text)
	}
	attrs[attrAdopt] = tftypes.NewValue(tftypes.Bool, false)
	attrs[attrDeletion] = tftypes.NewValue(tftypes.String, policyDelete)
	if m.Runs {
		attrs[attrWait] = tftypes.NewValue(tftypes.Bool, true)
	}
	resp.State.Raw = tftypes.NewValue(resp.State.Schema.Type().TerraformType(ctx), attrs)
	m.setIdentity(ctx, resp.Identity, resp.State.Raw, &resp.Diagnostics)
}

// emptyObject is an object whose attributes are all null.
func emptyObject(t tftypes.Type) tftypes.Value {
	attrs := map[string]tftypes.Value{}
	for name, at := range t.(tftypes.Object).AttributeTypes { //nolint:forcetypeassert // a schema is an object
		attrs[name] = tftypes.NewValue(at, nil)
	}
	return tftypes.NewValue(t, attrs)
}

// importParts reads tenant, namespace and name from the id or the identity.
func (m *managed[S]) importParts(ctx context.Context, req resource.ImportStateRequest, diags *diag.Diagnostics) map[string]string {
	names := m.keyAttributes()
	parts := map[string]string{}
	if req.ID != "" || req.Identity == nil {
		words := strings.Split(req.ID, "/")
		if len(words) != len(names) || strings.Contains("/"+req.ID+"/", "//") {
			diags.AddError("Import id has the wrong form", fmt.Sprintf("%q is not of the form %s.", req.ID, m.idForm()))
			return nil
		}
		for i, name := range names {
			parts[name] = words[i]
		}
		return parts
	}
	for _, name := range names {
		var text *string
		diags.Append(req.Identity.GetAttribute(ctx, path.Root(name), &text)...)
		if text != nil {
			parts[name] = *text
		} else if w := m.parent(name); !w.Unknown {
			parts[name] = w.Text
		} else {
			diags.AddAttributeError(path.Root(name), "Import identity is incomplete",
				"The provider's default is not known yet: name the "+name+" in the identity.")
		}
	}
	return parts
}

// parent is the provider's default tenant or namespace.
func (m *managed[S]) parent(attribute string) Word {
	switch {
	case m.session == nil:
		return Word{Unknown: true}
	case attribute == attrTenant:
		return m.session.Tenant
	default:
		return m.session.Namespace
	}
}

// setIdentity copies the naming attributes of an object into its identity.
func (m *managed[S]) setIdentity(ctx context.Context, id *tfsdk.ResourceIdentity, from tftypes.Value, diags *diag.Diagnostics) {
	attrs, err := children(from)
	if err != nil || id == nil {
		return
	}
	for _, name := range m.keyAttributes() {
		var text string
		if isSet(attrs[name]) && attrs[name].As(&text) == nil {
			diags.Append(id.SetAttribute(ctx, path.Root(name), text)...)
		}
	}
}

// specType guides walks over values of the kind.
func specType[S any]() reflect.Type { return reflect.TypeFor[S]() }

// placeOf is what short topic names in the spec are relative to.
func (m *managed[S]) placeOf(s S) place {
	k := m.Entity.Key(m.Entity.Default(s))
	return place{tenant: k.Tenant, namespace: k.Namespace}
}

func (m *managed[S]) keyOf(s S) engine.Key { return m.Entity.Key(m.Entity.Default(s)) }

// ValidateConfig reports everything wrong with the configuration, at its attribute.
// Defaults of the provider are not known here and decide nothing.
func (m *managed[S]) ValidateConfig(_ context.Context, req resource.ValidateConfigRequest, resp *resource.ValidateConfigResponse) {
	s, holes, err := Decode[S](req.Config.Raw)
	if err != nil {
		resp.Diagnostics.AddError("Configuration cannot be read", err.Error())
		return
	}
	problems := m.Entity.Validate(s)
	problems = append(problems, empties(req.Config.Raw, problems)...)
	report(&resp.Diagnostics, visible(problems, holes))
}
