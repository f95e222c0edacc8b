//go:build linux || darwin

package instance_test

import (
	"cmp"
	"encoding/base64"
	"encoding/json"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"

	pulsario "github.com/apache/pulsar-client-go/pulsar"
	gocmp "github.com/google/go-cmp/cmp"

	"github.com/functionmesh/terraform-provider-functionmesh/internal/spec"
	"github.com/functionmesh/terraform-provider-functionmesh/runner/broker/pulsar/pulsartest"
)

// official is Pulsar's own Python instance: its script, and an interpreter with its
// client. TESTPULSAR_DIST names the distribution.
func official(t *testing.T) (python, script, config string) {
	t.Helper()
	dist := os.Getenv("TESTPULSAR_DIST")
	python = filepath.Join(filepath.Dir(dist), "python", "bin", "python")
	script = filepath.Join(dist, "instances", "python-instance", "python_instance_main.py")
	config = filepath.Join(dist, "conf", "functions-logging", "logging_config.ini")
	for _, file := range []string{python, script, config} {
		if _, err := os.Stat(file); err != nil {
			if os.Getenv("FUNCTIONMESH_TEST_PULSAR") != "" && os.Getenv("FUNCTIONMESH_REQUIRE_ALL") == "1" {
				t.Fatal(err)
			}
			t.Skipf("Pulsar's Python instance is not there: %v", err)
		}
	}
	return python, script, config
}

func freePort(t *testing.T) string {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = l.Close() }()
	return strconv.Itoa(l.Addr().(*net.TCPAddr).Port) //nolint:forcetypeassert // it is TCP
}

// startOfficial runs the function from the same input to another output.
func (w *world) startOfficial(t *testing.T, class, config string) {
	t.Helper()
	python, script, logging := official(t)
	details, err := json.Marshal(map[string]any{
		"tenant": w.c.Tenant, "namespace": w.c.Namespace, "name": w.c.Name, "className": class, "userConfig": config,
		"runtime": "PYTHON", "autoAck": true, "parallelism": 1, "processingGuarantees": "ATLEAST_ONCE",
		"source": map[string]any{
			"inputSpecs": map[string]any{w.Full("in"): map[string]any{}}, "subscriptionName": "official", "subscriptionPosition": "EARLIEST",
		},
		"sink": map[string]any{"topic": w.Full("official")},
	})
	if err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	cmd := exec.CommandContext(t.Context(), python, script,
		"--py", w.place(t), "--logging_directory", dir, "--logging_file", "f", "--logging_config_file", logging,
		"--instance_id", "0", "--function_id", "id", "--function_version", "v", "--function_details", string(details),
		"--pulsar_serviceurl", w.URL, "--use_tls", "false", "--max_buffered_tuples", "100",
		"--port", freePort(t), "--metrics_port", freePort(t), "--expected_healthcheck_interval", "0", "--cluster_name", "test")
	cmd.Stderr = os.Stderr
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		_ = cmd.Process.Kill()
		_ = cmd.Wait()
	})
	pulsartest.Eventually(t, "Pulsar's own instance reads", func() bool {
		return len(w.Stats(t, w.Full("in")).Subscriptions["official"].Consumers) > 0
	})
}

// seen is what a reader of the output can tell of a message.
type seen struct {
	Key, Value string
	Properties map[string]string
	EventTime  int64
}

// asSeen takes out what is known to differ; the package of the worker says why.
func asSeen(all []pulsartest.Stored, ours bool) []seen {
	var out []seen
	for _, m := range all {
		s := seen{Value: string(m.Value), Properties: m.Properties}
		if id := m.Properties["__pfn_input_msg_id__"]; id != "" {
			s.Properties["__pfn_input_msg_id__"] = place(id)
		} else { // published by name: key and time are as the function gave them
			s.Key = m.Key
			if m.EventTime.Unix() > 0 {
				s.EventTime = m.EventTime.UnixMilli()
			}
		}
		if ours {
			delete(s.Properties, "p") // of the input: the official instance forwards none
		}
		if len(s.Properties) == 0 {
			s.Properties = nil
		}
		out = append(out, s)
	}
	slices.SortFunc(out, func(a, b seen) int { return strings.Compare(a.Value, b.Value) })
	return out
}

// place is ledger and entry of a serialised id: the alphabet of base64 and the number of
// messages in the entry differ between Pulsar's own runtimes too.
func place(id string) string {
	raw, err := base64.StdEncoding.DecodeString(strings.NewReplacer("-", "+", "_", "/").Replace(id))
	if err != nil {
		return err.Error()
	}
	m, err := pulsario.DeserializeMessageID(raw)
	if err != nil {
		return err.Error()
	}
	return strconv.FormatInt(m.LedgerID(), 10) + ":" + strconv.FormatInt(m.EntryID(), 10) + ":" + strconv.Itoa(int(m.BatchIdx()))
}

// TestPulsarPythonIsAsTheOfficialInstance: the same functions, unedited, and the same
// inputs give the same outputs and properties.
func TestPulsarPythonIsAsTheOfficialInstance(t *testing.T) {
	cases := map[string]struct {
		class  string // not that of the case's name
		inputs []string
		side   int // messages published to another topic
		none   int // inputs without an output
	}{
		"Exclaim": {inputs: []string{"a", "12", "é", "", "a b\n"}},
		"Kinds":   {inputs: []string{"42", " 7 ", "1_000", "1.5", "1e3", "inf", "nan", "1+2j", "j", "text", "", "\xff\xfe", "0x10", "True", "None"}},
		"Numbers": {inputs: []string{"int", "float", "complex", "bytes", "nothing", "inf", "x"}, none: 1},
		"Plain":   {class: "f", inputs: []string{"a", "12", "é"}},
		"Facts":   {inputs: []string{"a", "b"}},
		"Publish": {inputs: []string{"a", "b"}, side: 6},
	}
	code, err := os.ReadFile(filepath.Join("testdata", "official.py"))
	if err != nil {
		t.Fatal(err)
	}
	official(t)
	for name, c := range cases {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t, spec.EntryPath)
			w.code = string(code)
			w.c.Runtime.Python.File, w.c.Runtime.Python.Class = "f.py", cmp.Or(c.class, "f."+name)
			config := map[string]string{"region": "eu", "side": w.Full("side")}
			text, err := json.Marshal(config)
			if err != nil {
				t.Fatal(err)
			}
			w.c.UserConfig = spec.JSON(text)
			w.Topic(t, "side", 0)
			w.Topic(t, "official", 0)
			w.start(t)
			w.startOfficial(t, w.c.Runtime.Python.Class, string(text))
			var messages []pulsario.ProducerMessage
			for i, v := range c.inputs {
				m := pulsario.ProducerMessage{Payload: []byte(v)}
				if i%2 == 0 {
					m.Key, m.Properties = "k"+strconv.Itoa(i), map[string]string{"p": strconv.Itoa(i)}
				}
				messages = append(messages, m)
			}
			w.send(t, "in", false, messages[0])
			w.send(t, "in", true, messages[1:]...)
			n := len(c.inputs) - c.none
			want, got := asSeen(w.stored(t, "official", n), false), asSeen(w.stored(t, "out", n), true)
			if d := gocmp.Diff(want, got); d != "" {
				t.Errorf("Pulsar's own instance (-) and ours (+):\n%s", d)
			}
			if c.side > 0 { // both publish there: each message twice
				all := asSeen(w.stored(t, "side", 2*c.side), true)
				for i := 0; i+1 < len(all); i += 2 {
					if d := gocmp.Diff(all[i], all[i+1]); d != "" {
						t.Errorf("published (one -, the other +):\n%s", d)
					}
				}
			}
		})
	}
}
