package pulsarform

import (
	"regexp"
	"slices"
	"strings"

	"github.com/functionmesh/terraform-provider-functionmesh/internal/spec"
)

// PathOf is where Pulsar's configuration of a kind has what spec has at p, as far as it
// has it: for errors about a file in Pulsar's form.
func PathOf(kind spec.Kind, p spec.Path) spec.Path {
	steps, err := spec.ParsePath(p)
	if err != nil {
		return p
	}
	if len(steps) > 2 && steps[0].Name == "inputs" {
		steps[0].Name = "inputSpecs" // the other spellings of an input say less of it
	}
	out, n := renamed(kind, steps)
	for ; n < len(steps); n++ {
		step := steps[n]
		switch {
		case step.Name == "extra" && !step.Key && n+1 < len(steps):
			n++ // what is extra in spec stands beside the rest in Pulsar's models
			step = spec.Step{Name: steps[n].Name}
		case !step.Key:
			step.Name = camel(step.Name)
		}
		out = append(out, step)
	}
	return spec.JoinPath(out)
}

// InWords is a problem of a component as a reader of Pulsar's configuration knows it: its
// path, and the settings and guarantees that its text names.
func InWords(kind spec.Kind, p spec.Problem) spec.Problem {
	p.Path = PathOf(kind, p.Path)
	p.Message, p.Hint = inWords(kind, p.Message), inWords(kind, p.Hint)
	return p
}

var snakeCase = regexp.MustCompile(`[a-z]+(_[a-z]+)+`) //nolint:gochecknoglobals // a constant

func inWords(kind spec.Kind, text string) string {
	return snakeCase.ReplaceAllStringFunc(text, func(word string) string {
		if slices.Contains([]spec.Guarantee{spec.AtLeastOnce, spec.AtMostOnce, spec.EffectivelyOnce}, spec.Guarantee(word)) {
			return strings.ToUpper(word)
		}
		if slices.ContainsFunc(spec.Matrix(), func(r spec.Row) bool { return r.Setting == spec.Path(word) }) {
			return string(PathOf(kind, spec.Path(word)))
		}
		return word
	})
}

// renamed is the place of the longest part of a path that has another name, and how many
// steps that is.
func renamed(kind spec.Kind, steps []spec.Step) (to []spec.Step, n int) {
	for n := len(steps); n > 0; n-- {
		keys, pattern := keysOf(steps[:n])
		words, ok := pulsarWords(kind, pattern)
		if !ok {
			continue
		}
		for word := range strings.SplitSeq(words, ".") {
			if word == "*" {
				to, keys = append(to, keys[0]), keys[1:]
			} else {
				to = append(to, spec.Step{Name: word})
			}
		}
		return to, n
	}
	return nil, 0
}

// keysOf splits steps into their keys and their pattern, which has a * for each.
func keysOf(steps []spec.Step) (keys []spec.Step, pattern string) {
	names := make([]string, len(steps))
	for i, step := range steps {
		if names[i] = step.Name; step.Key {
			keys, names[i] = append(keys, step), "*"
		}
	}
	return keys, strings.Join(names, ".")
}

func camel(snake string) string {
	words := strings.Split(snake, "_")
	for i, word := range words[1:] {
		if word != "" {
			words[i+1] = strings.ToUpper(word[:1]) + word[1:]
		}
	}
	return strings.Join(words, "")
}

// pulsarWords is the name of what is not only spelled otherwise.
func pulsarWords(kind spec.Kind, pattern string) (words string, ok bool) {
	words, ok = map[spec.Kind]map[string]string{
		spec.KindSource: {"output": "topicName", "output.topic": "topicName", "output.schema": "schemaType", "output.serde_class": "serdeClassName"},
		spec.KindSink: {
			"subscription": "sourceSubscriptionName", "subscription.name": "sourceSubscriptionName",
			"subscription.position": "sourceSubscriptionPosition",
		},
	}[kind][pattern]
	if ok {
		return words, ok
	}
	words, ok = map[string]string{
		"inputSpecs.*.schema": "inputSpecs.*.schemaType", "inputSpecs.*.serde_class": "inputSpecs.*.serdeClassName",
		"inputSpecs.*.regex": "inputSpecs.*.regexPattern", "secrets.*.name": "secrets.*.path",
		"output.topic": "output", "output.schema": "outputSchemaType", "output.serde_class": "outputSerdeClassName",
		"output.producer": "producerConfig", "output.producer.compression": "producerConfig.compressionType",
		"output.producer.batching":                      "producerConfig.batchingConfig",
		"output.producer.batching.max_publish_delay_ms": "producerConfig.batchingConfig.batchingMaxPublishDelayMs",
		"output.producer.batching.max_messages":         "producerConfig.batchingConfig.batchingMaxMessages",
		"output.producer.batching.max_bytes":            "producerConfig.batchingConfig.batchingMaxBytes",
		"output.producer.batching.builder":              "producerConfig.batchBuilder",
		"subscription":                                  "subName", "subscription.name": "subName", "subscription.position": "subscriptionPosition",
		"resources.memory": "resources.ram", "config": "configs", "builtin": "archive",
		"runtime.go": "go", "runtime.go.file": "go", "runtime.go.url": "go", "runtime.go.class": "className",
		"runtime.java": "jar", "runtime.java.file": "jar", "runtime.java.url": "jar", "runtime.java.class": "className",
		"runtime.python": "py", "runtime.python.file": "py", "runtime.python.url": "py", "runtime.python.class": "className",
	}[pattern]
	return words, ok
}
