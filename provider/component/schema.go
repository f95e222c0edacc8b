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
			"python": source("A Python file, zip or wheel, run as a process.", "The entry point: `module.Class`, `module.function`, or `module` for its function `process`."),
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
			MarkdownDescription: "The name, the start and the kind of the cursor on the inputs.",
			Attributes: map[string]schema.Attribute{
				"name": schema.StringAttribute{
					Optional:            true,
					MarkdownDescription: "The name of the subscription. Defaults to `tenant/namespace/name`.",
				},
				"type": schema.StringAttribute{
					Optional: true,
					MarkdownDescription: "How the instances share the messages: `shared` without order, `failover` with each partition read by one instance, " +
						"`key_shared` with each key read by one instance, `exclusive` with one instance only. " +
						"Unset, it follows from `retain_ordering`, `retain_key_ordering` and `effectively_once`, and is `shared` without them.",
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
		"skip_to_latest": schema.BoolAttribute{
			Optional: true,
			MarkdownDescription: "Whether an instance passes over what waits whenever it starts. What is passed over is not processed. " +
				"Defaults to `false`.",
		},
	}
}

func input() map[string]schema.Attribute {
	return map[string]schema.Attribute{
		"connection": connection("holds the topic"),
		"schema": schema.StringAttribute{
			Optional: true,
			MarkdownDescription: "The type of the messages: `bytes`, `string` or `json`. " +
				"A Python function is given bytes, text or the parsed document; unset, it is given numbers as numbers and other text as text. " +
				"Our own runner takes `string` and `json` for Python functions only.",
		},
		"serde_class": schema.StringAttribute{
			Optional:            true,
			MarkdownDescription: "The class that decodes messages, for a Java or Python function.",
		},
		"regex": schema.BoolAttribute{
			Optional:            true,
			MarkdownDescription: "Whether the key is a regular expression that matches topics, Pulsar's `isRegexPattern`. Defaults to `false`.",
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
				"connection": connection("holds the topic"),
				"topic": schema.StringAttribute{
					Optional:            true,
					MarkdownDescription: "The topic to publish to, short or full.",
				},
				"schema": schema.StringAttribute{
					Optional: true,
					MarkdownDescription: "The type of the messages: `bytes`, `string` or `json`. " +
						"A Python function returns bytes, text or what becomes a JSON document; unset, it returns bytes, text or numbers. " +
						"Our own runner takes `string` and `json` for Python functions only.",
				},
				"serde_class": schema.StringAttribute{
					Optional:            true,
					MarkdownDescription: "The class that encodes messages, for a Java or Python function.",
				},
				"producer": producer(),
			},
		},
	}
}

func producer() schema.Attribute {
	return schema.SingleNestedAttribute{
		Optional:            true,
		MarkdownDescription: "Settings of the producer. On a Pulsar messages are batched and compressed with `lz4` unless they say otherwise.",
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
			"batching": schema.SingleNestedAttribute{
				Optional: true,
				MarkdownDescription: "How messages of several inputs are put together. " +
					"What one input batch causes is stored together and never waits for another.",
				Attributes: batching(),
			},
			"extra": extra("`ProducerConfig`"),
		},
	}
}

func batching() map[string]schema.Attribute {
	return map[string]schema.Attribute{
		"enabled": schema.BoolAttribute{
			Optional:            true,
			MarkdownDescription: "Whether messages are batched. Defaults to `true`.",
		},
		"max_publish_delay_ms": schema.Int64Attribute{
			Optional:            true,
			MarkdownDescription: "How long a message may wait for others, in milliseconds. Pulsar's default is 10.",
		},
		"max_messages": schema.Int64Attribute{
			Optional:            true,
			MarkdownDescription: "How many messages a batch holds at most. Pulsar's default is 1000.",
		},
		"max_bytes": schema.Int64Attribute{
			Optional:            true,
			MarkdownDescription: "How many bytes a batch holds at most. Pulsar's default is 131072.",
		},
		"builder": schema.StringAttribute{
			Optional: true,
			MarkdownDescription: "How messages are grouped: `default` in their order, or `key_based` with one key in each batch, " +
				"which a `key_shared` subscription needs to spread them. Function workers know it in any release, the bounds since Pulsar 4.1.",
		},
	}
}

// connection names the cluster of a topic.
func connection(does string) schema.Attribute {
	return schema.StringAttribute{
		Optional: true,
		MarkdownDescription: "The cluster that " + does + ", by its name in `connections` of the provider. " +
			"Unset, it is the provider's own `pulsar`. It needs `local` beside `pulsar`.",
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
			// Both are needed. Optional lets validation say so, and say our word to whoever
			// writes Pulsar's, which Terraform drops without a word.
			"name": schema.StringAttribute{
				Optional:            true,
				MarkdownDescription: "Required. The name of the secret, as in `functionmesh local secret set NAME KEY`.",
			},
			"key": schema.StringAttribute{
				Optional:            true,
				MarkdownDescription: "Required. The key of the value inside the secret.",
			},
		}},
	}
}
