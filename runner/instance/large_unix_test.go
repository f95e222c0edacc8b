//go:build linux || darwin

package instance_test

import (
	"bytes"
	"crypto/rand"
	"slices"
	"strings"
	"testing"

	pulsario "github.com/apache/pulsar-client-go/pulsar"

	"github.com/functionmesh/terraform-provider-functionmesh/internal/spec"
	"github.com/functionmesh/terraform-provider-functionmesh/internal/wire"
	"github.com/functionmesh/terraform-provider-functionmesh/runner/broker/pulsar/pulsartest"
)

// The largest messages that a broker takes go through; what becomes too large on the way,
// by the properties that an output has, is told, kept, and does not stop the rest.
func TestPulsarLargeMessages(t *testing.T) {
	const most = 5 << 20 // of a broker that was not told otherwise
	for _, path := range bothPaths() {
		t.Run(path, func(t *testing.T) {
			w := newWorld(t, path)
			w.c.MaxMessageRetries, w.c.DeadLetterTopic = new(0), "dead"
			f := w.files(t)[0]
			f.Function = nil
			r := start(t, f)
			w.started = append(w.started, r)
			r.ready(t)
			values := make([][]byte, 3)
			for i, size := range []int{most - 64<<10, most - 100, 5} {
				values[i] = make([]byte, size)
				_, _ = rand.Read(values[i])
				w.send(t, "in", false, pulsario.ProducerMessage{Payload: values[i]})
			}
			all := w.stored(t, "out", 2)
			if len(all) != 2 || !bytes.Equal(all[0].Value, values[0]) || !bytes.Equal(all[1].Value, values[2]) {
				t.Errorf("%d messages, or others", len(all))
			}
			// Its dead letter, with more properties, is too large as well: it waits where it is.
			pulsartest.Eventually(t, "what is too large is told, and kept", func() bool {
				return slices.ContainsFunc(r.status(t).LatestSink, func(e wire.Exception) bool { return strings.Contains(e.Message, "the message is kept") }) &&
					w.Backlog(t, w.Full("in"), spec.SubscriptionName(w.c)) == 1
			})
			w.drain(t)
		})
	}
}
