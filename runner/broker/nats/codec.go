package nats

import (
	"encoding/base64"
	"errors"
	"fmt"
	"strconv"
	"strings"

	natsio "github.com/nats-io/nats.go"

	"github.com/functionmesh/terraform-provider-functionmesh/internal/wire"
	"github.com/functionmesh/terraform-provider-functionmesh/runner/pipeline"
)

// headerOverhead is the version line and the end of a header block.
const headerOverhead = len("NATS/1.0\r\n") + len("\r\n")

// What is known of a message beside its value is one header: a version, then fields,
// each a separator, a letter and a text. Several headers would cost several times as much
// to write, to send and to read.
const (
	separator     = ';'
	fieldKey      = 'k'
	fieldTime     = 'e' // event time in ms since the epoch, decimal
	fieldNull     = 'n' // the value is nil, not empty
	fieldProperty = 'p' // name=value
	fieldTopic    = 't' // property pipeline.InputTopic
	fieldID       = 'i' // property pipeline.InputID
)

// encoder makes messages that are published. It uses its memory again: what encode
// returns is good until the next call.
type encoder struct {
	msg    natsio.Msg
	header natsio.Header
	values []string
	buf    []byte
	made   texts
	texts  pipeline.Texts
	each   func(name, value string)
}

func newEncoder() *encoder {
	e := &encoder{values: make([]string, 1)}
	e.header = natsio.Header{wire.HeaderFacts: e.values}
	e.each = e.property
	return e
}

// encode addresses nothing: subject and reply are the caller's.
func (e *encoder) encode(m *pipeline.Message) *natsio.Msg {
	e.msg = natsio.Msg{Data: m.Value}
	e.buf = append(e.buf[:0], wire.FactsVersion)
	if m.Key != nil {
		e.field(fieldKey)
		e.buf = appendEscaped(e.buf, m.Key, true)
	}
	if m.EventTime != 0 {
		e.field(fieldTime)
		e.buf = strconv.AppendInt(e.buf, m.EventTime, 10)
	}
	if m.Value == nil {
		e.field(fieldNull)
	}
	m.EachProperty(&e.texts, e.each)
	if len(e.buf) > 1 {
		e.values[0] = e.made.keep(e.buf)
		e.msg.Header = e.header
	}
	return &e.msg
}

func (e *encoder) field(letter byte) { e.buf = append(e.buf, separator, letter) }

func (e *encoder) property(name, value string) {
	switch name {
	case pipeline.InputTopic:
		e.field(fieldTopic)
	case pipeline.InputID:
		e.field(fieldID)
	default:
		e.field(fieldProperty)
		e.buf = append(appendEscaped(e.buf, name, true), '=')
	}
	e.buf = appendEscaped(e.buf, value, false)
}

const hexDigits = "0123456789ABCDEF"

// appendEscaped leaves nothing in s that ends a header, a field or, in a name, the name;
// spaces neither, since a header loses those around it.
func appendEscaped[T string | []byte](dst []byte, s T, name bool) []byte {
	for i := range len(s) {
		c := s[i]
		if c <= ' ' || c >= 0x7f || c == '%' || c == separator || name && c == '=' {
			dst = append(dst, '%', hexDigits[c>>4], hexDigits[c&0xf])
			continue
		}
		dst = append(dst, c)
	}
	return dst
}

var errFacts = errors.New("badly written")

func unescaped(s string) (string, error) {
	at := strings.IndexByte(s, '%')
	if at < 0 {
		return s, nil
	}
	b := make([]byte, 0, len(s))
	for ; at >= 0; at = strings.IndexByte(s, '%') {
		if len(s) < at+3 {
			return "", errFacts
		}
		c, err := strconv.ParseUint(s[at+1:at+3], 16, 8)
		if err != nil {
			return "", errFacts
		}
		b = append(append(b, s[:at]...), byte(c))
		s = s[at+3:]
	}
	return string(append(b, s...)), nil
}

// encodedSize is what the message counts against the server's limit.
func encodedSize(m *natsio.Msg) int {
	n := len(m.Data)
	if len(m.Header) == 0 {
		return n
	}
	n += headerOverhead
	for k, values := range m.Header {
		for _, v := range values {
			n += len(k) + len(": ") + len(v) + len("\r\n")
		}
	}
	return n
}

// decodeHeader fills key, event time, properties and a nil value. Headers of other
// programs are left out; a damaged one of ours is an error.
func decodeHeader(h natsio.Header, m *pipeline.Message) error {
	if facts := h[wire.HeaderFacts]; len(facts) > 0 {
		if err := decodeFacts(facts[0], m); err != nil {
			return fmt.Errorf("header %s: %w", wire.HeaderFacts, err)
		}
		return nil
	}
	for name, values := range h {
		if len(values) == 0 {
			continue
		}
		if err := decodeField(name, values[0], m); err != nil {
			return err
		}
	}
	return nil
}

func decodeFacts(s string, m *pipeline.Message) error {
	if s == "" || s[0] != wire.FactsVersion {
		return errFacts
	}
	for s = s[1:]; s != ""; {
		if len(s) < 2 || s[0] != separator {
			return errFacts
		}
		letter, text := s[1], s[2:]
		if end := strings.IndexByte(text, separator); end >= 0 {
			text, s = text[:end], text[end:]
		} else {
			s = ""
		}
		if err := decodeFact(letter, text, m); err != nil {
			return err
		}
	}
	return nil
}

func decodeFact(letter byte, text string, m *pipeline.Message) error {
	name := ""
	switch letter {
	case fieldTime:
		var err error
		m.EventTime, err = strconv.ParseInt(text, 10, 64)
		return err
	case fieldNull:
		m.Value = nil
		return nil
	case fieldTopic:
		name = pipeline.InputTopic
	case fieldID:
		name = pipeline.InputID
	case fieldProperty:
		escaped, value, ok := strings.Cut(text, "=")
		if !ok {
			return errFacts
		}
		var err error
		if name, err = unescaped(escaped); err != nil {
			return err
		}
		text = value
	case fieldKey:
	default:
		return nil // of a later program; the rest is what it was
	}
	value, err := unescaped(text)
	switch {
	case err != nil:
		return err
	case letter == fieldKey:
		m.Key = []byte(value)
	default:
		setProperty(m, name, value)
	}
	return nil
}

func setProperty(m *pipeline.Message, name, value string) {
	if m.Properties == nil {
		m.Properties = make(map[string]string, 2)
	}
	m.Properties[name] = value
}

// decodeField reads a header of a message that is older than HeaderFacts.
func decodeField(name, value string, m *pipeline.Message) (err error) {
	switch {
	case name == wire.HeaderKey:
		if m.Key, err = base64.StdEncoding.DecodeString(value); err != nil {
			return fmt.Errorf("header %s: %w", name, err)
		}
	case name == wire.HeaderEventTime:
		if m.EventTime, err = strconv.ParseInt(value, 10, 64); err != nil {
			return fmt.Errorf("header %s: %w", name, err)
		}
	case name == wire.HeaderNull:
		m.Value = nil
	case strings.HasPrefix(name, wire.HeaderPropertyPrefix):
		key, text, ok := wire.ParseProperty(name, value)
		if !ok {
			return fmt.Errorf("header %s: badly escaped", name)
		}
		if m.Properties == nil {
			m.Properties = map[string]string{}
		}
		m.Properties[key] = text
	}
	return nil
}
