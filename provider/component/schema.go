package component

import (
	"maps"

	"github.com/hashicorp/terraform-plugin-framework-jsontypes/jsontypes"
	"github.com/hashicorp/terraform-plugin-framework-validators/int64validator"
	"github.com/hashicorp/terraform-plugin-framework-validators/stringvalidator"
	"github.com/hashicorp/terraform-plugin-framework/resource/schema"
	"github.com/hashicorp/terraform-plugin-framework/schema/validator"

	"github.com/functionmesh/terraform-provider-functionmesh/internal/spec"
)

// Attributes returns the settings of a component of the kind, without its name and
// place, which a mesh decides for its own components.
func Attributes(kind spec.Kind) map[string]schema.Attribute {
	attrs := running()
	switch kind {
	case spec.KindFunction:
		maps.Copy(attrs, code())
		maps.Copy(attrs, consuming())
		maps.Copy(attrs, ordering())
		maps.Copy(attrs, failing())
		maps.Copy(attrs, producing(false))
	case spec.KindSource:
		maps.Copy(attrs, connector("source"))
		maps.Copy(attrs, producing(true))
	case spec.KindSink:
		maps.Copy(attrs, connector("sink"))
		maps.Copy(attrs, consuming())
		maps.Copy(attrs, ordering())
		maps.Copy(attrs, failing())
	case spec.KindTenant, spec.KindNamespace, spec.KindTopic, spec.KindMesh:
	}
	return attrs
}

func code() map[string]schema.Attribute {
	return map[string]schema.Attribute{
		"runtime": runtime(),
		"user_config": schema.StringAttribute{
			Optional:            true,
			CustomType:          jsontypes.NormalizedType{},
			MarkdownDescription: "What the code reads from its context, a JSON object: write it with `jsonencode`.",
		},
		"forward_source_message_property": schema.BoolAttribute{
			Optional:            true,
			MarkdownDescription: "Whether the properties of an input message are copied to the outputs it causes. Defaults to `true`.",
		},
	}
}

func connector(kind string) map[string]schema.Attribute {
	return map[string]schema.Attribute{
		"builtin": schema.StringAttribute{
			Optional:            true,
			MarkdownDescription: "The name of a built-in connector that can be a " + kind + ".",
		},
		"config": schema.StringAttribute{
			Optional:            true,
			CustomType:          jsontypes.NormalizedType{},
			MarkdownDescription: "The connector's own settings, a JSON object: write it with `jsonencode`.",
		},
	}
}

func runtime() schema.Attribute {
	return schema.SingleNestedAttribute{
		Optional:            true,
		MarkdownDescription: "How the function's code is run. Exactly one of the runtimes is set.",
		Attributes: map[string]schema.Attribute{
			"go":     source("A Go program built with the Go SDK, run as a process.", ""),
			"wasm":   source("A WebAssembly module that exports the batch interface, run inside a sandbox.", ""),
			"python": source("A Python file, zip or wheel, run as a process.", "The entry point, `module.Class` or `module.function`."),
			"java":   source("A Java archive.", "The fully qualified name of the function's class."),
		},
	}
}

// source describes one way to run code. entry documents its entry point; code that
// has a single one leaves it empty.
func source(doc, entry string) schema.Attribute {
	attrs := map[string]schema.Attribute{
		"file": schema.StringAttribute{
			Optional: true,
			MarkdownDescription: "A path on the machine that runs Terraform. Its content is uploaded, and an edit of the file is a change. " +
				"It conflicts with `url`.",
		},
		"url": schema.StringAttribute{
			Optional:            true,
			MarkdownDescription: "Where the platform finds the code, `function://tenant/namespace/name@version` or `https://…`.",
		},
		"sha256": schema.StringAttribute{
			Computed:            true,
			MarkdownDescription: "The SHA-256 digest of the code, in hexadecimal. It is planned from the content of `file`.",
		},
	}
	if entry != "" {
		attrs["class"] = schema.StringAttribute{Optional: true, MarkdownDescription: entry}
	}
	return schema.SingleNestedAttribute{Optional: true, MarkdownDescription: doc, Attributes: attrs}
}

func consuming() map[string]schema.Attribute {
	return map[string]schema.Attribute{
		"inputs": schema.MapNestedAttribute{
			Optional: true,
			MarkdownDescription: "The topics to read from, keyed by topic: `orders`, or `persistent://tenant/namespace/orders`. " +
				"A short name is relative to the tenant and namespace of the component.",
			NestedObject: schema.NestedAttributeObject{Attributes: input()},
		},
		"topics_pattern": schema.StringAttribute{
			Optional:            true,
			MarkdownDescription: "A regular expression: every topic whose full name it matches is read.",
		},
		"subscription": schema.SingleNestedAttribute{
			Optional:            true,
			MarkdownDescription: "The name and the start of the cursor on the inputs.",
			Attributes: map[string]schema.Attribute{
				"name": schema.StringAttribute{
					Optional:            true,
					MarkdownDescription: "The name of the subscription. Defaults to `tenant/namespace/name`.",
				},
				"position": schema.StringAttribute{
					Optional:            true,
					Validators:          []validator.String{stringvalidator.OneOf(string(spec.Latest), string(spec.Earliest))},
					MarkdownDescription: "Where a new subscription starts, `latest` or `earliest`. Defaults to `latest`.",
				},
			},
		},
		"cleanup_subscription": schema.BoolAttribute{
			Optional: true,
			MarkdownDescription: "Whether the subscription, and with it the backlog, goes when the component is deleted. " +
				"Defaults to `false`.",
		},
	}
}

func input() map[string]schema.Attribute {
	return map[string]schema.Attribute{
		"schema": schema.StringAttribute{
			Optional: true,
			MarkdownDescription: "The type of the messages: `bytes`, `string` or `json`. " +
				"A Python function is given bytes, text or the parsed document; unset, it is given numbers as numbers and other text as text. " +
				"On the embedded platform only Python functions take `string` and `json`.",
		},
		"serde_class": schema.StringAttribute{
			Optional:            true,
			MarkdownDescription: "The class that decodes messages, for a Java or Python function.",
		},
		"regex": schema.BoolAttribute{
			Optional:            true,
			MarkdownDescription: "Whether the key is a regular expression that matches topics. Defaults to `false`.",
		},
		"receiver_queue_size": schema.Int64Attribute{
			Optional:   true,
			Validators: []validator.Int64{int64validator.AtLeast(0)},
			MarkdownDescription: "How many messages the consumer fetches at once. " +
				"Pulsar reads them ahead; the embedded platform fetches so many with one request and reads nothing ahead.",
		},
		"extra": extra("`ConsumerConfig`"),
	}
}

func producing(required bool) map[string]schema.Attribute {
	return map[string]schema.Attribute{
		"output": schema.SingleNestedAttribute{
			Required:            required,
			Optional:            !required,
			MarkdownDescription: "Where results are published.",
			Attributes: map[string]schema.Attribute{
				"topic": schema.StringAttribute{
					Optional:            true,
					MarkdownDescription: "The topic to publish to, short or full.",
				},
				"schema": schema.StringAttribute{
					Optional: true,
					MarkdownDescription: "The type of the messages: `bytes`, `string` or `json`. " +
						"A Python function returns bytes, text or what becomes a JSON document; unset, it returns bytes, text or numbers. " +
						"On the embedded platform only Python functions take `string` and `json`.",
				},
				"serde_class": schema.StringAttribute{
					Optional:            true,
					MarkdownDescription: "The class that encodes messages, for a Java or Python function.",
				},
				"producer": schema.SingleNestedAttribute{
					Optional:            true,
					MarkdownDescription: "Settings of the producer.",
					Attributes: map[string]schema.Attribute{
						"compression": schema.StringAttribute{
							Optional:            true,
							MarkdownDescription: "The compression of message batches: `none`, `lz4`, `zlib`, `zstd` or `snappy`.",
						},
						"max_pending_messages": schema.Int64Attribute{
							Optional:            true,
							Validators:          []validator.Int64{int64validator.AtLeast(1)},
							MarkdownDescription: "How many messages may wait for their receipt.",
						},
						"extra": extra("`ProducerConfig`"),
					},
				},
			},
		},
	}
}

// extra keeps settings of Pulsar's REST models that have no word of their own.
func extra(model string) schema.Attribute {
	return schema.MapAttribute{
		Optional:    true,
		ElementType: jsontypes.NormalizedType{},
		MarkdownDescription: "Settings of Pulsar's " + model + " that have no attribute here, each as a JSON text under Pulsar's own name. " +
			"A platform that cannot honour one refuses it.",
	}
}

func secrets() schema.Attribute {
	return schema.MapNestedAttribute{
		Optional:            true,
		MarkdownDescription: "References to secrets, keyed by the name that the code asks for. Values never reach the plan or the state.",
		NestedObject: schema.NestedAttributeObject{Attributes: map[string]schema.Attribute{
			"name": schema.StringAttribute{
				Required:            true,
				MarkdownDescription: "The name of the secret, as in `functionmesh local secret set NAME KEY`.",
			},
			"key": schema.StringAttribute{
				Required:            true,
				MarkdownDescription: "The key of the value inside the secret.",
			},
		}},
	}
}
