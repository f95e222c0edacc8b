package pulsar

import (
	"context"
	"fmt"

	"github.com/functionmesh/terraform-provider-functionmesh/runner/broker/pulsar/publisher"
)

// prove makes sure, once per producer, that the broker remembers sequence ids: after the
// first receipt and before its input is acknowledged, the producer is opened again, and
// only a broker that deduplicates knows what was stored.
func (s *Sink) prove(ctx context.Context, d *dest, receipt *publisher.Receipt, number uint64) error {
	_, repeat, err := receipt.Wait(ctx)
	if err != nil {
		return err
	}
	if repeat {
		d.proved = true
		return nil
	}
	name := d.pub.Name()
	if err := d.pub.Close(ctx); err != nil {
		return err
	}
	d.pub = nil
	pub, err := s.open(ctx, d.topic, name)
	if err != nil {
		return fmt.Errorf("proof of deduplication: %w", err)
	}
	d.pub = pub
	if have := pub.LastSequence(); have < 0 || uint64(have) < number {
		return terminal(reasonNoDedup, "topic %s: the broker keeps no sequence ids, so effectively_once cannot hold: turn deduplication on in the namespace (functionmesh_namespace: deduplication = true; pulsar-admin namespaces set-deduplication --enable) and start again", d.topic)
	}
	d.proved = true
	return nil
}
