//go:build linux || darwin

package instance_test

import (
	"fmt"
	"runtime"
	"slices"
	"strconv"
	"strings"
	"testing"

	pulsario "github.com/apache/pulsar-client-go/pulsar"
	"github.com/apache/pulsar-client-go/pulsar/crypto"

	"github.com/functionmesh/terraform-provider-functionmesh/internal/spec"
	"github.com/functionmesh/terraform-provider-functionmesh/runner/broker/pulsar/pulsartest"
)

func subscriptionTrials() map[string]trial {
	return map[string]trial{
		"subscription.name": {
			set: func(w *world) { w.c.Subscription.Name = "mine" },
			shown: func(t *testing.T, w *world) {
				w.start(t)
				w.echoes(t, 3)
				w.Settled(t, w.Full("in"), "mine")
			},
		},
		"subscription.position": {
			set: func(w *world) { w.c.Subscription.Position = spec.Latest },
			shown: func(t *testing.T, w *world) {
				w.send(t, "in", true, texts("before")...)
				w.start(t)
				w.send(t, "in", true, texts("after")...)
				w.gives(t, "out", "after")
			},
		},
		"subscription.type": {
			shown: func(t *testing.T, w *world) {
				for kind, want := range map[spec.SubscriptionType]string{
					spec.Shared: "Shared", spec.Failover: "Failover", spec.KeyShared: "Key_Shared", spec.Exclusive: "Exclusive",
				} {
					w.c.Name, w.c.Output.Topic, w.c.Subscription.Type = string(kind), string(kind), kind
					w.start(t)
					w.is(t, want)
				}
				w.send(t, "in", true, texts(numbered(5)...)...)
				for _, topic := range []string{"shared", "failover", "key_shared", "exclusive"} {
					w.gives(t, topic, numbered(5)...)
				}
			},
		},
		"skip_to_latest": {
			set: func(w *world) { w.c.SkipToLatest = new(true) },
			shown: func(t *testing.T, w *world) {
				w.Topic(t, "in", 0)
				w.Subscribe(t, w.Full("in"), spec.SubscriptionName(w.c), "earliest")
				w.send(t, "in", true, texts("before")...)
				w.start(t)
				w.send(t, "in", true, texts("after")...)
				w.gives(t, "out", "after")
			},
		},
		"retain_ordering": {
			set: func(w *world) { w.c.RetainOrdering = new(true) },
			shown: func(t *testing.T, w *world) {
				w.start(t)
				w.is(t, "Failover")
				w.inOrder(t, w.echoes(t, 50))
			},
		},
		"retain_key_ordering": {
			set: func(w *world) { w.c.RetainKeyOrdering = new(true) },
			shown: func(t *testing.T, w *world) {
				w.start(t)
				w.is(t, "Key_Shared")
				w.send(t, "in", false, keyed("k", numbered(20)...)...)
				w.inOrder(t, w.gives(t, "out", numbered(20)...))
			},
		},
		"cleanup_subscription": {
			// The platform deletes it; an instance that ends leaves it there.
			set: func(w *world) { w.c.CleanupSubscription = new(true) },
			shown: func(t *testing.T, w *world) {
				w.start(t)
				w.echoes(t, 3)
				if names := w.Subscriptions(t, w.Full("in")); !slices.Contains(names, spec.SubscriptionName(w.c)) {
					t.Errorf("got %q", names)
				}
			},
		},
	}
}

// is waits until the broker says of what type the subscription is.
func (w *world) is(t *testing.T, want string) {
	t.Helper()
	pulsartest.Eventually(t, "a subscription of type "+want, func() bool {
		sub := w.subscription(t)
		return len(sub.Consumers) > 0 && sub.Type == want
	})
}

func (w *world) inOrder(t *testing.T, all []pulsartest.Stored) {
	t.Helper()
	for i, m := range all {
		if string(m.Value) != "m"+strconv.Itoa(i) {
			t.Fatalf("message %d is %q", i, m.Value)
		}
	}
}

// byHand acknowledges all but one message.
const byHand = `def process(input, context):
    if input != 'leave':
        context.ack(context.get_message_id(), context.get_current_message_topic_name())
    return input
`

func acknowledgesByHand(t *testing.T, w *world) {
	w.code, w.c.ProcessingGuarantees = byHand, spec.Manual
	w.start(t)
	w.send(t, "in", false, texts("a", "leave", "b")...)
	w.gives(t, "out", "a", "leave", "b")
	pulsartest.Eventually(t, "one message not acknowledged", func() bool {
		return w.Backlog(t, w.Full("in"), spec.SubscriptionName(w.c)) == 1
	})
}

func deliveryTrials() map[string]trial {
	return map[string]trial{
		"processing_guarantees": {
			shown: func(t *testing.T, w *world) {
				guarantees := []spec.Guarantee{spec.AtLeastOnce, spec.AtMostOnce}
				if w.c.DataPath == spec.EntryPath {
					guarantees = append(guarantees, spec.EffectivelyOnce)
				}
				w.SetDeduplication(t, true)
				for _, g := range guarantees {
					w.c.Name, w.c.Output.Topic, w.c.ProcessingGuarantees = string(g), string(g), g
					w.start(t)
				}
				w.send(t, "in", true, texts(numbered(20)...)...)
				for _, g := range guarantees {
					w.gives(t, string(g), numbered(20)...)
					w.Settled(t, w.Full("in"), w.Name+"/"+string(g))
				}
				w.c.Name, w.c.Output.Topic, w.c.Inputs = "manual", "out", map[string]spec.Input{"in": {}}
				w.c.Subscription.Position = spec.Latest
				acknowledgesByHand(t, w)
			},
		},
		"auto_ack": {
			set:   func(w *world) { w.c.AutoAck = new(false) },
			shown: acknowledgesByHand,
		},
		"forward_source_message_property": {
			shown: func(t *testing.T, w *world) {
				for name, forward := range map[string]*bool{"unset": nil, "on": new(true), "off": new(false)} {
					w.c.Name, w.c.Output.Topic, w.c.ForwardSourceMessageProperty = name, name, forward
					w.start(t)
				}
				message := texts("a")
				message[0].Properties = map[string]string{"p": "q"}
				w.send(t, "in", true, message...)
				for name, want := range map[string]string{"unset": "q", "on": "q", "off": ""} {
					if got := w.stored(t, name, 1)[0].Properties["p"]; got != want {
						t.Errorf("%s: got property %q, want %q", name, got, want)
					}
				}
			},
		},
		"data_path": {
			shown: func(t *testing.T, w *world) {
				for _, f := range w.files(t) {
					if string(f.Path) != w.c.DataPath {
						t.Errorf("the path is %q", f.Path)
					}
				}
				w.start(t)
				w.echoes(t, 5)
			},
		},
		"log_topic": {
			set: func(w *world) {
				w.c.LogTopic = "logs"
				w.code = "def process(input, context):\n    context.get_logger().warning('seen %s', input)\n    return input\n"
			},
			shown: func(t *testing.T, w *world) {
				w.start(t)
				w.send(t, "in", true, texts("a")...)
				w.gives(t, "out", "a")
				pulsartest.Eventually(t, "the log in its topic", func() bool {
					return slices.ContainsFunc(w.ReadAll(t, w.Full("logs"), 0), func(m pulsartest.Stored) bool { return strings.Contains(string(m.Value), "seen a") })
				})
			},
		},
	}
}

// fails refuses one message always.
const fails = "def process(input, context):\n    if input == 'bad':\n        raise ValueError('bad one')\n    return input\n"

// leaks holds more memory than it may for one message, and waits to be found.
const leaks = `import time

held = []

def process(input, context):
    if input == 'leak':
        held.append(b'x' * (400 << 20))
        time.sleep(600)
    return input
`

func failureTrials() map[string]trial {
	return map[string]trial{
		"max_message_retries": {
			set: func(w *world) { w.code, w.c.MaxMessageRetries = fails, new(2) },
			shown: func(t *testing.T, w *world) {
				w.start(t)
				w.send(t, "in", true, texts("a", "bad", "b")...)
				w.gives(t, "out", "a", "b")
				dead := strings.TrimPrefix(spec.DeadLetterTopic(w.c), w.Full(""))
				w.gives(t, dead, "bad")
				if n := w.started[0].status(t).UserExceptions; n != 3 {
					t.Errorf("it was tried %d times, want 3", n)
				}
				w.Settled(t, w.Full("in"), spec.SubscriptionName(w.c))
			},
		},
		"dead_letter_topic": {
			set: func(w *world) { w.code, w.c.MaxMessageRetries, w.c.DeadLetterTopic = fails, new(0), "dead" },
			shown: func(t *testing.T, w *world) {
				w.start(t)
				w.send(t, "in", true, texts("bad", "a")...)
				w.gives(t, "out", "a")
				w.gives(t, "dead", "bad")
			},
		},
		"timeout_ms": {
			set: func(w *world) {
				w.code = "import time\n\ndef process(input, context):\n    if input == 'slow':\n        time.sleep(600)\n    return input\n"
				w.c.TimeoutMs, w.c.MaxMessageRetries, w.c.DeadLetterTopic = new(int64(2000)), new(0), "dead"
			},
			shown: func(t *testing.T, w *world) {
				w.start(t)
				w.send(t, "in", true, texts("slow", "a")...)
				w.gives(t, "dead", "slow")
				w.gives(t, "out", "a")
			},
		},
		"negative_ack_redelivery_delay_ms": {
			set: func(w *world) {
				w.c.NegativeAckRedeliveryDelayMs = new(int64(700))
				w.code = `import time

first = {}

def process(input, context):
    if input not in first:
        first[input] = time.time()
        raise ValueError('not yet')
    return str(int((time.time() - first[input]) * 1000))
`
			},
			shown: func(t *testing.T, w *world) {
				w.start(t)
				w.send(t, "in", false, texts("x")...)
				waited, err := strconv.Atoi(string(w.stored(t, "out", 1)[0].Value))
				if err != nil || waited < 650 { // two clocks and whole milliseconds
					t.Errorf("it came again after %d ms, want 700: %v", waited, err)
				}
			},
		},
	}
}

func runningTrials() map[string]trial {
	return map[string]trial{
		"parallelism": {
			set: func(w *world) { w.c.Parallelism = new(3) },
			shown: func(t *testing.T, w *world) {
				w.start(t)
				if n := len(w.subscription(t).Consumers); n != 3 {
					t.Errorf("%d consumers, want 3", n)
				}
				w.send(t, "in", false, texts(numbered(30)...)...)
				w.gives(t, "out", numbered(30)...)
			},
		},
		"resources.memory": {
			set: func(w *world) {
				w.c.Resources = &spec.Resources{Memory: "128Mi"}
				w.c.MaxMessageRetries, w.c.DeadLetterTopic = new(0), "dead"
				if runtime.GOOS == "linux" { // elsewhere a process cannot be limited: a module can
					w.code = leaks
					return
				}
				w.c.Runtime = &spec.Runtime{WASM: &spec.Code{File: "exclaim.wasm"}}
				w.place = func(t *testing.T) string { return goExample(t, "exclaim", "GOOS=wasip1", "GOARCH=wasm") }
			},
			shown: func(t *testing.T, w *world) {
				for _, f := range w.files(t) {
					if f.Limits.MemoryBytes != 128<<20 {
						t.Errorf("the limit is %d", f.Limits.MemoryBytes)
					}
				}
				w.start(t)
				if runtime.GOOS != "linux" {
					w.send(t, "in", true, texts("a")...)
					w.gives(t, "out", "a!")
					return
				}
				w.send(t, "in", true, texts("a", "leak", "b")...)
				w.gives(t, "out", "a", "b")
				w.gives(t, "dead", "leak")
			},
		},
	}
}

func connectorTrials() map[string]trial {
	// A source numbers messages, a sink appends them to a file.
	both := trial{shown: func(t *testing.T, w *world) {
		w.baseDir = t.TempDir()
		w.c = spec.Component{
			Kind: spec.KindSink, Tenant: w.c.Tenant, Namespace: w.c.Namespace, Name: "store", DataPath: w.c.DataPath,
			Builtin: "file", Config: `{"path":"out.txt"}`, Inputs: map[string]spec.Input{"out": {}}, Subscription: w.c.Subscription,
		}
		w.start(t)
		w.c = spec.Component{
			Kind: spec.KindSource, Tenant: w.c.Tenant, Namespace: w.c.Namespace, Name: "intake", DataPath: w.c.DataPath,
			Builtin: "generator", Config: `{"count":5,"template":"line {n}"}`, Output: &spec.Output{Topic: "out"},
		}
		w.start(t)
		w.gives(t, "out", "line 0", "line 1", "line 2", "line 3", "line 4")
		pulsartest.Eventually(t, "five lines", func() bool { return w.started[0].out(t) == lines("") })
	}}
	return map[string]trial{"builtin": both, "config": both}
}

// keys are a key pair, and cryptoConfig that uses it.
func keys(t *testing.T) (config spec.JSON, public, private string) {
	t.Helper()
	public, private = pulsartest.Keys(t)
	return spec.JSON(fmt.Sprintf(`{"cryptoKeyReaderConfig":{"defaultPublicKey":"file://%s","defaultPrivateKey":"file://%s"},"encryptionKeys":["k"]}`, public, private)), public, private
}

func cryptoTrials() map[string]trial {
	return map[string]trial{
		`inputs[*].extra["cryptoConfig"]`: {paths: onlyCompatible(), shown: func(t *testing.T, w *world) {
			config, public, private := keys(t)
			w.c.Inputs["in"] = spec.Input{Extra: map[string]spec.JSON{"cryptoConfig": config}}
			w.start(t)
			p, err := w.Client(t).CreateProducer(pulsario.ProducerOptions{Topic: w.Full("in"), Encryption: &pulsario.ProducerEncryptionInfo{
				KeyReader: crypto.NewFileKeyReader(public, private), Keys: []string{"k"},
			}})
			if err != nil {
				t.Fatal(err)
			}
			defer p.Close()
			if _, err := p.Send(t.Context(), &pulsario.ProducerMessage{Payload: []byte("a")}); err != nil {
				t.Fatal(err)
			}
			w.gives(t, "out", "a")
		}},
		`output.producer.extra["cryptoConfig"]`: {paths: onlyCompatible(), shown: func(t *testing.T, w *world) {
			config, public, private := keys(t)
			w.c.Output.Producer = &spec.Producer{Extra: map[string]spec.JSON{"cryptoConfig": config}}
			w.start(t)
			w.send(t, "in", true, texts("a")...)
			r, err := w.Client(t).CreateReader(pulsario.ReaderOptions{
				Topic: w.Full("out"), StartMessageID: pulsario.EarliestMessageID(),
				Decryption: &pulsario.MessageDecryptionInfo{KeyReader: crypto.NewFileKeyReader(public, private)},
			})
			if err != nil {
				t.Fatal(err)
			}
			defer r.Close()
			m, err := r.Next(t.Context())
			if err != nil || string(m.Payload()) != "a" || m.GetEncryptionContext() != nil {
				t.Errorf("got %+v, %v", m, err)
			}
			pulsartest.Eventually(t, "the entry is encrypted", func() bool { return w.encrypted(t, "out") })
		}},
	}
}
