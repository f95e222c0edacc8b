package pulsar

import (
	"fmt"

	"github.com/functionmesh/terraform-provider-functionmesh/runner/broker/pulsar/entry"
	"github.com/functionmesh/terraform-provider-functionmesh/runner/pipeline"
)

// limit is how many bytes one message to d may take.
func (a *assembler) limit(d *dest) int {
	if a.sink.options.DeadLetter {
		return d.limit
	}
	return d.limit - min(headroom, d.limit/8)
}

// checkSize refuses what no entry can hold. An entry is formed to know: compression may
// make the message fit.
func (p *planner) checkSize(d *dest, m *pipeline.Message, raw int) error {
	limit := p.limit(d)
	if p.sink.codec == entry.None {
		return tooLarge(d, raw, limit)
	}
	p.begin(d, 0, false)
	p.append(m)
	e, err := p.enc.Finish()
	if err != nil {
		return err
	}
	defer e.Release()
	if n := e.Size(); n > limit {
		return tooLarge(d, n, limit)
	}
	return nil
}

func tooLarge(d *dest, n, limit int) error {
	return &pipeline.MessageError{Err: fmt.Errorf("%w for topic %s: %d bytes with properties, at most %d", ErrTooLarge, d.topic, n, limit)}
}

// framing is about what a message takes beside its bytes, and one property beside its.
const (
	framing         = 48
	propertyFraming = 8
	inputFraming    = 160 // the properties that name an input, beside the topic's name
)

// size is at least what a message takes in an entry.
func (a *assembler) size(m *pipeline.Message) int {
	n := len(m.Value) + len(m.Key)*4/3 + framing
	if len(m.Properties) > 0 {
		n += propertiesSize(m.Properties)
	}
	if in := m.Cause; in != nil && m.Forward != pipeline.ForwardNothing {
		n += len(in.Topic) + inputFraming
		if len(in.Properties) > 0 {
			n += propertiesSize(in.Properties)
		}
	}
	return n
}

func propertiesSize(all map[string]string) int {
	n := 0
	for k, v := range all {
		n += len(k) + len(v) + propertyFraming
	}
	return n
}
