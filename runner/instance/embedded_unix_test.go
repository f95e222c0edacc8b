//go:build linux || darwin

package instance_test

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/functionmesh/terraform-provider-functionmesh/internal/wire"
	"github.com/functionmesh/terraform-provider-functionmesh/runner/broker/nats"
	"github.com/functionmesh/terraform-provider-functionmesh/runner/broker/nats/natstest"
	"github.com/functionmesh/terraform-provider-functionmesh/runner/instance"
	"github.com/functionmesh/terraform-provider-functionmesh/runner/pipeline"
)

// embeddedWith runs a Python function between two topics of an embedded broker, feeds it
// and returns the broker.
func embeddedWith(t *testing.T, code string, change func(*wire.File), values ...string) wire.Broker {
	t.Helper()
	f := embeddedFile(t, code, change, values...)
	start(t, f)
	return f.Brokers[""]
}

// embeddedFile is embeddedWith without running anything.
func embeddedFile(t *testing.T, code string, change func(*wire.File), values ...string) wire.File {
	t.Helper()
	need(t, "python3")
	place := filepath.Join(t.TempDir(), "f.py")
	if err := os.WriteFile(place, []byte(code), 0o600); err != nil {
		t.Fatal(err)
	}
	f, broker := file(t, "python", place, "f.process"), natstest.Start(t)
	sub := wire.Subscription{Name: "s", Mode: wire.Shared, Position: "earliest"}
	for _, topic := range []string{"in", "out", "logs"} {
		natstest.EnsureTopic(t, broker, embedded(topic), 0)
	}
	natstest.EnsureSubscription(t, broker, embedded("in"), 0, sub)
	f.Brokers = map[string]wire.Broker{"": broker}
	f.Source = wire.Source{Inputs: []wire.Input{{Topic: embedded("in")}}, Subscription: sub}
	f.Sink = wire.Sink{Output: &wire.Output{Topic: embedded("out")}}
	change(&f)
	js := natstest.Connect(t, broker)
	for _, v := range values {
		if _, err := js.Publish(t.Context(), wire.Subject(embedded("in"), 0), []byte(v)); err != nil {
			t.Fatal(err)
		}
	}
	return f
}

func embedded(topic string) string { return "persistent://public/default/" + topic }

// next reads n values of a topic, sorted.
func next(t *testing.T, b wire.Broker, topic string, n int) []string {
	t.Helper()
	r, err := nats.NewReader(t.Context(), nats.ReaderOptions{Broker: b, Topic: embedded(topic), Earliest: true, Follow: true})
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = r.Close(context.WithoutCancel(t.Context())) }()
	var values []string
	for range n {
		m, err := r.Next(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		values = append(values, string(m.Value))
	}
	slices.Sort(values)
	return values
}

func TestLogTopicOnTheEmbeddedBroker(t *testing.T) {
	code := "def process(input, context):\n    context.get_logger().warning('seen %s', input)\n    return input\n"
	b := embeddedWith(t, code, func(f *wire.File) { f.LogTopic = &wire.Output{Topic: embedded("logs")} }, "a")
	if got := next(t, b, "logs", 1); !strings.Contains(got[0], "seen a") {
		t.Errorf("got %q", got)
	}
}

// What user code does not acknowledge stays with the broker.
func TestManualOnTheEmbeddedBroker(t *testing.T) {
	b := embeddedWith(t, byHand, func(f *wire.File) { f.Delivery.Guarantee = "manual" }, "a", "leave", "b")
	if got := next(t, b, "out", 3); !slices.Equal(got, []string{"a", "b", "leave"}) {
		t.Errorf("got %q", got)
	}
	consumer, err := natstest.Connect(t, b).Consumer(t.Context(), wire.StreamName(embedded("in")), wire.ConsumerName("s"))
	if err != nil {
		t.Fatal(err)
	}
	eventually(t, "one message is left", func() bool {
		info, err := consumer.Info(t.Context())
		return err == nil && info.NumAckPending == 1 && info.NumPending == 0
	})
}

// User code that dies knows nothing of what it had kept: the instance ends, so that the
// next one gets it again.
func TestManualOfAProcessThatDies(t *testing.T) {
	code := `
import os

DIED = "` + filepath.ToSlash(filepath.Join(t.TempDir(), "died")) + `"


def process(input, context):
    if not os.path.exists(DIED):
        if input == "keep":
            return input
        open(DIED, "w").close()
        os._exit(1)
    context.ack(context.get_message_id(), context.get_current_message_topic_name())
    return input
`
	f := embeddedFile(t, code, func(f *wire.File) { f.Delivery.Guarantee = "manual" }, "keep")
	b := f.Brokers[""]
	first := start(t, f)
	next(t, b, "out", 1) // it is kept
	js := natstest.Connect(t, b)
	if _, err := js.Publish(t.Context(), wire.Subject(embedded("in"), 0), []byte("die")); err != nil {
		t.Fatal(err)
	}
	if err := <-first.done; !errors.Is(err, pipeline.ErrForgotten) || instance.ExitCode(err) == wire.ExitTerminal {
		t.Fatalf("it ended with %v", err)
	}
	start(t, f)
	consumer, err := js.Consumer(t.Context(), wire.StreamName(embedded("in")), wire.ConsumerName("s"))
	if err != nil {
		t.Fatal(err)
	}
	eventually(t, "everything is acknowledged", func() bool {
		info, err := consumer.Info(t.Context())
		return err == nil && info.NumAckPending == 0 && info.NumPending == 0
	})
}
