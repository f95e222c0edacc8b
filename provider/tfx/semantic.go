package tfx

import (
	"reflect"
	"strings"

	"github.com/functionmesh/terraform-provider-functionmesh/internal/spec"
)

// semantic is what a text means beyond its letters.
type semantic int

const (
	plain    semantic = iota
	topic             // a topic name: orders is persistent://public/default/orders
	jsonText          // a JSON document
	quantity          // an amount: 1Gi is 1024Mi
	count             // a number whose zero says the same as nothing
)

// field is one attribute: its JSON name, where it sits in the struct and its meaning.
type field struct {
	name  string
	index int
	sem   semantic
}

// fieldsOf lists the fields of a spec struct that JSON, and so HCL, has words for.
func fieldsOf(t reflect.Type) []field {
	fields := make([]field, 0, t.NumField())
	for i := range t.NumField() {
		name, _, _ := strings.Cut(t.Field(i).Tag.Get("json"), ",")
		if name == "" || name == "-" {
			continue
		}
		fields = append(fields, field{name: name, index: i, sem: semanticOf(t, t.Field(i).Type, name)})
	}
	return fields
}

func semanticOf(owner, t reflect.Type, name string) semantic {
	switch t {
	case reflect.TypeFor[spec.JSON]():
		return jsonText
	case reflect.TypeFor[spec.Quantity]():
		return quantity
	}
	switch owner {
	case reflect.TypeFor[spec.Output]():
		if name == "topic" {
			return topic
		}
	case reflect.TypeFor[spec.Topic]():
		if name == "partitions" {
			return count
		}
	case reflect.TypeFor[spec.Component]():
		if name == "dead_letter_topic" || name == "log_topic" {
			return topic
		}
	}
	return plain
}

// elementSemantic is the meaning of a map's values.
func elementSemantic(t reflect.Type) semantic { return semanticOf(nil, t.Elem(), "") }

// keySemantic is the meaning of a map's keys: inputs are keyed by topic.
func keySemantic(t reflect.Type) semantic {
	if t.Elem() == reflect.TypeFor[spec.Input]() {
		return topic
	}
	return plain
}

// place is what short topic names are relative to.
type place struct{ tenant, namespace string }

// canonical is the one spelling of everything that means the same as text.
func (p place) canonical(sem semantic, text string) string {
	switch sem {
	case topic:
		if name, err := spec.ParseTopic(text, p.tenant, p.namespace); err == nil {
			return name.String()
		}
	case jsonText:
		if doc, err := spec.ParseJSON([]byte(text)); err == nil {
			return doc.Canonical()
		}
	case quantity:
		return spec.Quantity(text).Canonical()
	case plain, count:
	}
	return text
}

// shortest is the spelling that import writes.
func (p place) shortest(sem semantic, text string) string {
	if sem != topic {
		return text
	}
	name, err := spec.ParseTopic(text, p.tenant, p.namespace)
	if err != nil {
		return text
	}
	return name.Short(p.tenant, p.namespace)
}
