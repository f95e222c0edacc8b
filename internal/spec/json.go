package spec

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"math/big"
	"strings"
	"unicode/utf8"
)

// ErrJSON is wrapped by every error of ParseJSON.
var ErrJSON = errors.New("not a JSON document")

// maxDepth bounds the nesting of documents, and with it the stack of whoever walks one.
const maxDepth = 200

// ParseJSON normalises one JSON document: sorted keys, no spaces, numbers digit by digit
// as they were, so that large integers survive. A repeated key is an error rather than
// a silent choice. `null` is unset.
func ParseJSON(data []byte) (JSON, error) {
	v, err := decodeDocument(data)
	if err != nil {
		return "", err
	}
	return encodeDocument(v), nil
}

// MarshalJSON writes the document itself, not a string that holds it.
func (j JSON) MarshalJSON() ([]byte, error) {
	switch {
	case j == "":
		return []byte("null"), nil
	case json.Valid([]byte(j)):
		return []byte(j), nil
	default:
		return json.Marshal(string(j))
	}
}

// UnmarshalJSON reads any document and normalises it.
func (j *JSON) UnmarshalJSON(data []byte) error {
	parsed, err := ParseJSON(data)
	if err != nil {
		return err
	}
	*j = parsed
	return nil
}

// Canonical is equal for equal documents, whatever the spaces, the order of keys and
// the spelling of numbers (1, 1.0 and 1e0). Text that is no JSON is its own canonical
// form.
func (j JSON) Canonical() string {
	v, err := decodeDocument([]byte(j))
	if err != nil {
		return string(j)
	}
	return string(encodeDocument(canonicalNumbers(v)))
}

// Object decodes a JSON object with its numbers as json.Number. Unset is an object
// without entries.
func (j JSON) Object() (map[string]any, error) {
	if j == "" {
		return map[string]any{}, nil
	}
	v, err := decodeDocument([]byte(j))
	if err != nil {
		return nil, err
	}
	object, ok := v.(map[string]any)
	if !ok {
		return nil, fmt.Errorf("%w that is an object, but %s", ErrJSON, jsonType(v))
	}
	return object, nil
}

// normal is the normal text where there is one.
func (j JSON) normal() JSON {
	parsed, err := ParseJSON([]byte(j))
	if err != nil {
		return j
	}
	return parsed
}

// unwrapped turns a document that is a string holding an object into that object, which
// is how HCL's jsonencode and quoted YAML arrive.
func (j JSON) unwrapped() JSON {
	var text string
	if json.Unmarshal([]byte(j), &text) != nil {
		return j
	}
	inner := JSON(text).normal()
	if _, err := inner.Object(); err != nil || inner == "" {
		return j
	}
	return inner
}

func decodeDocument(data []byte) (any, error) {
	if !utf8.Valid(data) {
		return nil, fmt.Errorf("%w: not UTF-8", ErrJSON)
	}
	var whole json.RawMessage
	if err := json.Unmarshal(data, &whole); err != nil {
		return nil, fmt.Errorf("%w: %w", ErrJSON, err)
	}
	decoder := json.NewDecoder(bytes.NewReader(data))
	decoder.UseNumber()
	v, err := decodeValue(decoder, "", 0)
	if err != nil {
		return nil, fmt.Errorf("%w: %w", ErrJSON, err)
	}
	return v, nil
}

// decodeValue reads one value of a document known to be well-formed.
func decodeValue(d *json.Decoder, path Path, depth int) (any, error) {
	if depth > maxDepth {
		return nil, fmt.Errorf("%s: nested more than %d deep", path, maxDepth)
	}
	token, err := d.Token()
	if err != nil {
		return nil, err
	}
	switch token {
	case json.Delim('{'):
		return decodeObject(d, path, depth)
	case json.Delim('['):
		return decodeList(d, path, depth)
	default:
		return token, nil
	}
}

func decodeObject(d *json.Decoder, path Path, depth int) (any, error) {
	object := map[string]any{}
	for d.More() {
		token, err := d.Token()
		if err != nil {
			return nil, err
		}
		key, _ := token.(string) // a well-formed object has string keys
		at := path.entry(key)
		if _, ok := object[key]; ok {
			return nil, fmt.Errorf("%s is there twice", at)
		}
		if object[key], err = decodeValue(d, at, depth+1); err != nil {
			return nil, err
		}
	}
	_, err := d.Token()
	return object, err
}

func decodeList(d *json.Decoder, path Path, depth int) (any, error) {
	list := []any{}
	for d.More() {
		v, err := decodeValue(d, path.Index(len(list)), depth+1)
		if err != nil {
			return nil, err
		}
		list = append(list, v)
	}
	_, err := d.Token()
	return list, err
}

// encodeDocument never fails: v came out of decodeDocument.
func encodeDocument(v any) JSON {
	if v == nil {
		return ""
	}
	text, err := json.Marshal(v)
	if err != nil {
		return ""
	}
	return JSON(text)
}

func canonicalNumbers(v any) any {
	switch v := v.(type) {
	case map[string]any:
		for key, value := range v {
			v[key] = canonicalNumbers(value)
		}
	case []any:
		for i, value := range v {
			v[i] = canonicalNumbers(value)
		}
	case json.Number:
		return canonicalNumber(string(v))
	}
	return v
}

// canonicalNumber writes a number as its digits without trailing zeros and a power of
// ten, and as plain digits where that is an integer of reasonable length.
func canonicalNumber(s string) json.Number {
	mantissa, power, _ := strings.Cut(strings.ToLower(s), "e")
	exponent, ok := new(big.Int).SetString(strings.TrimPrefix(or(power, "0"), "+"), 10)
	if !ok {
		return json.Number(s)
	}
	digits, negative := strings.CutPrefix(mantissa, "-")
	whole, fraction, _ := strings.Cut(digits, ".")
	exponent.Sub(exponent, big.NewInt(int64(len(fraction))))
	digits = strings.TrimLeft(whole+fraction, "0")
	trimmed := strings.TrimRight(digits, "0")
	if trimmed == "" {
		return "0"
	}
	exponent.Add(exponent, big.NewInt(int64(len(digits)-len(trimmed))))
	sign := ""
	if negative {
		sign = "-"
	}
	return json.Number(sign + scaled(trimmed, exponent))
}

func scaled(digits string, exponent *big.Int) string {
	const plain = 40 // digits an integer may have to be written out
	if exponent.Sign() >= 0 && exponent.IsInt64() && exponent.Int64() <= plain {
		return digits + strings.Repeat("0", int(exponent.Int64()))
	}
	return digits + "e" + exponent.String()
}

// jsonType names the type of a decoded value in JSON Schema's words.
func jsonType(v any) string {
	switch v := v.(type) {
	case nil:
		return "null"
	case bool:
		return "a boolean"
	case string:
		return "a string"
	case json.Number:
		if isInteger(v) {
			return "an integer"
		}
		return "a number"
	case []any:
		return "a list"
	default:
		return "an object"
	}
}

// isInteger accepts what encoding/json reads into an int64: 5, but neither 5.0 nor 5e3.
func isInteger(n json.Number) bool {
	_, err := n.Int64()
	return err == nil
}
