package wire

import (
	"encoding/json"
	"maps"
	"strings"

	"github.com/functionmesh/terraform-provider-functionmesh/internal/spec"
)

// Version 2 differs from version 3 in what it lacks: everything about a Pulsar, the log
// topic and the control service. All of that may be left out, so that a file of version 2
// is one of version 3 with another number.

// newFields are the fields that version 2 does not know, with [*] for any key or index.
func newFields() []spec.Path {
	return []spec.Path{
		"log_topic", "path", "path_note", "control",
		"brokers[*].admin_url", "brokers[*].token", "brokers[*].token_file", "brokers[*].cert_file", "brokers[*].key_file",
		"brokers[*].insecure", "brokers[*].any_hostname", "brokers[*].listener_name", "brokers[*].oauth2",
		"source.inputs[*].pattern", "source.inputs[*].properties", "source.inputs[*].compacted", "source.inputs[*].crypto",
		"source.subscription.skip_to_latest", "source.subscription.nack_delay_ms",
		"sink.output.producer", "delivery.dead_letter.producer", "delivery.epoch",
	}
}

// upgrade rewrites a document of version 2 as one of version 3. What only version 3
// knows is refused, as it would have been by a reader of version 2.
func upgrade(fields map[string]any) ([]byte, []spec.Problem) {
	var problems []spec.Problem
	for _, field := range newFields() {
		for _, path := range present(fields, "", string(field)) {
			problems = append(problems, spec.Problem{Path: path, Severity: spec.SeverityError, Message: "There is no such field in version 2."})
		}
	}
	if len(problems) > 0 {
		return nil, problems
	}
	fields = maps.Clone(fields)
	fields["version"] = Version
	data, err := json.Marshal(fields)
	if err != nil {
		return nil, []spec.Problem{{Severity: spec.SeverityError, Message: err.Error()}}
	}
	return data, nil
}

// present lists the places of a document, below at, that a pattern names.
func present(document any, at spec.Path, pattern string) []spec.Path {
	if pattern == "" {
		return []spec.Path{at}
	}
	var found []spec.Path
	if below, all := strings.CutPrefix(pattern, "[*]"); all {
		below = strings.TrimPrefix(below, ".")
		switch entries := document.(type) {
		case map[string]any:
			for _, key := range spec.SortedKeys(entries) {
				found = append(found, present(entries[key], at.Key(key), below)...)
			}
		case []any:
			for i, entry := range entries {
				found = append(found, present(entry, at.Index(i), below)...)
			}
		}
		return found
	}
	end := strings.IndexAny(pattern, ".[")
	if end < 0 {
		end = len(pattern)
	}
	object, _ := document.(map[string]any)
	value, ok := object[pattern[:end]]
	if !ok {
		return nil
	}
	return present(value, at.Field(pattern[:end]), strings.TrimPrefix(pattern[end:], "."))
}
