//go:build linux || darwin

package instance_test

import (
	"crypto/sha256"
	"encoding/hex"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"

	pulsario "github.com/apache/pulsar-client-go/pulsar"
	"github.com/google/go-cmp/cmp"

	"github.com/functionmesh/terraform-provider-functionmesh/internal/spec"
	"github.com/functionmesh/terraform-provider-functionmesh/internal/wire"
	"github.com/functionmesh/terraform-provider-functionmesh/runner/broker/pulsar/pulsartest"
)

// world is one component on a real Pulsar, and what it runs.
type world struct {
	*pulsartest.Namespace
	c       spec.Component
	code    string // of a Python function; "": it answers what it is given
	place   func(t *testing.T) string
	brokers map[string]wire.Broker // nil: the one Pulsar, as the platform's own
	secrets map[string]string
	baseDir string // of connectors
	started []*running

	compiled string // where instances share what WASM is compiled to; "": each has its own
}

const echo = "def process(input, context):\n    return input\n"

func newWorld(t *testing.T, path string) *world {
	t.Helper()
	return worldOn(t, pulsartest.Need(t), path)
}

func worldOn(t *testing.T, s *pulsartest.Server, path string) *world {
	t.Helper()
	w := &world{Namespace: s.Namespace(t, pulsartest.Policies{Retention: true})}
	tenant, namespace, _ := strings.Cut(w.Name, "/")
	w.c = spec.Component{
		Kind: spec.KindFunction, Tenant: tenant, Namespace: namespace, Name: "f",
		Runtime: &spec.Runtime{Python: &spec.Code{File: "f.py", Class: "f.process"}},
		Inputs:  map[string]spec.Input{"in": {}}, Output: &spec.Output{Topic: "out"},
		Subscription: &spec.Subscription{Position: spec.Earliest}, DataPath: path,
	}
	w.place = w.python
	return w
}

func (w *world) python(t *testing.T) string {
	t.Helper()
	need(t, "python3")
	file := filepath.Join(t.TempDir(), "f.py")
	code := w.code
	if code == "" {
		code = echo
	}
	if err := os.WriteFile(file, []byte(code), 0o600); err != nil {
		t.Fatal(err)
	}
	return file
}

// files are those of all instances, made as a platform makes them: validated, its topics
// there.
func (w *world) files(t *testing.T) []wire.File {
	t.Helper()
	if problems := append(spec.ValidateComponent(w.c), spec.Honour(spec.PlatformRunner, w.c)...); spec.HasErrors(problems) {
		t.Fatalf("it is not honoured: %v", problems)
	}
	known := w.brokers
	if known == nil {
		known = map[string]wire.Broker{"": w.Broker()}
	}
	facts := wire.Facts{Platform: "test", Brokers: known, Secrets: w.secrets, Partitions: map[wire.Stream]int{}}
	for _, s := range wire.StreamsOf(w.c) {
		if !s.Pattern && strings.HasPrefix(s.Topic, w.Full("")) {
			w.Topic(t, strings.TrimPrefix(s.Topic, w.Full("")), 0)
		}
	}
	if w.c.Runtime != nil {
		facts.Code.File = w.place(t)
		code, err := os.ReadFile(facts.Code.File)
		if err != nil {
			t.Fatal(err)
		}
		sum := sha256.Sum256(code)
		facts.Code.CacheDir, facts.Code.SHA256 = w.compiled, hex.EncodeToString(sum[:])
	}
	first, err := wire.FromComponent(w.c, facts)
	if err != nil {
		t.Fatal(err)
	}
	files := make([]wire.File, first.Instance.Parallelism)
	for id := range files {
		dir, err := os.MkdirTemp("", "fm") //nolint:usetesting // socket paths are short
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { _ = os.RemoveAll(dir) })
		files[id] = first
		files[id].Instance.ID = id
		files[id].BaseDir, files[id].WorkDir, files[id].Probe = w.baseDir, filepath.Join(dir, "work"), "unix:"+filepath.Join(dir, "probe")
		files[id].Control = "unix:" + filepath.Join(dir, "control")
	}
	return files
}

// start runs the component until it is ready.
func (w *world) start(t *testing.T) {
	t.Helper()
	for _, f := range w.files(t) {
		r := start(t, f)
		w.started = append(w.started, r)
	}
	for _, r := range w.started {
		r.ready(t)
	}
}

// ready waits until the instance does its work.
func (r *running) ready(t *testing.T) {
	t.Helper()
	pulsartest.Eventually(t, "an instance is ready", func() bool {
		select {
		case err := <-r.done:
			t.Fatalf("the instance ended: %v", err)
		default:
		}
		return r.status(t).Ready
	})
}

// drain ends what was started, in order.
func (w *world) drain(t *testing.T) {
	t.Helper()
	for _, r := range w.started {
		_ = r.life.Close()
		if err := <-r.done; err != nil {
			t.Errorf("drained with %v", err)
		}
	}
}

// send publishes messages one by one; batched puts them into one entry.
func (w *world) send(t *testing.T, topic string, batched bool, messages ...pulsario.ProducerMessage) {
	t.Helper()
	p, err := w.Client(t).CreateProducer(pulsario.ProducerOptions{
		Topic: w.Full(topic), DisableBatching: !batched, BatchingMaxMessages: uint(len(messages)), BatchingMaxPublishDelay: pulsartest.Patience,
	})
	if err != nil {
		t.Fatal(err)
	}
	defer p.Close()
	for i := range messages {
		p.SendAsync(t.Context(), &messages[i], func(_ pulsario.MessageID, _ *pulsario.ProducerMessage, err error) {
			if err != nil {
				t.Errorf("send: %v", err)
			}
		})
	}
	if err := p.FlushWithCtx(t.Context()); err != nil {
		t.Fatal(err)
	}
}

func texts(values ...string) []pulsario.ProducerMessage {
	messages := make([]pulsario.ProducerMessage, len(values))
	for i, v := range values {
		messages[i].Payload = []byte(v)
	}
	return messages
}

func numbered(n int) []string {
	values := make([]string, n)
	for i := range values {
		values[i] = "m" + strconv.Itoa(i)
	}
	return values
}

// stored waits until a topic holds n messages, in whatever order.
func (w *world) stored(t *testing.T, topic string, n int) []pulsartest.Stored {
	t.Helper()
	var all []pulsartest.Stored
	pulsartest.Eventually(t, strconv.Itoa(n)+" messages in "+topic, func() bool {
		all = w.ReadAll(t, w.Full(topic), 0)
		return len(all) >= n
	})
	return all
}

// gives checks that the output is exactly these values, in whatever order.
func (w *world) gives(t *testing.T, topic string, want ...string) []pulsartest.Stored {
	t.Helper()
	all := w.stored(t, topic, len(want))
	got := make([]string, len(all))
	for i, m := range all {
		got[i] = string(m.Value)
	}
	slices.Sort(got)
	want = slices.Sorted(slices.Values(want))
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("%s (-want +got):\n%s", topic, diff)
	}
	return all
}

// echoes feeds the component and expects the same back.
func (w *world) echoes(t *testing.T, n int) []pulsartest.Stored {
	t.Helper()
	w.send(t, "in", true, texts(numbered(n)...)...)
	return w.gives(t, "out", numbered(n)...)
}

func (w *world) subscription(t *testing.T) pulsartest.SubscriptionStats {
	t.Helper()
	return w.Stats(t, w.Full("in")).Subscriptions[spec.SubscriptionName(w.c)]
}

// entries groups what a topic holds by the entry that it is stored in.
func entries(all []pulsartest.Stored) map[int64][]pulsartest.Stored {
	found := map[int64][]pulsartest.Stored{}
	for _, m := range all {
		id := m.ID.LedgerID()<<32 | m.ID.EntryID()
		found[id] = append(found[id], m)
	}
	return found
}

// trial sets one setting and shows what it does.
type trial struct {
	paths []string // nil: both
	set   func(w *world)
	shown func(t *testing.T, w *world) // starts the component itself
}

// R8: each setting that our runner honours on a Pulsar does there what it says, by both
// data paths. The names are the settings of the table; a test of the table looks for them.
func TestPulsarSettings(t *testing.T) {
	all := map[string]trial{}
	for _, group := range []map[string]trial{codeTrials(), connectorTrials(), inputTrials(), outputTrials(), subscriptionTrials(), deliveryTrials(), failureTrials(), runningTrials(), cryptoTrials()} {
		maps.Copy(all, group)
	}
	for _, name := range slices.Sorted(maps.Keys(all)) {
		trial := all[name]
		if trial.paths == nil {
			trial.paths = []string{spec.EntryPath, spec.CompatiblePath}
		}
		for _, path := range trial.paths {
			t.Run(name+"/"+path, func(t *testing.T) {
				w := newWorld(t, path)
				if trial.set != nil {
					trial.set(w)
				}
				trial.shown(t, w)
				w.drain(t)
			})
		}
	}
}
