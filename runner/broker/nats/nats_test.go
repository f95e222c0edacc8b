package nats_test

import (
	"context"
	"errors"
	"io"
	"strconv"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/functionmesh/terraform-provider-functionmesh/internal/wire"
	"github.com/functionmesh/terraform-provider-functionmesh/runner/broker/nats"
	"github.com/functionmesh/terraform-provider-functionmesh/runner/broker/nats/natstest"
	"github.com/functionmesh/terraform-provider-functionmesh/runner/pipeline"
)

func TestR8OptionsAreRefused(t *testing.T) {
	good := func() nats.SourceOptions { return sourceOptions(wire.Broker{URL: "nats://x"}, "t", 0, wire.Shared) }
	cases := map[string]func(*nats.SourceOptions){
		"NoInputs":       func(o *nats.SourceOptions) { o.Source.Inputs = nil },
		"NoSubscription": func(o *nats.SourceOptions) { o.Source.Subscription.Name = "" },
		"UnknownMode":    func(o *nats.SourceOptions) { o.Source.Subscription.Mode = "exclusive" },
		"UnknownBroker":  func(o *nats.SourceOptions) { o.Source.Inputs[0].Broker = "eu" },
		"OtherKind":      func(o *nats.SourceOptions) { o.Brokers[""] = wire.Broker{Kind: "kafka", URL: "x"} },
		"NoURL":          func(o *nats.SourceOptions) { o.Brokers[""] = wire.Broker{Kind: "nats"} },
	}
	if _, err := nats.NewSource(good()); err != nil {
		t.Fatal(err)
	}
	for name, change := range cases {
		t.Run(name, func(t *testing.T) {
			o := good()
			change(&o)
			_, err := nats.NewSource(o)
			var terminal *pipeline.TerminalError
			if !errors.As(err, &terminal) || terminal.Reason != "InvalidConfig" {
				t.Errorf("got %v", err)
			}
		})
	}
}

func TestMissingThingsAreNamed(t *testing.T) {
	b := natstest.Start(t)
	natstest.EnsureTopic(t, b, "persistent://public/default/there", 0)
	natstest.EnsureSubscription(t, b, "persistent://public/default/there", 0, wire.Subscription{Name: "makes-bucket", Mode: wire.Failover})
	there, absent := "persistent://public/default/there", "persistent://public/default/absent"
	cases := map[string]struct {
		want error
		try  func() error
	}{
		"SourceTopic":  {nats.ErrNoTopic, func() error { return openOnly(t, sourceOptions(b, absent, 0, wire.Shared)) }},
		"Subscription": {nats.ErrNoSubscription, func() error { return openOnly(t, sourceOptions(b, there, 0, wire.Shared)) }},
		"PositionKey":  {nats.ErrNoSubscription, func() error { return openOnly(t, sourceOptions(b, there, 0, wire.Failover)) }},
		"ReaderTopic": {nats.ErrNoTopic, func() error {
			_, err := nats.NewReader(t.Context(), nats.ReaderOptions{Broker: b, Topic: absent})
			return err
		}},
		"ProducerTopic": {nats.ErrNoTopic, func() error { _, err := nats.NewProducer(t.Context(), b, absent); return err }},
		"OutputTopic": {nats.ErrNoTopic, func() error {
			s := newSink(t, nats.SinkOptions{Broker: b, Output: wire.Output{Topic: absent}})
			defer s.Close(t.Context())
			_, err := s.Write(t.Context(), []pipeline.Message{{Value: []byte("v")}})
			return err
		}},
	}
	for name, c := range cases {
		t.Run(name, func(t *testing.T) {
			if err := c.try(); !errors.Is(err, c.want) {
				t.Errorf("want %v, got %v", c.want, err)
			}
		})
	}
}

func openOnly(t *testing.T, o nats.SourceOptions) error {
	t.Helper()
	s := newSource(t, o)
	defer s.Close(t.Context())
	_, err := s.Open(t.Context())
	return err
}

func TestNothingListensIsAnErrorNotAHang(t *testing.T) {
	nobody := wire.Broker{Kind: "nats", URL: "nats://127.0.0.1:1"}
	ctx, cancel := context.WithCancel(t.Context())
	s := newSource(t, sourceOptions(nobody, "t", 0, wire.Shared))
	defer s.Close(t.Context())
	cancel()
	if _, err := s.Open(ctx); err == nil {
		t.Error("a source opened")
	}
	sink := newSink(t, nats.SinkOptions{Broker: nobody, Output: wire.Output{Topic: "t"}})
	defer sink.Close(t.Context())
	if _, err := sink.Write(t.Context(), []pipeline.Message{{}}); !errors.Is(err, pipeline.ErrUnsent) {
		t.Errorf("want ErrUnsent, got %v", err)
	}
}

func TestDestinations(t *testing.T) {
	b := natstest.Start(t)
	natstest.EnsureTopic(t, b, outTopicName, 0)
	natstest.EnsureTopic(t, b, "persistent://public/default/other", 3)
	sink := newSink(t, nats.SinkOptions{Broker: b, Output: wire.Output{Topic: outTopicName}, Tenant: "public", Namespace: "default"})
	defer sink.Close(t.Context())
	large := make([]byte, natstest.MaxPayload)
	cases := map[string]struct {
		out     []pipeline.Message
		want    int
		refused bool
	}{
		"ShortName":   {[]pipeline.Message{{Topic: "other", Key: []byte("k")}, {Topic: "other", Key: []byte("l")}}, 2, false},
		"FullName":    {[]pipeline.Message{{Topic: "persistent://public/default/other"}}, 1, false},
		"Absent":      {[]pipeline.Message{{}, {Topic: "absent"}, {}}, 1, true},
		"NoTopicName": {[]pipeline.Message{{}, {Topic: "a/b/c/d/e/f"}, {}}, 1, true},
		"TooLarge":    {[]pipeline.Message{{}, {Value: large}, {}}, 1, true},
	}
	for name, c := range cases {
		t.Run(name, func(t *testing.T) {
			n, err := sink.Write(t.Context(), c.out)
			var refused *pipeline.MessageError
			if n != c.want || errors.As(err, &refused) != c.refused || (err != nil) != c.refused {
				t.Errorf("%d written, %v", n, err)
			}
		})
	}
	for _, m := range stored(t, b, "persistent://public/default/other") {
		if m.Key != nil && m.Partition != wire.PartitionFor(m.Key, 3) {
			t.Errorf("key %q in partition %d", m.Key, m.Partition)
		}
	}
}

const outTopicName = "persistent://public/default/destination"

// A dead letter carries more than the message it stands for: there is room for it.
func TestDeadLetterOfTheLargestMessageFits(t *testing.T) {
	b := natstest.Start(t)
	natstest.EnsureTopic(t, b, outTopicName, 0)
	write := func(dead bool, size int) error {
		s := newSink(t, nats.SinkOptions{Broker: b, Output: wire.Output{Topic: outTopicName}, DeadLetter: dead})
		defer s.Close(t.Context())
		_, err := s.Write(t.Context(), []pipeline.Message{{Value: make([]byte, size)}})
		return err
	}
	largest := natstest.MaxPayload
	for write(false, largest) != nil {
		largest -= 1 << 10
	}
	if err := write(true, largest+4<<10); err != nil {
		t.Error(err)
	}
}

func TestReader(t *testing.T) {
	b := natstest.Start(t)
	const topic = "persistent://public/default/read"
	natstest.EnsureTopic(t, b, topic, 3)
	var all []string
	for n := range 600 {
		all = append(all, strconv.Itoa(n))
	}
	// One by one: keyless messages of one write share a partition.
	for at := 0; at < len(all); at += 50 {
		var batch []pipeline.Message
		for _, v := range all[at : at+50] {
			batch = append(batch, pipeline.Message{Value: []byte(v)})
		}
		produce(t, b, topic, batch...)
	}
	cases := map[string]struct {
		options nats.ReaderOptions
		want    []string
	}{
		"Earliest": {nats.ReaderOptions{Earliest: true}, all},
		"Last":     {nats.ReaderOptions{Last: 7}, all[593:]},
		"LastAll":  {nats.ReaderOptions{Last: 10_000}, all},
		"Latest":   {nats.ReaderOptions{}, nil},
	}
	for name, c := range cases {
		t.Run(name, func(t *testing.T) {
			c.options.Broker, c.options.Topic = b, topic
			if diff := cmp.Diff(c.want, readAll(t, c.options)); diff != "" {
				t.Error(diff)
			}
		})
	}
}

func readAll(t *testing.T, o nats.ReaderOptions) []string {
	t.Helper()
	r, err := nats.NewReader(t.Context(), o)
	if err != nil {
		t.Fatal(err)
	}
	defer r.Close(t.Context())
	var got []string
	for {
		m, err := r.Next(t.Context())
		if errors.Is(err, io.EOF) {
			return got
		}
		if err != nil {
			t.Fatal(err)
		}
		got = append(got, string(m.Value))
	}
}

func TestReaderFollows(t *testing.T) {
	b := natstest.Start(t)
	const topic = "persistent://public/default/follow"
	natstest.EnsureTopic(t, b, topic, 2)
	produce(t, b, topic, pipeline.Message{Value: []byte("before")})
	r, err := nats.NewReader(t.Context(), nats.ReaderOptions{Broker: b, Topic: topic, Follow: true})
	if err != nil {
		t.Fatal(err)
	}
	defer r.Close(t.Context())
	produce(t, b, topic, pipeline.Message{Value: []byte("after")})
	m, err := r.Next(t.Context())
	if err != nil || string(m.Value) != "after" {
		t.Errorf("%q, %v", m.Value, err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := r.Next(ctx); err == nil {
		t.Error("Next did not end when cancelled")
	}
}

func TestRefusedByTheServer(t *testing.T) {
	b := natstest.Start(t)
	js := natstest.Connect(t, b)
	cases := map[string]struct {
		topic string
		spoil func(t *testing.T, name string)
		out   []pipeline.Message
		want  int
	}{
		"StreamTakesLess": {
			topic: "small",
			spoil: func(t *testing.T, name string) {
				stream, err := js.Stream(t.Context(), name)
				if err != nil {
					t.Fatal(err)
				}
				c := stream.CachedInfo().Config
				c.MaxMsgSize = 100
				if _, err := js.UpdateStream(t.Context(), c); err != nil {
					t.Fatal(err)
				}
			},
			out:  []pipeline.Message{{Topic: "small"}, {Topic: "small", Value: make([]byte, 1000)}, {Topic: "small"}},
			want: 1,
		},
		"DeletedSinceLookedUp": {
			topic: "gone",
			spoil: func(t *testing.T, name string) {
				if err := js.DeleteStream(t.Context(), name); err != nil {
					t.Fatal(err)
				}
			},
			out: []pipeline.Message{{Topic: "gone"}},
		},
	}
	for name, c := range cases {
		t.Run(name, func(t *testing.T) {
			full := "persistent://public/default/" + c.topic
			natstest.EnsureTopic(t, b, full, 0)
			sink := newSink(t, nats.SinkOptions{Broker: b, Tenant: "public", Namespace: "default"})
			defer sink.Close(t.Context())
			if _, err := sink.Write(t.Context(), []pipeline.Message{{Topic: c.topic, Value: []byte{}}}); err != nil {
				t.Fatal(err)
			}
			c.spoil(t, wire.StreamName(full))
			n, err := sink.Write(t.Context(), c.out)
			var refused *pipeline.MessageError
			if n != c.want || !errors.As(err, &refused) {
				t.Errorf("%d written, %v", n, err)
			}
		})
	}
}

func TestWrongPasswordIsAnError(t *testing.T) {
	b := natstest.Start(t)
	natstest.EnsureTopic(t, b, outTopicName, 0)
	b.Password = "wrong"
	if _, err := nats.NewProducer(t.Context(), b, outTopicName); err == nil {
		t.Error("connected")
	}
}

func TestR9PasswordIsInNoError(t *testing.T) {
	for _, address := range []string{"nats://user:hunter2@127.0.0.1:1", "nats://user:hunter2@127.0.0.1:port"} {
		_, err := nats.NewProducer(t.Context(), wire.Broker{URL: address}, "t")
		if err == nil || strings.Contains(err.Error(), "hunter2") {
			t.Errorf("got %v", err)
		}
	}
}
