// Command schemajson writes the provider's schema as `terraform providers schema -json`
// does, whichever Terraform is installed, or none: older ones leave out identities. The
// documentation is generated from it. Only scripts run it, nothing imports it.
package main

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"os"

	"github.com/hashicorp/terraform-plugin-framework/providerserver"
	"github.com/hashicorp/terraform-plugin-go/tfprotov6"

	"github.com/functionmesh/terraform-provider-functionmesh/provider"
)

// address is where tfplugindocs looks a provider up.
const address = "registry.terraform.io/hashicorp/functionmesh"

type document = map[string]any

func main() {
	if err := write(context.Background(), os.Stdout); err != nil {
		fmt.Fprintln(os.Stderr, "Error:", err)
		os.Exit(1)
	}
}

func write(ctx context.Context, out io.Writer) error {
	server, err := providerserver.NewProtocol6WithError(provider.New("dev")())()
	if err != nil {
		return err
	}
	schemas, err := server.GetProviderSchema(ctx, &tfprotov6.GetProviderSchemaRequest{})
	if err != nil {
		return err
	}
	identities, err := server.GetResourceIdentitySchemas(ctx, &tfprotov6.GetResourceIdentitySchemasRequest{})
	if err != nil {
		return err
	}
	encoder := json.NewEncoder(out)
	encoder.SetEscapeHTML(false)
	return encoder.Encode(document{
		"format_version": "1.0",
		"provider_schemas": document{address: document{
			"provider":                  schema(schemas.Provider),
			"resource_schemas":          each(schemas.ResourceSchemas, schema),
			"data_source_schemas":       each(schemas.DataSourceSchemas, schema),
			"functions":                 each(schemas.Functions, function),
			"resource_identity_schemas": each(identities.IdentitySchemas, identity),
		}},
	})
}

func each[T any](all map[string]T, convert func(T) document) document {
	out := document{}
	for name, one := range all {
		out[name] = convert(one)
	}
	return out
}

func schema(s *tfprotov6.Schema) document {
	return document{"version": s.Version, "block": document{
		"attributes":       attributes(s.Block.Attributes),
		"description":      s.Block.Description,
		"description_kind": kind(s.Block.DescriptionKind),
	}}
}

func kind(k tfprotov6.StringKind) string {
	if k == tfprotov6.StringKindMarkdown {
		return "markdown"
	}
	return "plain"
}

func attributes(list []*tfprotov6.SchemaAttribute) document {
	out := document{}
	for _, a := range list {
		d := document{"description": a.Description, "description_kind": kind(a.DescriptionKind)}
		for word, set := range map[string]bool{
			"required": a.Required, "optional": a.Optional, "computed": a.Computed, "sensitive": a.Sensitive,
		} {
			if set {
				d[word] = true
			}
		}
		if a.NestedType == nil {
			d["type"] = a.Type
		} else {
			d["nested_type"] = document{
				"attributes":   attributes(a.NestedType.Attributes),
				"nesting_mode": nesting(a.NestedType.Nesting),
			}
		}
		out[a.Name] = d
	}
	return out
}

func nesting(m tfprotov6.SchemaObjectNestingMode) string {
	switch m {
	case tfprotov6.SchemaObjectNestingModeList:
		return "list"
	case tfprotov6.SchemaObjectNestingModeMap:
		return "map"
	case tfprotov6.SchemaObjectNestingModeSet:
		return "set"
	default:
		return "single"
	}
}

func function(f *tfprotov6.Function) document {
	parameters := []document{}
	for _, p := range f.Parameters {
		parameters = append(parameters, document{"name": p.Name, "description": p.Description, "type": p.Type})
	}
	return document{
		"description": f.Description, "summary": f.Summary,
		"return_type": f.Return.Type, "parameters": parameters,
	}
}

func identity(s *tfprotov6.ResourceIdentitySchema) document {
	attrs := document{}
	for _, a := range s.IdentityAttributes {
		attrs[a.Name] = document{
			"type": a.Type, "description": a.Description,
			"required_for_import": a.RequiredForImport, "optional_for_import": a.OptionalForImport,
		}
	}
	return document{"version": s.Version, "attributes": attrs}
}
