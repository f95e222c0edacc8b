package pulsar

import (
	"encoding/binary"

	"github.com/functionmesh/terraform-provider-functionmesh/runner/broker/pulsar/entry"
	"github.com/functionmesh/terraform-provider-functionmesh/runner/pipeline"
)

// names writes the two properties that name an input. Those of one entry differ in a few
// characters of the id, so they are encoded once.
type names struct {
	texts pipeline.Texts
	mould entry.Mould
	topic string // in the mould
}

// add gives the message that is appended next the properties that name in.
func (n *names) add(enc *entry.Encoder, in *pipeline.Message) {
	chars, _, again := n.texts.InputIDAgain(in)
	if !again || n.topic != in.Topic {
		chars = n.form(in)
	}
	enc.Cast(&n.mould, chars)
}

// form makes the mould for an entry and returns what fills its hole for one of its inputs.
func (n *names) form(in *pipeline.Message) (chars uint32) {
	id := n.texts.InputID(in)
	chars, at, again := n.texts.InputIDAgain(in)
	if !again { // there is no index in it: it fills itself
		chars, at = binary.LittleEndian.Uint32(id), 0
	}
	n.topic = in.Topic
	n.mould.Reset()
	n.mould.Add(pipeline.InputTopic, []byte(in.Topic), 0)
	n.mould.Add(pipeline.InputID, id, at)
	return chars
}
