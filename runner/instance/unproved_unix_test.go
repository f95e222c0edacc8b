//go:build linux || darwin

package instance_test

import (
	"errors"
	"strings"
	"testing"
	"time"

	gocmp "github.com/google/go-cmp/cmp"

	"github.com/functionmesh/terraform-provider-functionmesh/internal/spec"
	"github.com/functionmesh/terraform-provider-functionmesh/runner/broker/pulsar/pulsartest"
	"github.com/functionmesh/terraform-provider-functionmesh/runner/pipeline"
)

// R3: where nobody could tell beforehand that the broker drops no repeats, the first output
// tells: the instance ends, says what to do, and has acknowledged nothing.
func TestPulsarR3EndsWithoutDeduplication(t *testing.T) {
	w := newWorld(t, spec.EntryPath)
	w.c.ProcessingGuarantees = spec.EffectivelyOnce
	f := w.files(t)[0]
	name := spec.SubscriptionName(w.c)
	w.Subscribe(t, w.Full("in"), name, "earliest")
	want := numbered(5)
	w.send(t, "in", false, texts(want...)...)
	r := start(t, f)
	select {
	case err := <-r.done:
		if stop, ok := errors.AsType[*pipeline.TerminalError](err); !ok || stop.Reason != "DeduplicationOff" || !strings.Contains(err.Error(), "deduplication = true") {
			t.Errorf("it ended with %v", err)
		}
	case <-time.After(pulsartest.Patience):
		t.Fatal("it goes on")
	}
	if n := w.Backlog(t, w.Full("in"), name); n != int64(len(want)) {
		t.Errorf("%d of %d entries wait", n, len(want))
	}
	var left []string
	for _, value := range w.Unacknowledged(t, w.Full("in"), 0, name) {
		left = append(left, string(value))
	}
	if d := gocmp.Diff(want, left); d != "" {
		t.Errorf("not acknowledged (-want +got):\n%s", d)
	}
}
