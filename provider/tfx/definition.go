package tfx

import (
	"context"

	"github.com/hashicorp/terraform-plugin-framework-timeouts/resource/timeouts"
	"github.com/hashicorp/terraform-plugin-framework-validators/stringvalidator"
	"github.com/hashicorp/terraform-plugin-framework/resource/schema"
	"github.com/hashicorp/terraform-plugin-framework/resource/schema/booldefault"
	"github.com/hashicorp/terraform-plugin-framework/resource/schema/stringdefault"
	"github.com/hashicorp/terraform-plugin-framework/schema/validator"

	"github.com/functionmesh/terraform-provider-functionmesh/internal/catalog"
	"github.com/functionmesh/terraform-provider-functionmesh/internal/engine"
	"github.com/functionmesh/terraform-provider-functionmesh/internal/spec"
)

// Definition is all that one kind adds to the adapter.
type Definition[S any] struct {
	Entity catalog.Entity[S]
	// Doc is the page's description, in sentences.
	Doc string
	// Attributes are the words of the spec, without tenant, namespace and name.
	Attributes func() map[string]schema.Attribute
	// Client picks the kind's client of a platform; nil when it has none.
	Client func(catalog.Clients) engine.Client[S]
	// Parents says which parents the kind has.
	Parents Parents
	// Honour says what of the spec, as the user wrote it, a platform cannot honour; nil
	// for kinds that run nothing.
	Honour func(spec.Platform, S) []spec.Problem
	// Connections says which of the connections that the spec names are none of those
	// that are configured, or cannot do what it asks for; nil for kinds that name none.
	Connections func(configured map[string]string, s S) []spec.Problem
	// Runs kinds have instances to wait for.
	Runs bool
	// InPlace kinds carry out every change of their settings without being replaced.
	InPlace bool
	// Guard keeps what a replacement would lose from changes that somebody else made; nil
	// for kinds that lose nothing by it.
	Guard *Guard[S]
	// FullName computes the attribute full_name; nil for kinds without one.
	FullName func(S) string
}

// Parents are what an object of a kind lies in.
type Parents int

// The three depths.
const (
	NoParents       Parents = iota // a tenant
	InTenant                       // a namespace
	InTenantAndMore                // everything else: a tenant and a namespace
)

// Attributes that only Terraform knows.
const (
	attrID       = "id"
	attrFullName = "full_name"
	attrTenant   = "tenant"
	attrSpace    = "namespace"
	attrName     = "name"
	attrAdopt    = "adopt"
	attrDeletion = "deletion_policy"
	attrWait     = "wait_for_ready"
	attrTimeouts = "timeouts"

	policyDelete = "delete"
	policyOrphan = "orphan"
)

// typeName is the word of the resource and data source types.
func (d Definition[S]) typeName() string { return "functionmesh_" + string(d.Entity.Kind) }

// keyAttributes are the attributes that name an object, outermost first. They
// identify it, make its id, and a change of one replaces it.
func (d Definition[S]) keyAttributes() []string {
	switch d.Parents {
	case NoParents:
		return []string{attrName}
	case InTenant:
		return []string{attrTenant, attrName}
	default:
		return []string{attrTenant, attrSpace, attrName}
	}
}

func (d Definition[S]) schema(ctx context.Context) schema.Schema {
	attrs := d.Attributes()
	for _, name := range d.keyAttributes() {
		attrs[name] = d.keyAttribute(name)
	}
	attrs[attrID] = schema.StringAttribute{
		Computed:            true,
		MarkdownDescription: "The id to import by: `" + d.idForm() + "`.",
	}
	if d.FullName != nil {
		attrs[attrFullName] = schema.StringAttribute{
			Computed:            true,
			MarkdownDescription: "The full name, with its domain, tenant and namespace. It is known while planning.",
		}
	}
	d.addClientSide(ctx, attrs)
	return schema.Schema{MarkdownDescription: d.Doc, Attributes: attrs}
}

func (d Definition[S]) keyAttribute(name string) schema.Attribute {
	if name == attrName {
		return schema.StringAttribute{
			Required:            true,
			MarkdownDescription: "The name of the " + string(d.Entity.Kind) + ". A change replaces it.",
		}
	}
	return schema.StringAttribute{
		Optional:            true,
		Computed:            true,
		MarkdownDescription: "The " + name + " that the " + string(d.Entity.Kind) + " lies in. Defaults to the provider's. A change replaces it.",
	}
}

func (d Definition[S]) addClientSide(ctx context.Context, attrs map[string]schema.Attribute) {
	attrs[attrAdopt] = schema.BoolAttribute{
		Optional: true, Computed: true,
		Default: booldefault.StaticBool(false),
		MarkdownDescription: "Whether creating takes over an object of this name that exists already, whoever made it. " +
			"Defaults to `false`: an existing object is an error.",
	}
	attrs[attrDeletion] = schema.StringAttribute{
		Optional: true, Computed: true,
		Default:    stringdefault.StaticString(policyDelete),
		Validators: []validator.String{stringvalidator.OneOf(policyDelete, policyOrphan)},
		MarkdownDescription: "What destroying does: `delete` removes the object, `orphan` only forgets it. " +
			"Defaults to `delete`.",
	}
	if d.Runs {
		attrs[attrWait] = schema.BoolAttribute{
			Optional: true, Computed: true,
			Default: booldefault.StaticBool(true),
			MarkdownDescription: "Whether creating and updating wait until every instance is ready. " +
				"A failure that waiting cannot mend ends the wait at once. Defaults to `true`.",
		}
	}
	attrs[attrTimeouts] = timeoutsAttribute(ctx)
}

func timeoutsAttribute(ctx context.Context) schema.Attribute {
	const how = " Defaults to `5m`. It is a duration such as `30s` or `1h30m`."
	a := timeouts.Attributes(ctx, timeouts.Opts{
		Create: true, CreateDescription: "How long creating may take, the wait for readiness included." + how,
		Update: true, UpdateDescription: "How long updating may take, the wait for readiness included." + how,
		Delete: true, DeleteDescription: "How long deleting may take." + how,
	})
	if nested, ok := a.(schema.SingleNestedAttribute); ok {
		nested.MarkdownDescription = "How long the operations may take."
		return nested
	}
	return a
}

// idForm is the import id with words in place of values.
func (d Definition[S]) idForm() string {
	form := ""
	for _, name := range d.keyAttributes() {
		if form != "" {
			form += "/"
		}
		form += name
	}
	return form
}
