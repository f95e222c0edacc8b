package provider

import (
	"github.com/hashicorp/terraform-plugin-framework/provider/schema"
)

func configSchema() schema.Schema {
	return schema.Schema{
		MarkdownDescription: "Streams, functions and connectors as code, on a platform embedded in this provider or on Apache Pulsar.",
		Attributes: map[string]schema.Attribute{
			"local":  localSchema(),
			"pulsar": pulsarSchema(),
			"tenant": schema.StringAttribute{
				Optional:            true,
				MarkdownDescription: "The tenant of resources that name none. Defaults to `public`.",
			},
			"namespace": schema.StringAttribute{
				Optional:            true,
				MarkdownDescription: "The namespace of resources that name none. Defaults to `default`.",
			},
			"owner": schema.StringAttribute{
				Optional:            true,
				MarkdownDescription: "The mark on everything this provider creates, by which a repeated apply knows its own work. Defaults to `terraform`.",
			},
		},
	}
}

func localSchema() schema.Attribute {
	return schema.SingleNestedAttribute{
		Optional: true,
		MarkdownDescription: "The embedded platform: a daemon on this machine that holds a message broker and runs the instances. " +
			"It is started by the first read or write. This is the default when no platform is configured.",
		Attributes: map[string]schema.Attribute{
			"data_dir": schema.StringAttribute{
				Optional: true,
				MarkdownDescription: "The folder that holds everything the platform keeps. " +
					"Defaults to `$FUNCTIONMESH_DATA_DIR`, else to `functionmesh` in the user's state folder.",
			},
			"idle_timeout": schema.StringAttribute{
				Optional: true,
				MarkdownDescription: "How long the daemon waits without a request before it ends, as a duration such as `10m`. " +
					"It counts only while nothing is declared. A running daemon takes it over and keeps it, also without this attribute; " +
					"`0s` lets it stay, which is the default.",
			},
		},
	}
}

func pulsarSchema() schema.Attribute {
	return schema.SingleNestedAttribute{
		Optional: true,
		MarkdownDescription: "An Apache Pulsar cluster, spoken to through its admin REST API: topics live there, " +
			"and functions and connectors run on its own function workers.",
		Attributes: map[string]schema.Attribute{
			"admin_url": schema.StringAttribute{
				Required:            true,
				MarkdownDescription: "The address of the admin REST API, for example `http://localhost:8080`.",
			},
			"token": schema.StringAttribute{
				Optional:            true,
				Sensitive:           true,
				MarkdownDescription: "A token to authenticate with. It conflicts with `token_file`.",
			},
			"token_file": schema.StringAttribute{
				Optional:            true,
				MarkdownDescription: "A file that holds the token. It conflicts with `token`.",
			},
		},
	}
}
