//go:build linux || darwin

package instance_test

import (
	"context"
	"encoding/json"
	"net/http"
	"path/filepath"
	"strings"
	"testing"

	pulsario "github.com/apache/pulsar-client-go/pulsar"

	"github.com/functionmesh/terraform-provider-functionmesh/internal/spec"
	"github.com/functionmesh/terraform-provider-functionmesh/internal/wire"
	"github.com/functionmesh/terraform-provider-functionmesh/runner/broker/pulsar/conn"
	"github.com/functionmesh/terraform-provider-functionmesh/runner/broker/pulsar/pulsartest"
	"github.com/functionmesh/terraform-provider-functionmesh/runner/broker/pulsar/subscription"
)

func onlyCompatible() []string { return []string{spec.CompatiblePath} }

// shouts is the trial of a language, by its example that appends an exclamation mark.
func shouts(place func(t *testing.T) string, chosen spec.Runtime) trial {
	return trial{
		set: func(w *world) { w.place, w.c.Runtime = place, &chosen },
		shown: func(t *testing.T, w *world) {
			w.start(t)
			w.send(t, "in", true, texts("a", "b")...)
			w.send(t, "in", false, texts("c")...)
			w.gives(t, "out", "a!", "b!", "c!")
			w.Settled(t, w.Full("in"), spec.SubscriptionName(w.c))
		},
	}
}

func codeTrials() map[string]trial {
	python := shouts(func(t *testing.T) string {
		need(t, "python3")
		file, err := filepath.Abs(filepath.Join("..", "..", "examples", "functions", "python", "exclaim.py"))
		if err != nil {
			t.Fatal(err)
		}
		return file
	}, spec.Runtime{Python: &spec.Code{File: "exclaim.py", Class: "exclaim.Exclaim"}})
	return map[string]trial{
		"runtime.python.file":  python,
		"runtime.python.class": python,
		"runtime.go.file": shouts(func(t *testing.T) string {
			return goExample(t, "exclaim")
		}, spec.Runtime{Go: &spec.Code{File: "exclaim"}}),
		"runtime.wasm.file": shouts(func(t *testing.T) string {
			return goExample(t, "exclaim", "GOOS=wasip1", "GOARCH=wasm")
		}, spec.Runtime{WASM: &spec.Code{File: "exclaim.wasm"}}),
		"name": {
			shown: func(t *testing.T, w *world) {
				w.start(t)
				w.echoes(t, 3)
				sub := w.subscription(t)
				if len(sub.Consumers) != 1 || sub.Consumers[0].Metadata["id"] != w.Name+"/f" {
					t.Errorf("the broker lists %+v", sub)
				}
			},
		},
		"user_config": {
			set: func(w *world) {
				w.c.UserConfig = `{"suffix":"?"}`
				w.code = "def process(input, context):\n    return input + context.get_user_config_value('suffix')\n"
			},
			shown: func(t *testing.T, w *world) {
				w.start(t)
				w.send(t, "in", true, texts("a")...)
				w.gives(t, "out", "a?")
			},
		},
		"secrets[*]": {
			set: func(w *world) {
				w.c.Secrets, w.secrets = map[string]spec.SecretRef{"KEY": {Name: "n", Key: "k"}}, map[string]string{"KEY": "hush"}
				w.code = "def process(input, context):\n    return str(context.get_secret('KEY') == 'hush')\n"
			},
			shown: func(t *testing.T, w *world) {
				w.start(t)
				w.send(t, "in", true, texts("a")...)
				w.gives(t, "out", "True")
			},
		},
	}
}

func inputTrials() map[string]trial {
	return map[string]trial{
		"inputs[*]": {
			set: func(w *world) { w.c.Inputs["more"] = spec.Input{} },
			shown: func(t *testing.T, w *world) {
				w.start(t)
				w.send(t, "in", true, texts("a", "b")...)
				w.send(t, "more", true, texts("c")...)
				w.gives(t, "out", "a", "b", "c")
			},
		},
		"inputs[*].connection": {
			set: func(w *world) {
				w.brokers = map[string]wire.Broker{"": {Kind: wire.KindPulsar, URL: "pulsar://127.0.0.1:1"}, "eu": w.Broker()}
				w.c.Inputs["in"], w.c.Output.Connection = spec.Input{Connection: "eu"}, "eu"
			},
			shown: func(t *testing.T, w *world) { w.start(t); w.echoes(t, 3) },
		},
		"inputs[*].schema": {
			set: func(w *world) {
				w.c.Inputs["in"] = spec.Input{Schema: "json"}
				w.code = "def process(input, context):\n    return str(input['n'] + 1)\n"
			},
			shown: func(t *testing.T, w *world) {
				w.start(t)
				w.send(t, "in", true, texts(`{"n": 1}`)...)
				w.gives(t, "out", "2")
			},
		},
		"inputs[*].receiver_queue_size": {
			set:   func(w *world) { w.c.Inputs["in"] = spec.Input{ReceiverQueueSize: new(3)} },
			shown: readsAhead,
		},
		`inputs[*].extra["consumerProperties"]`: {
			set: func(w *world) {
				w.c.Inputs["in"] = spec.Input{Extra: map[string]spec.JSON{"consumerProperties": `{"readCompacted":"true"}`}}
				w.c.RetainOrdering = new(true)
			},
			shown: func(t *testing.T, w *world) {
				w.send(t, "in", false, keyed("k", "old")...)
				w.send(t, "in", false, keyed("k", "new")...)
				w.send(t, "in", false, keyed("l", "other")...)
				w.compact(t, "in")
				w.start(t)
				w.gives(t, "out", "new", "other")
			},
		},
		"inputs[*].regex": {
			paths: onlyCompatible(),
			set: func(w *world) {
				w.c.Inputs = map[string]spec.Input{w.Full("in-.*"): {Regex: new(true)}}
			},
			shown: byPattern,
		},
		"topics_pattern": {
			paths: onlyCompatible(),
			set:   func(w *world) { w.c.Inputs, w.c.TopicsPattern = nil, w.Full("in-.*") },
			shown: byPattern,
		},
	}
}

func keyed(key string, values ...string) []pulsario.ProducerMessage {
	messages := texts(values...)
	for i := range messages {
		messages[i].Key = key
	}
	return messages
}

// readsAhead holds that a consumer asks for no more than its queue has room for.
func readsAhead(t *testing.T, w *world) {
	w.start(t)
	var stats struct {
		Subscriptions map[string]struct {
			Consumers []struct {
				Permits int `json:"availablePermits"`
			} `json:"consumers"`
		} `json:"subscriptions"`
	}
	pulsartest.Eventually(t, "a consumer that asked for messages", func() bool {
		w.admin(t, http.MethodGet, "in", "/stats", &stats)
		consumers := stats.Subscriptions[spec.SubscriptionName(w.c)].Consumers
		return len(consumers) == 1 && consumers[0].Permits > 0
	})
	if p := stats.Subscriptions[spec.SubscriptionName(w.c)].Consumers[0].Permits; p > 3 {
		t.Errorf("it asked for %d messages at once, want at most 3", p)
	}
	w.echoes(t, 10)
}

func byPattern(t *testing.T, w *world) {
	w.Topic(t, "in-1", 0)
	w.Topic(t, "in-2", 0)
	w.Topic(t, "other", 0)
	w.start(t)
	w.send(t, "in-1", true, texts("a")...)
	w.send(t, "in-2", true, texts("b")...)
	w.send(t, "other", true, texts("c")...)
	w.gives(t, "out", "a", "b")
}

func (w *world) admin(t *testing.T, method, topic, what string, out any) {
	t.Helper()
	if err := w.Admin(t.Context(), method, "/admin/v2/"+strings.Replace(w.Full(topic), "://", "/", 1)+what, nil, out); err != nil {
		t.Fatal(err)
	}
}

func (w *world) compact(t *testing.T, topic string) {
	t.Helper()
	w.admin(t, http.MethodPut, topic, "/compaction", nil)
	pulsartest.Eventually(t, topic+" is compacted", func() bool {
		var s struct {
			Status string `json:"status"`
		}
		w.admin(t, http.MethodGet, topic, "/compaction", &s)
		return s.Status == "SUCCESS"
	})
}

func outputTrials() map[string]trial {
	produces := func(p spec.Producer) func(w *world) { return func(w *world) { w.c.Output.Producer = &p } }
	batching := func(b spec.Batching) func(w *world) { return produces(spec.Producer{Batching: &b}) }
	eachAtMost := func(most int) func(t *testing.T, w *world) {
		return func(t *testing.T, w *world) {
			w.start(t)
			for id, inside := range entries(w.echoes(t, 10)) {
				if len(inside) > most {
					t.Errorf("entry %d holds %d messages, want at most %d", id, len(inside), most)
				}
			}
		}
	}
	return map[string]trial{
		"output.topic": {
			set: func(w *world) { w.c.Output.Topic = "elsewhere" },
			shown: func(t *testing.T, w *world) {
				w.start(t)
				w.send(t, "in", true, texts("a")...)
				w.gives(t, "elsewhere", "a")
			},
		},
		"output.connection": {
			set: func(w *world) {
				w.brokers = map[string]wire.Broker{"": w.Broker(), "eu": w.Broker()}
				w.c.Output.Connection = "eu"
			},
			shown: func(t *testing.T, w *world) { w.start(t); w.echoes(t, 3) },
		},
		"output.schema": {
			set: func(w *world) {
				w.c.Output.Schema = "json"
				w.code = "def process(input, context):\n    return {'n': input}\n"
			},
			shown: func(t *testing.T, w *world) {
				w.start(t)
				w.send(t, "in", true, texts("a")...)
				var got map[string]string
				if err := json.Unmarshal(w.stored(t, "out", 1)[0].Value, &got); err != nil || got["n"] != "a" {
					t.Errorf("got %v, %v", got, err)
				}
			},
		},
		"output.producer.compression": {shown: compressed},
		"output.producer.max_pending_messages": {
			set:   produces(spec.Producer{MaxPendingMessages: new(1)}),
			shown: func(t *testing.T, w *world) { w.start(t); w.echoes(t, 50) },
		},
		"output.producer.batching.enabled":      {set: batching(spec.Batching{Enabled: new(false)}), shown: eachAtMost(1)},
		"output.producer.batching.max_messages": {set: batching(spec.Batching{MaxMessages: new(3)}), shown: eachAtMost(3)},
		"output.producer.batching.max_bytes":    {set: batching(spec.Batching{MaxBytes: new(2500)}), shown: bounded},
		"output.producer.batching.max_publish_delay_ms": {
			// It is the longest that a message may wait; nothing comes after these.
			set:   batching(spec.Batching{MaxPublishDelayMs: new(int64(1))}),
			shown: func(t *testing.T, w *world) { w.start(t); w.echoes(t, 3) },
		},
		"output.producer.batching.builder": {set: batching(spec.Batching{Builder: "key_based"}), shown: byKey},
	}
}

// compressed reads the codec of what was written with each compression.
func compressed(t *testing.T, w *world) {
	w.c.Output.Producer = &spec.Producer{}
	for _, word := range append(spec.Compressions(), "") {
		w.c.Name, w.c.Output.Topic, w.c.Output.Producer.Compression = "f"+word, "out"+word, word
		w.start(t)
		w.send(t, "in", true, texts(strings.Repeat("a", 500), strings.Repeat("b", 500))...)
		w.stored(t, w.c.Output.Topic, 2)
		want := word
		if word == "" {
			want = "lz4"
		}
		if got := w.codec(t, w.c.Output.Topic); got != want {
			t.Errorf("%q wrote %s", word, got)
		}
	}
}

// codec is how the first entry of a topic is compressed.
func (w *world) codec(t *testing.T, topic string) (name string) {
	t.Helper()
	w.look(t, topic, func(d *subscription.Delivery) {
		if d.Err != nil {
			t.Fatal(d.Err)
		}
		name = d.Entry.Codec.String()
	})
	return name
}

// encrypted tells whether the first entry of a topic needs a key.
func (w *world) encrypted(t *testing.T, topic string) (is bool) {
	t.Helper()
	w.look(t, topic, func(d *subscription.Delivery) { is = d.Entry.Encrypted() })
	return is
}

// look hands over the first entry of a topic as it is stored.
func (w *world) look(t *testing.T, topic string, at func(*subscription.Delivery)) {
	t.Helper()
	client, err := conn.New(w.Broker(), conn.Options{})
	if err != nil {
		t.Fatal(err)
	}
	defer client.Close()
	sub, err := subscription.Open(t.Context(), subscription.Options{Client: client, Topic: w.Full(topic), Name: "look", Mode: wire.Exclusive, Earliest: true})
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = sub.Close(context.WithoutCancel(t.Context())) }()
	d, err := sub.Receive(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	defer d.Release()
	at(d)
}

func bounded(t *testing.T, w *world) {
	w.start(t)
	var values []string
	for i := range 10 {
		values = append(values, strings.Repeat(string(rune('a'+i)), 1000))
	}
	w.send(t, "in", true, texts(values...)...)
	for id, inside := range entries(w.gives(t, "out", values...)) {
		if len(inside) > 2 {
			t.Errorf("entry %d holds %d messages of 1000 bytes, want at most 2", id, len(inside))
		}
	}
}

func byKey(t *testing.T, w *world) {
	w.code = "def process(input, context):\n    context.publish(context.get_output_topic(), input, message_conf={'partition_key': input[:1]})\n"
	w.start(t)
	w.send(t, "in", true, texts("a1", "b1", "a2", "b2", "a3", "b3")...)
	for id, inside := range entries(w.gives(t, "out", "a1", "b1", "a2", "b2", "a3", "b3")) {
		for _, m := range inside {
			if m.Key == "" || m.Key != inside[0].Key {
				t.Errorf("entry %d holds keys %q and %q", id, inside[0].Key, m.Key)
			}
		}
	}
}
