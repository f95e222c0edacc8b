package pipeline

import "strings"

// Properties that Pulsar's runtimes add to every output beside the forwarded ones.
const (
	InputTopic = "__pfn_input_topic__"  // full name of the input's topic
	InputID    = "__pfn_input_msg_id__" // the input's id in base64
)

// The W3C trace context. It goes on to every output, whatever else is forwarded: a
// trace must not end at a function.
const (
	TraceParent = "traceparent"
	TraceState  = "tracestate"
)

// complete gives outputs what they take from their input, and returns their size. Messages
// published to a topic by name stay as the function made them, as on Pulsar, but for the
// trace context. What connectors pass on stays as it is.
func complete(in *Message, out []Message, forward Forward) (bytes int64) {
	for i := range out {
		o := &out[i]
		o.Cause = in
		switch {
		case forward == ForwardNothing:
		case o.Topic != "":
			o.Forward = ForwardTrace
		default:
			o.Forward = forward
			if o.Key == nil {
				o.Key = in.Key
			}
			if o.EventTime == 0 {
				o.EventTime = in.EventTime
			}
		}
		bytes += o.Size()
	}
	return bytes
}

// Texts keeps the strings that EachProperty makes, many to one allocation. The zero
// value is ready; it serves one goroutine.
type Texts struct {
	b    strings.Builder
	last inputIDs
}

// NamesInputOnly says that EachProperty gives just the two properties that name the
// input, as it does for most outputs.
func (m *Message) NamesInputOnly() bool {
	return m.Forward == ForwardAll && len(m.Properties) == 0 && m.Cause != nil && len(m.Cause.Properties) == 0
}

// InputID is the value of the property of that name for outputs of an input, valid until
// the next call.
func (t *Texts) InputID(in *Message) []byte { return t.last.of(in) }

// InputIDAgain are the four characters of the id of an input, in the order of bytes, in
// which it differs from the last one that InputID gave; at is where they lie in it. False:
// it is another, or has none.
func (t *Texts) InputIDAgain(in *Message) (chars uint32, at int, ok bool) {
	chars, ok = t.last.differing(in)
	return chars, t.last.at, ok && t.last.width > 0
}

const textsSize = 4 << 10

func (t *Texts) inputID(m *Message) string {
	id := t.last.of(m)
	if t.b.Cap()-t.b.Len() < len(id) {
		t.b = strings.Builder{}
		t.b.Grow(textsSize)
	}
	from := t.b.Len()
	t.b.Write(id)
	return t.b.String()[from:]
}

// EachProperty calls yield for every property that is stored with an output, each name
// once: its own, and what its Cause hands on. Names are in no order.
func (m *Message) EachProperty(t *Texts, yield func(name, value string)) {
	if len(m.Properties) > 0 { // walking an empty map is not free
		for name, value := range m.Properties {
			yield(name, value)
		}
	}
	in := m.Cause
	if in == nil || m.Forward == ForwardNothing {
		return
	}
	if len(in.Properties) > 0 {
		m.forward(yield)
	}
	if m.Forward != ForwardAll {
		return
	}
	if !m.has(InputTopic) {
		yield(InputTopic, in.Topic)
	}
	if !m.has(InputID) {
		yield(InputID, t.inputID(in))
	}
}

// forward yields the properties of the cause that go on with the message.
func (m *Message) forward(yield func(name, value string)) {
	if m.Forward == ForwardTrace {
		m.handOn(TraceParent, yield)
		m.handOn(TraceState, yield)
		return
	}
	for name, value := range m.Cause.Properties {
		if name != InputTopic && name != InputID && !m.has(name) && !m.ownTrace(name) {
			yield(name, value)
		}
	}
}

// handOn yields one property of the cause that the message has none of by itself.
func (m *Message) handOn(name string, yield func(name, value string)) {
	if value, ok := m.Cause.Properties[name]; ok && !m.has(name) && !m.ownTrace(name) {
		yield(name, value)
	}
}

// ownTrace: the state of a trace says nothing about another one.
func (m *Message) ownTrace(name string) bool { return name == TraceState && m.has(TraceParent) }

func (m *Message) has(name string) bool {
	if len(m.Properties) == 0 {
		return false
	}
	_, ok := m.Properties[name]
	return ok
}

// Stored is a map of all that EachProperty gives, nil for none: for sinks that are not
// in a hurry.
func (m *Message) Stored() map[string]string {
	var all map[string]string
	var t Texts
	m.EachProperty(&t, func(name, value string) {
		if all == nil {
			all = map[string]string{}
		}
		all[name] = value
	})
	return all
}
