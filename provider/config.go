package provider

import (
	"github.com/hashicorp/terraform-plugin-framework/provider/schema"
)

func configSchema() schema.Schema {
	return schema.Schema{
		MarkdownDescription: "Streams, functions and connectors as code, on a platform embedded in this provider or on Apache Pulsar.",
		Attributes: map[string]schema.Attribute{
			"local":       localSchema(),
			"pulsar":      pulsarSchema(),
			"connections": connectionsSchema(),
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
		MarkdownDescription: "An Apache Pulsar cluster. Tenants, namespaces and topics live there, managed through its admin REST API. " +
			"With `local` beside it, functions and connectors run on this machine and their streams are on the cluster; " +
			"alone, they run on the cluster's own function workers. " +
			"What is left out is taken from the environment: `PULSAR_URL`, `PULSAR_ADMIN_URL`, `PULSAR_TOKEN_FILE`, `PULSAR_TOKEN`, " +
			"`PULSAR_CA_FILE`, `PULSAR_CERT_FILE`, `PULSAR_KEY_FILE`. The environment alone configures nothing.",
		Attributes: connectionAttributes("It is needed with `local`.", "It is needed."),
	}
}

func connectionsSchema() schema.Attribute {
	return schema.MapNestedAttribute{
		Optional: true,
		MarkdownDescription: "Further clusters by the names that `connection` of inputs and outputs refers to. They need `local` and `pulsar`. " +
			"The embedded platform keeps them in files that only you can read, apart from those of other projects that use the same names; " +
			"what changes in a token is used by running instances without a change of any resource.",
		NestedObject: schema.NestedAttributeObject{
			Attributes: connectionAttributes("It is needed.", "It is needed to prepare topics and subscriptions there."),
		},
	}
}

// connectionAttributes say how one cluster is reached.
func connectionAttributes(service, admin string) map[string]schema.Attribute {
	return map[string]schema.Attribute{
		"service_url": schema.StringAttribute{
			Optional: true,
			MarkdownDescription: "The address of the brokers: `pulsar://host:6650`, or `pulsar+ssl://host:6651` with TLS; " +
				"several hosts are separated by commas. " + service,
		},
		"admin_url": schema.StringAttribute{
			Optional:            true,
			MarkdownDescription: "The address of the admin REST API, for example `http://localhost:8080`. " + admin,
		},
		"token": schema.StringAttribute{
			Optional:            true,
			Sensitive:           true,
			MarkdownDescription: "A token to authenticate with. Prefer `token_file`, which names no secret.",
		},
		"token_file": schema.StringAttribute{
			Optional: true,
			MarkdownDescription: "A file that holds the token. It is read whenever something connects, so that a renewed token is used at once. " +
				"It conflicts with `token` and `oauth2`.",
		},
		"tls":    tlsSchema(),
		"oauth2": oauth2Schema(),
	}
}

func tlsSchema() schema.Attribute {
	return schema.SingleNestedAttribute{
		Optional:            true,
		MarkdownDescription: "How TLS is done. Files are read whenever something connects.",
		Attributes: map[string]schema.Attribute{
			"ca_file": schema.StringAttribute{
				Optional:            true,
				MarkdownDescription: "The authorities that are trusted, in PEM. Defaults to those of the system.",
			},
			"cert_file": schema.StringAttribute{
				Optional:            true,
				MarkdownDescription: "The client's certificate, in PEM, with `key_file`.",
			},
			"key_file": schema.StringAttribute{
				Optional:            true,
				MarkdownDescription: "The key of the client's certificate, in PEM.",
			},
			"insecure": schema.BoolAttribute{
				Optional:            true,
				MarkdownDescription: "Whether any certificate is accepted. Who is in between can read and change everything.",
			},
			"any_hostname": schema.BoolAttribute{
				Optional:            true,
				MarkdownDescription: "Whether the certificate may be that of another host, if a trusted authority signed it.",
			},
		},
	}
}

func oauth2Schema() schema.Attribute {
	return schema.SingleNestedAttribute{
		Optional: true,
		MarkdownDescription: "OAuth 2.0 with client credentials. Streams reached so use the compatible data path. " +
			"It conflicts with `token` and `token_file`.",
		Attributes: map[string]schema.Attribute{
			"issuer_url": schema.StringAttribute{
				Required:            true,
				MarkdownDescription: "The address of the issuer.",
			},
			"audience": schema.StringAttribute{
				Optional:            true,
				MarkdownDescription: "The audience that the token is for.",
			},
			"scope": schema.StringAttribute{
				Optional:            true,
				MarkdownDescription: "The scopes, separated by spaces.",
			},
			"key_file": schema.StringAttribute{
				Required:            true,
				MarkdownDescription: "A JSON file with `client_id` and `client_secret`.",
			},
		},
	}
}
