package wire

import (
	"encoding/json"
	"strings"

	"github.com/functionmesh/terraform-provider-functionmesh/internal/spec"
)

// Version 1 differs from version 2 in three places: a source reads at most one topic,
// source.input; delivery.max_retries is called delivery.retries; there are no limits.

// upgrade rewrites a document of version 1 as one of version 2. What only version 2
// knows is refused, as it would have been by a reader of version 1.
func upgrade(fields map[string]any) ([]byte, []spec.Problem) {
	var problems []spec.Problem
	refuse := func(object map[string]any, name string, path spec.Path) {
		if _, ok := object[name]; ok {
			problems = append(problems, spec.Problem{Path: path, Severity: spec.SeverityError, Message: "There is no such field in version 1."})
		}
	}
	source, _ := fields["source"].(map[string]any)
	delivery, _ := fields["delivery"].(map[string]any)
	refuse(fields, "limits", "limits")
	refuse(source, "inputs", "source.inputs")
	refuse(delivery, "max_retries", "delivery.max_retries")
	if len(problems) > 0 {
		return nil, problems
	}
	fields["version"] = Version
	fields["limits"] = DefaultLimits()
	if input, ok := source["input"]; ok {
		source["inputs"] = []any{input}
		delete(source, "input")
	}
	if retries, ok := delivery["retries"]; ok {
		delivery["max_retries"] = retries
		delete(delivery, "retries")
	}
	data, err := json.Marshal(fields)
	if err != nil {
		return nil, []spec.Problem{{Severity: spec.SeverityError, Message: err.Error()}}
	}
	return data, nil
}

// asWritten turns the paths of problems back into those of the version that was read.
func asWritten(version int, problems []spec.Problem) []spec.Problem {
	if version == Version {
		return problems
	}
	names := strings.NewReplacer("source.inputs[0]", "source.input", "delivery.max_retries", "delivery.retries")
	for i, p := range problems {
		problems[i].Path = spec.Path(names.Replace(string(p.Path)))
	}
	return problems
}
