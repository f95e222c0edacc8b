package pulsar

import (
	"github.com/functionmesh/terraform-provider-functionmesh/runner/broker/pulsar/entry"
	"github.com/functionmesh/terraform-provider-functionmesh/runner/broker/pulsar/subscription"
	"github.com/functionmesh/terraform-provider-functionmesh/runner/pipeline"
)

// Message is what a Producer takes and a Reader gives, under a name that tools can use
// without importing the pipeline.
type Message = pipeline.Message

// place is where deliveries come from.
type place struct {
	topic         string // without the partition
	partition     int
	unpartitioned bool
}

// fill makes the pipeline's message of one in an entry. It aliases the delivery.
func (p *place) fill(m *pipeline.Message, in *entry.Message, d *subscription.Delivery) {
	e := &d.Entry
	// In place, field by field: a value that is formed elsewhere and copied waits for the
	// stores that formed it.
	*m = pipeline.Message{}
	m.Topic, m.Partition, m.Unpartitioned = p.topic, p.partition, p.unpartitioned
	m.Value = in.Value
	if m.Key = in.Key; in.KeyEncoded {
		m.Key = in.KeyBytes()
	}
	m.EventTime, m.PublishTime, m.Schema = in.EventTime, e.PublishTime, e.Schema
	m.Position.Ledger, m.Position.Entry = d.ID.Ledger, d.ID.Entry
	m.Position.Index = int32(in.Index) //nolint:gosec // a batch has fewer than 2^31 messages
	m.Redelivery = int32(d.Redelivery) //nolint:gosec // brokers give up before that
	if e.Batched {
		m.Position.Count = int32(e.Count) //nolint:gosec // as above
	}
	if in.Properties.Len() > 0 {
		m.Properties = in.Properties.Map()
	}
}
