//go:build linux || darwin

package instance_test

import (
	"encoding/hex"
	"encoding/json"
	"fmt"
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	pulsario "github.com/apache/pulsar-client-go/pulsar"
	"github.com/google/go-cmp/cmp"
	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials/insecure"
	"google.golang.org/protobuf/types/known/emptypb"

	"github.com/functionmesh/terraform-provider-functionmesh/internal/spec"
	"github.com/functionmesh/terraform-provider-functionmesh/runner/broker/pulsar/pulsartest"
	"github.com/functionmesh/terraform-provider-functionmesh/runner/probe/controlpb"
)

// tellers are one function in every language.
func tellers(t *testing.T) map[string]func(w *world) {
	t.Helper()
	native, module := filepath.Join(t.TempDir(), "tell"), filepath.Join(t.TempDir(), "tell.wasm")
	for out, env := range map[string][]string{native: nil, module: {"GOOS=wasip1", "GOARCH=wasm"}} {
		args := []string{"build", "-o", out, "./internal/tell"}
		if env != nil {
			args = slices.Insert(args, 1, "-buildmode=c-shared")
		}
		cmd := exec.CommandContext(t.Context(), "go", args...)
		cmd.Dir, cmd.Env = filepath.Join("..", "sdk", "go"), append(os.Environ(), env...)
		if text, err := cmd.CombinedOutput(); err != nil {
			t.Fatalf("%v\n%s", err, text)
		}
	}
	script, err := filepath.Abs(filepath.Join("testdata", "tell.py"))
	if err != nil {
		t.Fatal(err)
	}
	at := func(file string) func(*testing.T) string { return func(*testing.T) string { return file } }
	return map[string]func(w *world){
		"go":   func(w *world) { w.place, w.c.Runtime = at(native), &spec.Runtime{Go: &spec.Code{File: "tell"}} },
		"wasm": func(w *world) { w.place, w.c.Runtime = at(module), &spec.Runtime{WASM: &spec.Code{File: "tell.wasm"}} },
		"python": func(w *world) {
			w.place, w.c.Runtime = at(script), &spec.Runtime{Python: &spec.Code{File: "tell.py", Class: "tell.Tell"}}
		},
	}
}

const traced = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"

// The same function in each language is told the same of its messages, by both data
// paths, and every part of its context has its effect.
func TestPulsarContext(t *testing.T) {
	need(t, "python3")
	languages := tellers(t)
	compiled := t.TempDir()
	for _, path := range bothPaths() {
		for name, shown := range map[string]func(*testing.T, *world, map[string]func(*world)){"Told": isTold, "ByHand": settlesByHand} {
			t.Run(name+"/"+path, func(t *testing.T) {
				w := newWorld(t, path)
				w.compiled = compiled
				shown(t, w, languages)
				w.drain(t)
			})
		}
	}
}

func isTold(t *testing.T, w *world, languages map[string]func(*world)) {
	for _, topic := range []string{"in", "side"} {
		w.Topic(t, topic, 0)
	}
	w.secrets = map[string]string{"KEY": "hush"}
	w.c.Secrets = map[string]spec.SecretRef{"KEY": {Name: "n", Key: "k"}}
	w.c.UserConfig = spec.JSON(fmt.Sprintf(`{"region":"eu","side":%q}`, w.Full("side")))
	w.c.LogTopic, w.c.ForwardSourceMessageProperty, w.c.NegativeAckRedeliveryDelayMs = "logs", new(false), new(int64(100))
	for _, name := range slices.Sorted(maps.Keys(languages)) {
		w.c.Name, w.c.Output.Topic = name, name
		languages[name](w)
		w.start(t)
	}
	w.publishTraced(t)
	told := map[string][]map[string]any{}
	for name := range languages {
		told[name] = w.told(t, name)
	}
	for _, other := range []string{"wasm", "python"} {
		if diff := cmp.Diff(told["go"], told[other]); diff != "" {
			t.Errorf("go (-) and %s (+): %s", other, diff)
		}
	}
	w.asStored(t, told["go"])
	w.sideEffects(t)
	for _, r := range w.started {
		controlled(t, r)
	}
}

// publishTraced writes a batch of two, and one that fails once, all with a schema.
func (w *world) publishTraced(t *testing.T) {
	t.Helper()
	p, err := w.Client(t).CreateProducer(pulsario.ProducerOptions{
		Topic: w.Full("in"), BatchingMaxPublishDelay: time.Hour, Schema: pulsario.NewStringSchema(nil),
	})
	if err != nil {
		t.Fatal(err)
	}
	defer p.Close()
	for i, value := range []string{"one", "two", "again"} {
		p.SendAsync(t.Context(), &pulsario.ProducerMessage{
			Payload: []byte(value), Key: "k" + value, EventTime: time.UnixMilli(1700000000000 + int64(i)),
			Properties: map[string]string{"p": value, "traceparent": traced},
		}, func(_ pulsario.MessageID, _ *pulsario.ProducerMessage, err error) {
			if err != nil {
				t.Errorf("send: %v", err)
			}
		})
		if value == "one" {
			continue // it is stored with the next
		}
		if err := p.FlushWithCtx(t.Context()); err != nil {
			t.Fatal(err)
		}
	}
}

// told is what a language said of the three messages, in order, without what says which
// language it was.
func (w *world) told(t *testing.T, name string) []map[string]any {
	t.Helper()
	var all []map[string]any
	for _, m := range w.stored(t, name, 3) {
		if m.Properties["traceparent"] != traced || m.Properties["p"] != "" {
			t.Errorf("%s: an output with the properties %v", name, m.Properties)
		}
		var one map[string]any
		if err := json.Unmarshal(m.Value, &one); err != nil {
			t.Fatalf("%s: %s: %v", name, m.Value, err)
		}
		if one["function"] != w.Name+"/"+name || one["output"] != w.Full(name) {
			t.Errorf("%s says %v", name, one)
		}
		delete(one, "function")
		delete(one, "output")
		all = append(all, one)
	}
	slices.SortFunc(all, func(a, b map[string]any) int { return int(a["event"].(float64) - b["event"].(float64)) }) //nolint:forcetypeassert // a number of JSON
	return all
}

// asStored compares what was told with what the input holds.
func (w *world) asStored(t *testing.T, told []map[string]any) {
	t.Helper()
	for i, m := range w.ReadAll(t, w.Full("in"), 0) {
		got := told[i]
		raw, err := hex.DecodeString(got["id"].(string)) //nolint:forcetypeassert // every language gives a text
		if err != nil {
			t.Fatal(err)
		}
		id, err := pulsario.DeserializeMessageID(raw)
		if err != nil {
			t.Fatal(err)
		}
		if id.LedgerID() != m.ID.LedgerID() || id.EntryID() != m.ID.EntryID() || i < 2 && int(id.BatchIdx()) != i {
			t.Errorf("the id of message %d is %v, want %v", i, id, m.ID)
		}
		published, _ := got["published"].(float64)
		if age := time.Since(time.UnixMilli(int64(published))); age < 0 || age > time.Hour {
			t.Errorf("published %s ago", age)
		}
		delete(got, "id")
		delete(got, "published")
		want := map[string]any{
			"value": string(m.Value), "key": "k" + string(m.Value), "event": float64(1700000000000 + i),
			"properties": map[string]any{"p": string(m.Value), "traceparent": traced}, "trace": traced,
			"topic": w.Full("in"), "input": w.Full("in"), "partition": float64(-1), "redelivery": float64(i / 2), "schema": "0000000000000000",
			"instance": float64(0), "instances": float64(1), "region": "eu", "secret": "hush",
		}
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("message %d (-want +got):\n%s", i, diff)
		}
	}
}

// sideEffects looks at what was published by name, at the log and at the metrics.
func (w *world) sideEffects(t *testing.T) {
	t.Helper()
	count := map[string]int{}
	for _, m := range w.stored(t, "side", 9) {
		if m.Key != "side" || m.Properties["a"] != "b" || m.Properties["traceparent"] != traced {
			t.Errorf("published: key %q, properties %v", m.Key, m.Properties)
		}
		count[string(m.Value)]++
	}
	if diff := cmp.Diff(map[string]int{"one": 3, "two": 3, "again": 3}, count); diff != "" {
		t.Errorf("published (-want +got):\n%s", diff)
	}
	pulsartest.Eventually(t, "three lines of each language are in the log topic", func() bool {
		lines := 0
		for _, m := range w.ReadAll(t, w.Full("logs"), 0) {
			if strings.Contains(string(m.Value), "told ") {
				lines++
			}
		}
		return lines == 9
	})
}

// controlled asks what Pulsar's own tools ask an instance.
func controlled(t *testing.T, r *running) {
	t.Helper()
	c, err := grpc.NewClient(r.file.Control, grpc.WithTransportCredentials(insecure.NewCredentials()))
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	var status controlpb.FunctionStatus
	var metrics controlpb.MetricsData
	var health controlpb.HealthCheckResult
	for method, out := range map[string]any{"GetFunctionStatus": &status, "GetMetrics": &metrics, "HealthCheck": &health} {
		if err := c.Invoke(t.Context(), "/proto.InstanceControl/"+method, &emptypb.Empty{}, out); err != nil {
			t.Errorf("%s: %v", method, err)
		}
	}
	name := r.file.Component.Name
	if !status.GetRunning() || !health.GetSuccess() || status.GetNumReceived() != 4 || status.GetNumSuccessfullyProcessed() != 3 || status.GetNumUserExceptions() != 1 ||
		len(status.GetLatestUserExceptions()) != 1 || !strings.Contains(status.GetLatestUserExceptions()[0].GetExceptionString(), "asked to fail once") {
		t.Errorf("%s: status %v", name, &status)
	}
	if metrics.GetReceivedTotal() != 4 || metrics.GetProcessedSuccessfullyTotal() != 3 || metrics.GetUserMetrics()["told_sum"] != 7.5 {
		t.Errorf("%s: metrics %v", name, &metrics)
	}
	_, text := r.get(t, "/metrics")
	for _, series := range []string{"pulsar_function_received_total{", "pulsar_function_processed_successfully_total{", "pulsar_function_user_exceptions_total{", `metric="told"`} {
		if !strings.Contains(text, series) {
			t.Errorf("%s: there is no %s among the metrics", name, series)
		}
	}
}

// settlesByHand acknowledges and hands back by hand.
func settlesByHand(t *testing.T, w *world, languages map[string]func(*world)) {
	w.c.UserConfig, w.c.ProcessingGuarantees, w.c.NegativeAckRedeliveryDelayMs = `{"by_hand":"yes"}`, spec.Manual, new(int64(100))
	subscriptions := map[string]string{}
	for _, name := range slices.Sorted(maps.Keys(languages)) {
		w.c.Name, w.c.Output.Topic = name, name
		languages[name](w)
		w.start(t)
		subscriptions[name] = spec.SubscriptionName(w.c)
	}
	w.send(t, "in", false, texts("a", "leave", "back", "b")...)
	for name, subscription := range subscriptions {
		w.gives(t, name, "a", "leave", "back", "b")
		pulsartest.Eventually(t, name+": one message is not acknowledged", func() bool {
			return w.Backlog(t, w.Full("in"), subscription) == 1
		})
	}
}
