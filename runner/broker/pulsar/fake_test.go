package pulsar_test

import (
	"context"
	"crypto/rand"
	"errors"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/functionmesh/terraform-provider-functionmesh/internal/wire"
	"github.com/functionmesh/terraform-provider-functionmesh/runner/broker/pulsar"
	"github.com/functionmesh/terraform-provider-functionmesh/runner/broker/pulsar/conn/pulsarpb"
	"github.com/functionmesh/terraform-provider-functionmesh/runner/broker/pulsar/fakebroker"
	"github.com/functionmesh/terraform-provider-functionmesh/runner/pipeline"
	"github.com/functionmesh/terraform-provider-functionmesh/runner/runnertest"
)

// fakeOptions are those of a sink on a broker of the test's own.
func fakeOptions(b *fakebroker.Broker, guarantee string) pulsar.SinkOptions {
	return pulsar.SinkOptions{
		Broker: b.Settings(), Output: wire.Output{Topic: "persistent://public/default/out"}, Delivery: wire.Delivery{Guarantee: guarantee},
	}
}

// R3: what the outputs of one entry cannot be numbered with stops the instance before the
// broker sees any of them.
func TestR3OverflowSendsNothing(t *testing.T) {
	keyed := func(out []pipeline.Message) []pipeline.Message {
		for i := range out {
			out[i].Key = out[i].Value
		}
		return out
	}
	cases := map[string]struct {
		batching *wire.Batching
		out      []pipeline.Message
		sends    int // 0: refused
	}{
		"Unbatched":     {&wire.Batching{}, texts("v", 257), 0},
		"UnbatchedFits": {&wire.Batching{}, texts("v", 256), 256},
		"ByKey":         {&wire.Batching{Enabled: true, Builder: "key_based"}, keyed(texts("v", 257)), 0},
		"ByKeyFits":     {&wire.Batching{Enabled: true, Builder: "key_based"}, keyed(texts("v", 256)), 256},
		"Batched":       {nil, texts("v", 3000), 1},
	}
	for name, c := range cases {
		t.Run(name, func(t *testing.T) {
			b := fakebroker.New(t)
			// It stores sequence ids, or it would be found out.
			last := int64(1)<<30*5 + 1<<8
			b.On = func(conn *fakebroker.Conn, cmd *pulsarpb.BaseCommand, _ []byte) bool {
				if cmd.GetProducer() == nil {
					return false
				}
				conn.Write(pulsarpb.Type_PRODUCER_SUCCESS, &pulsarpb.BaseCommand{ProducerSuccess: &pulsarpb.ProducerSuccess{
					RequestId: cmd.Producer.RequestId, ProducerName: cmd.Producer.ProducerName, LastSequenceId: &last,
				}}, nil)
				return true
			}
			o := fakeOptions(b, "effectively_once")
			o.Output.Producer = &wire.Producer{Batching: c.batching}
			sink := newSink(t, o)
			defer sink.Close(t.Context())
			n, err := sink.Write(t.Context(), caused(exactIn, 5, 7, c.out))
			stop, stopped := errors.AsType[*pipeline.TerminalError](err)
			if c.sends == 0 && (n != 0 || !stopped || stop.Reason != "SequenceOverflow") || c.sends > 0 && err != nil {
				t.Errorf("%d written, %v", n, err)
			}
			if diff := cmp.Diff(c.sends, len(b.Commands(pulsarpb.Type_SEND))); diff != "" {
				t.Errorf("sent: %s", diff)
			}
		})
	}
}

// A message that just fits the broker has no room for the properties of a dead letter.
// An ordered lane stops there, says why, and keeps it.
func TestR5DeadLetterTooLarge(t *testing.T) {
	b := fakebroker.New(t)
	value := make([]byte, 5<<20-100)
	_, _ = rand.Read(value)
	lane := runnertest.NewLane("persistent://public/default/in", "before", string(value), "behind")
	lane.InOrder, lane.Finite = true, true
	o := fakeOptions(b, "atleast_once")
	o.DeadLetter = true
	out := &runnertest.MemorySink{}
	err := pipeline.Run(t.Context(), pipeline.Config{
		Source: &runnertest.MemorySource{Lanes: []*runnertest.MemoryLane{lane}}, Sink: out, DeadLetter: newSink(t, o),
		Delivery: wire.Delivery{Guarantee: "atleast_once", BackoffMs: 1, MaxBackoffMs: 1},
		Functions: runnertest.Each(func(ctx context.Context, m pipeline.Message) pipeline.Result {
			if len(m.Value) > 100 {
				return pipeline.Result{Err: errOdd}
			}
			return runnertest.Echo(ctx, m)
		}),
	})
	stop, ok := errors.AsType[*pipeline.TerminalError](err)
	if !ok || stop.Reason != "DeadLetterRefused" || !errors.Is(err, pulsar.ErrTooLarge) || !strings.Contains(err.Error(), o.Output.Topic) {
		t.Errorf("want DeadLetterRefused and the topic, got %v", err)
	}
	if diff := cmp.Diff([]string{"1"}, lane.Settled()); diff != "" {
		t.Errorf("settled: %s", diff)
	}
	if n := len(b.Commands(pulsarpb.Type_SEND)); n != 0 {
		t.Errorf("%d dead letters were sent", n)
	}
}
