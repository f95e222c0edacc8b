package component

import (
	"github.com/hashicorp/terraform-plugin-framework-validators/int64validator"
	"github.com/hashicorp/terraform-plugin-framework-validators/stringvalidator"
	"github.com/hashicorp/terraform-plugin-framework/resource/schema"
	"github.com/hashicorp/terraform-plugin-framework/schema/validator"

	"github.com/functionmesh/terraform-provider-functionmesh/internal/spec"
)

// running are the settings of every component: how many instances, with what.
func running() map[string]schema.Attribute {
	return map[string]schema.Attribute{
		"processing_guarantees": schema.StringAttribute{
			Optional: true,
			Validators: []validator.String{stringvalidator.OneOf(
				string(spec.AtLeastOnce), string(spec.AtMostOnce), string(spec.EffectivelyOnce), string(spec.Manual))},
			MarkdownDescription: "What happens to a message when an instance dies: `atleast_once`, `atmost_once`, `effectively_once` or `manual`, " +
				"where the code acknowledges messages itself. `effectively_once` needs deduplication on the output's namespace. " +
				"Defaults to `atleast_once`.",
		},
		"parallelism": schema.Int64Attribute{
			Optional:            true,
			MarkdownDescription: "How many instances run. Defaults to `1`.",
		},
		"state": schema.StringAttribute{
			Optional:   true,
			Validators: []validator.String{stringvalidator.OneOf(string(spec.StateRunning), string(spec.StateStopped))},
			MarkdownDescription: "Whether the instances run: `running` or `stopped`. " +
				"Leave it out to stop and start the component outside Terraform.",
		},
		"log_topic": schema.StringAttribute{
			Optional:            true,
			MarkdownDescription: "A topic that receives what the component's code logs, beside the instance's own log. It is on the provider's own platform.",
		},
		"data_path": schema.StringAttribute{
			Optional: true,
			MarkdownDescription: "How our runner talks to a Pulsar: `entry` moves whole batches and is the fast way, `compatible` is Pulsar's own client, " +
				"which some settings need. Unset, it is chosen; the status shows the choice and its reason.",
		},
		"secrets": secrets(),
		"resources": schema.SingleNestedAttribute{
			Optional:            true,
			MarkdownDescription: "What one instance may use, in the spelling of Kubernetes.",
			Attributes: map[string]schema.Attribute{
				"cpu": schema.StringAttribute{
					Optional:            true,
					MarkdownDescription: "Processor time, for example `500m` or `2`.",
				},
				"memory": schema.StringAttribute{
					Optional: true,
					MarkdownDescription: "Memory, for example `256Mi`. " +
						"With our own runner it limits the memory of a WebAssembly module and is refused for other runtimes.",
				},
				"disk": schema.StringAttribute{
					Optional:            true,
					MarkdownDescription: "Disk space, for example `1Gi`.",
				},
			},
		},
		"extra": extra("`FunctionConfig`, `SourceConfig` or `SinkConfig`"),
	}
}

// ordering are the settings of the order in which inputs are processed.
func ordering() map[string]schema.Attribute {
	return map[string]schema.Attribute{
		"retain_ordering": schema.BoolAttribute{
			Optional: true,
			MarkdownDescription: "Whether the messages of one partition are processed in order, one lane per partition. " +
				"Defaults to `false`.",
		},
		"retain_key_ordering": schema.BoolAttribute{
			Optional:            true,
			MarkdownDescription: "Whether the messages of one key are processed in order. Defaults to `false`.",
		},
		"auto_ack": schema.BoolAttribute{
			Optional: true,
			MarkdownDescription: "Pulsar's older word for who acknowledges a message: `false` goes with `processing_guarantees = \"manual\"` only. " +
				"Defaults to `true` without it.",
		},
	}
}

// failing are the settings of what happens when user code fails or does not return.
func failing() map[string]schema.Attribute {
	return map[string]schema.Attribute{
		"max_message_retries": schema.Int64Attribute{
			Optional:   true,
			Validators: []validator.Int64{int64validator.AtLeast(0)},
			MarkdownDescription: "How often a message whose processing failed is tried again before it is dead-lettered. " +
				"Unset means three times with our own runner, and for ever on Pulsar's workers.",
		},
		"dead_letter_topic": schema.StringAttribute{
			Optional: true,
			MarkdownDescription: "Where messages go that failed too often. " +
				"Defaults to a topic named after the first input and the subscription, with `-DLQ` at its end. " +
				"On a Pulsar it needs `max_message_retries`.",
		},
		"negative_ack_redelivery_delay_ms": schema.Int64Attribute{
			Optional: true,
			MarkdownDescription: "How long a message whose processing failed waits for its next attempt, in milliseconds. " +
				"Unset, our own runner waits 100 ms and doubles it up to 10 s.",
		},
		"timeout_ms": schema.Int64Attribute{
			Optional:   true,
			Validators: []validator.Int64{int64validator.AtLeast(0)},
			MarkdownDescription: "The limit of one call of user code, in milliseconds. " +
				"Unset or 0 means none: code that does not return then holds its messages until the instance is restarted, " +
				"and the status tells of the call after a minute. " +
				"A WASM module that can be interrupted runs several times slower, so set it where code may loop.",
		},
	}
}
