package spec

import (
	"encoding/json"
	"fmt"
	"math"
	"slices"
	"strings"
)

// Connector describes one built-in connector: what it is called and what its config
// may say. The runner implements exactly this table.
type Connector struct {
	Name   string
	Doc    string
	Kinds  []Kind // source, sink or both
	Fields []ConfigField
}

// Types of a config field, in JSON Schema's words.
const (
	TypeString  = "string"
	TypeInteger = "integer"
	TypeNumber  = "number"
)

// ConfigField is one setting of a connector's config object. Numbers are never
// negative, a required string is never empty.
type ConfigField struct {
	Name     string
	Type     string // TypeString, TypeInteger, TypeNumber
	Doc      string
	Required bool
	Default  any      // nil: none
	Values   []string // nil: any
	Max      int64    // of a number; 0: what an int64 holds
	Kinds    []Kind   // nil: all kinds of the connector
}

// Connectors lists the built-in connectors by name.
func Connectors() []Connector {
	return []Connector{fileConnector(), generatorConnector()}
}

// LookupConnector finds a built-in connector.
func LookupConnector(name string) (Connector, bool) {
	all := Connectors()
	i := slices.IndexFunc(all, func(c Connector) bool { return c.Name == name })
	if i < 0 {
		return Connector{}, false
	}
	return all[i], true
}

// FieldsFor lists the fields that the connector knows as a component of a kind.
func (c Connector) FieldsFor(kind Kind) []ConfigField {
	var fields []ConfigField
	for _, f := range c.Fields {
		if f.Kinds == nil || slices.Contains(f.Kinds, kind) {
			fields = append(fields, f)
		}
	}
	return fields
}

func fileConnector() Connector {
	return Connector{
		Name:  "file",
		Doc:   "A file on the machine of the instance, one message per line.",
		Kinds: []Kind{KindSource, KindSink},
		Fields: []ConfigField{
			{
				Name: "path", Type: TypeString, Required: true,
				Doc: "File to read or to append to; on the embedded platform a relative path starts at the directory that the command or Terraform ran in.",
			},
			{
				Name: "format", Type: TypeString, Default: "lines", Values: []string{"lines", "ndjson"},
				Doc: "lines: the bytes of a line. ndjson: one JSON document per line, checked.",
			},
			{
				Name: "mode", Type: TypeString, Default: "tail", Values: []string{"tail", "whole"}, Kinds: []Kind{KindSource},
				Doc: "tail: read the file and wait for more. whole: read it once to its end.",
			},
		},
	}
}

// maxGenerated keeps a made-up message below what a broker takes.
const maxGenerated = 4 << 20

func generatorConnector() Connector {
	return Connector{
		Name:  "generator",
		Doc:   "Made-up messages, numbered from 0.",
		Kinds: []Kind{KindSource},
		Fields: []ConfigField{
			{Name: "count", Type: TypeInteger, Default: int64(0), Doc: "How many messages; 0 is without end."},
			{Name: "rate", Type: TypeNumber, Default: int64(0), Doc: "Messages per second; 0 is as fast as possible."},
			{Name: "size", Type: TypeInteger, Default: int64(0), Max: maxGenerated, Doc: "Pads a message to this many bytes; 0 pads nothing."},
			{Name: "template", Type: TypeString, Default: "{n}", Doc: "Text of a message; {n} is its number."},
		},
	}
}

// check says what is wrong with a value of the config object, or "".
func (field ConfigField) check(value any) string {
	switch value := value.(type) {
	case string:
		if field.Type == TypeString {
			return field.checkText(value)
		}
	case json.Number:
		if field.Type != TypeString {
			return field.checkNumber(value)
		}
	}
	return fmt.Sprintf("It is %s, not %s.", jsonType(value), article(field.Type))
}

func (field ConfigField) checkText(text string) string {
	switch {
	case field.Required && text == "":
		return "It is empty."
	case field.Values != nil && !slices.Contains(field.Values, text):
		return fmt.Sprintf("%q is not known; use %s.", text, orList(field.Values))
	default:
		return ""
	}
}

func (field ConfigField) checkNumber(number json.Number) string {
	switch {
	case strings.HasPrefix(string(canonicalNumber(string(number))), "-"):
		return fmt.Sprintf("%s is negative.", number)
	case field.tooLarge(number):
		return fmt.Sprintf("%s is too large.", number)
	case field.Type == TypeInteger && !isInteger(number):
		return fmt.Sprintf("%s is not an integer in plain digits.", number)
	default:
		return ""
	}
}

func (field ConfigField) tooLarge(n json.Number) bool {
	f, err := n.Float64()
	return err != nil || f >= math.MaxInt64 || field.Max > 0 && f > float64(field.Max)
}

func article(word string) string {
	if strings.HasPrefix(word, "i") {
		return "an " + word
	}
	return "a " + word
}
