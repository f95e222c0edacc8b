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
	chars, at, ok := n.texts.InputIDAgain(in)
	if !ok || n.topic != in.Topic {
		id := n.texts.InputID(in)
		if chars, at, ok = n.texts.InputIDAgain(in); !ok { // there is no index in it: it fills itself
			chars, at = binary.LittleEndian.Uint32(id), 0
		}
		n.topic = in.Topic
		n.mould.Reset()
		n.mould.Add(pipeline.InputTopic, []byte(in.Topic), 0)
		n.mould.Add(pipeline.InputID, id, at)
	}
	enc.Cast(&n.mould, chars)
}
