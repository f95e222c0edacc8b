package provider_test

import (
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/hashicorp/terraform-plugin-go/tfprotov6"
)

// R8: with streams on a Pulsar and instances here, what cannot be kept is said while
// planning, all of it at once, each with its path and a way out.
func TestR8SettingsAreCheckedWhilePlanning(t *testing.T) {
	noPulsarVariables(t)
	both := object{"local": object{}, "pulsar": object{"service_url": "pulsar://a:6650", "admin_url": "http://a:8080"}}
	produces := func(o object) object { return object{"output": object{"topic": "o", "producer": o}} }
	input := func(topic string, o object) object { return object{"inputs": object{topic: o}} }
	cases := map[string]struct {
		change object
		want   []string
	}{
		"Plain":           {object{}, nil},
		"Guarantee":       {object{"processing_guarantees": "effectively_once", "max_message_retries": int64(3), "dead_letter_topic": "dead"}, nil},
		"Manual":          {object{"processing_guarantees": "manual", "auto_ack": false}, nil},
		"Types":           {object{"subscription": object{"type": "exclusive", "position": "earliest"}, "skip_to_latest": true}, nil},
		"Batching":        {produces(object{"compression": "snappy", "batching": object{"max_messages": int64(5), "builder": "key_based"}}), nil},
		"LogAndPath":      {object{"log_topic": "logs", "data_path": "compatible", "negative_ack_redelivery_delay_ms": int64(5)}, nil},
		"Regex":           {input("orders-.*", object{"regex": true}), nil},
		"RegexAndName":    {object{"inputs": object{"orders-.*": object{"regex": true}, "orders": object{}}}, []string{`inputs["orders-.*"].regex`}},
		"PatternAndName":  {object{"topics_pattern": "a.*"}, []string{"topics_pattern"}},
		"DeadLetterAlone": {object{"dead_letter_topic": "dead"}, []string{"dead_letter_topic"}},
		"OnceShared":      {object{"processing_guarantees": "effectively_once", "subscription": object{"type": "shared"}}, []string{"subscription.type"}},
		"OnceByKey":       {object{"processing_guarantees": "effectively_once", "retain_key_ordering": true}, []string{"retain_key_ordering"}},
		"OnceCompatible":  {object{"processing_guarantees": "effectively_once", "data_path": "compatible"}, []string{"data_path"}},
		"OnceByRegex":     {with(input("a.*", object{"regex": true}), object{"processing_guarantees": "effectively_once"}), []string{`inputs["a.*"].regex`}},
		"Compression":     {produces(object{"compression": "gzip"}), []string{"output.producer.compression"}},
		"BothOrders":      {object{"retain_ordering": true, "retain_key_ordering": true}, []string{"retain_key_ordering"}},
		"TypeAndOrder":    {object{"retain_ordering": true, "subscription": object{"type": "key_shared"}}, []string{"subscription.type"}},
		"ManyExclusive":   {object{"parallelism": int64(2), "subscription": object{"type": "exclusive"}}, []string{"subscription.type"}},
		"AutoAckAlone":    {object{"auto_ack": false}, []string{"auto_ack"}},
		"AutoAckManual":   {object{"auto_ack": true, "processing_guarantees": "manual"}, []string{"auto_ack"}},
		"Delay":           {object{"negative_ack_redelivery_delay_ms": int64(-5)}, []string{"negative_ack_redelivery_delay_ms"}},
		"Path":            {object{"data_path": "fast"}, []string{"data_path"}},
		"Type":            {object{"subscription": object{"type": "single"}}, []string{"subscription.type"}},
		"Connection":      {input("orders", object{"connection": "e u"}), []string{`inputs["orders"].connection`}},
		"Window":          {object{"extra": object{"windowConfig": `{"windowLengthCount":5}`}}, []string{`extra["windowConfig"]`}},
		"Properties":      {input("orders", object{"extra": object{"consumerProperties": `{"priorityLevel":"1"}`}}), []string{`inputs["orders"].extra["consumerProperties"].priorityLevel`}},
		"BatchBounds": {
			produces(object{"batching": object{"max_publish_delay_ms": int64(0), "max_messages": int64(-1), "max_bytes": int64(0), "builder": "x"}}),
			[]string{
				"output.producer.batching.builder", "output.producer.batching.max_bytes",
				"output.producer.batching.max_messages", "output.producer.batching.max_publish_delay_ms",
			},
		},
		"AllAtOnce": {
			object{"retain_ordering": true, "retain_key_ordering": true, "dead_letter_topic": "dead", "data_path": "fast", "resources": object{"cpu": "1"}},
			[]string{"data_path", "dead_letter_topic", "resources.cpu", "retain_key_ordering"},
		},
	}
	for name, tc := range cases {
		t.Run(name, func(t *testing.T) {
			p := newPlatform("one")
			c := newCore(t, p, "functionmesh_function", both)
			config := with(enrichConfig(t), tc.change)
			diags := c.validate(config)
			if !failed(diags) || name == "AllAtOnce" {
				c.plan(config)
				diags = append(diags, c.diags...)
			}
			if diff := cmp.Diff(tc.want, refusedAt(diags)); diff != "" {
				t.Errorf("paths (-want +got):\n%s\n%s", diff, printed(diags))
			}
			if p.opened.Load() > 0 {
				t.Error("the platform was asked")
			}
		})
	}
}

// refusedAt lists the paths that errors speak of, each once.
func refusedAt(diags []*tfprotov6.Diagnostic) []string {
	var paths []string
	for _, d := range diags {
		path, _, _ := strings.Cut(d.Detail, ": ")
		if d.Severity == tfprotov6.DiagnosticSeverityError {
			paths = append(paths, path)
		}
	}
	slices.Sort(paths)
	return slices.Compact(paths)
}
