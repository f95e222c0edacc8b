//go:build linux || darwin

package acceptance

import (
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"github.com/functionmesh/terraform-provider-functionmesh/runner/broker/pulsar/pulsartest"
)

// foreground runs one function on the Pulsar until the returned function interrupts it.
func (s *site) foreground(args ...string) (interrupt func() outcome) {
	s.t.Helper()
	cmd := s.command(filepath.Dir(s.data), s.binary, args...)
	done := make(chan outcome, 1)
	go func() { done <- finish(s.t, cmd, cmd.Run) }()
	return func() outcome {
		eventually(s.t, "the process", func() bool { return cmd.Process != nil })
		_ = syscall.Kill(cmd.Process.Pid, syscall.SIGINT)
		return <-done
	}
}

// Pulsar's own FunctionConfig and our words, in the foreground, with no daemon.
func TestPulsarRunsOneFunctionInTheForeground(t *testing.T) {
	t.Parallel()
	server := pulsartest.Need(t)
	needPython(t)
	dir := t.TempDir()
	write(t, filepath.Join(dir, "shout.py"), "def shout(message, context):\n    return message + '!'\n")
	for name, tc := range map[string]struct{ file, text string }{
		"FunctionConfig": {"config.yaml", "tenant: public\nnamespace: %[1]s\nname: f\nclassName: shout.shout\npy: shout.py\ninputs: [in]\noutput: out\nsubscriptionPosition: Earliest\n"},
		"JSON":           {"config.json", `{"tenant":"public","namespace":"%[1]s","name":"f","className":"shout.shout","py":"shout.py","inputSpecs":{"persistent://public/%[1]s/in":{}},"output":"persistent://public/%[1]s/out","subscriptionPosition":"Earliest"}`},
		"OurWords":       {"ours.yaml", "namespace: %[1]s\nname: f\nruntime: {python: {file: shout.py, class: shout.shout}}\ninputs: {in: {}}\noutput: {topic: out}\nsubscription: {position: earliest}\n"},
	} {
		t.Run(name, func(t *testing.T) {
			s, ns := newSite(t), server.Namespace(t, pulsartest.Policies{Retention: true})
			_, local, _ := strings.Cut(ns.Name, "/")
			ns.Topic(t, "out", 0)
			fed(t, server, ns.Full("in"), 100)
			file := write(t, filepath.Join(dir, local, tc.file), fmt.Sprintf(tc.text, local))
			must(t, os.Link(filepath.Join(dir, "shout.py"), filepath.Join(dir, local, "shout.py")))
			args := []string{"run", "-f", file, "--pulsar", server.URL}
			if name != "OurWords" {
				args = append(args, "--admin-url", server.AdminURL)
			}
			interrupt := s.foreground(args...)
			shouted(t, held{server, ns.Full("out"), 0}, 100, "!")
			if o := interrupt(); o.code != 0 {
				t.Errorf("interrupted: exit code %d\n%s", o.code, o.all)
			}
			if n := server.Backlog(t, ns.Full("in"), "public/"+local+"/f"); n != 0 {
				t.Errorf("%d messages are not acknowledged after a drain", n)
			}
			if _, err := os.Stat(s.recordFile()); err == nil {
				t.Error("a daemon was started")
			}
		})
	}
}

func TestPulsarRefusesBadSettingsInTheForeground(t *testing.T) {
	t.Parallel()
	server := pulsartest.Need(t)
	s, ns := newSite(t), server.Namespace(t, pulsartest.Policies{})
	_, local, _ := strings.Cut(ns.Name, "/")
	dir := t.TempDir()
	write(t, filepath.Join(dir, "f.py"), "def f(m, c):\n    return m\n")
	config := "namespace: " + local + "\nname: f\nclassName: f.f\npy: f.py\ninputs: [in]\noutput: out\n"
	for name, tc := range map[string]struct {
		more  string
		words []string
	}{
		"SharedEffectively": {"processingGuarantees: EFFECTIVELY_ONCE\nretainKeyOrdering: true\n", []string{"EFFECTIVELY_ONCE", "retainKeyOrdering"}},
		"Deduplication":     {"processingGuarantees: EFFECTIVELY_ONCE\n", []string{"processing_guarantees", "set-deduplication"}},
		"Compression":       {"producerConfig: {compressionType: BROTLI}\n", []string{"producerConfig.compressionType", "lz4"}},
		"Several":           {"parallelism: 3\n", []string{"parallelism"}},
		"DeadLetter":        {"deadLetterTopic: dead\n", []string{"deadLetterTopic", "maxMessageRetries"}},
		"RegexAndName":      {"inputSpecs: {a.*: {regexPattern: true}, b: {}}\n", []string{`a.*"].regexPattern`}},
		"Unknown":           {"windowConfig: {windowLengthCount: 5}\n", []string{"windowConfig"}},
	} {
		t.Run(name, func(t *testing.T) {
			file := write(t, filepath.Join(dir, name+".yaml"), config+tc.more)
			o := s.try("run", "-f", file, "--pulsar", server.URL, "--admin-url", server.AdminURL)
			if o.code == 0 {
				t.Fatal("it ran")
			}
			o.says(t, tc.words...)
		})
	}
	o := s.try("run", "-f", filepath.Join(dir, "Several.yaml"), "--pulsar", "http://localhost")
	if o.code != 2 {
		t.Errorf("a wrong address is exit code %d", o.code)
	}
	o.says(t, "--pulsar", "pulsar://host:6650")
}

func TestPulsarTopicsFromTheCommandLine(t *testing.T) {
	t.Parallel()
	server := pulsartest.Need(t)
	s, ns := newSite(t), server.Namespace(t, pulsartest.Policies{Retention: true})
	_, local, _ := strings.Cut(ns.Name, "/")
	at := []string{"--namespace", local, "--pulsar", server.URL}
	on := func(args ...string) []string { return append(append([]string{"topic"}, args...), at...) }
	ns.Topic(t, "parts", 2)
	lines := write(t, filepath.Join(t.TempDir(), "lines"), "one\ntwo\nthree\nfour\n")
	for _, topic := range []string{"plain", "parts"} {
		s.run(on("produce", topic, "--file", lines, "--key", "k")...)
		got := strings.Fields(s.run(on("consume", topic, "--from", "earliest", "-n", "4", "--timeout", "30s")...))
		if strings.Join(got, " ") != "one two three four" {
			t.Errorf("%s holds %q", topic, got)
		}
		if got := strings.Fields(s.run(on("peek", topic, "-n", "2")...)); strings.Join(got, " ") != "three four" {
			t.Errorf("the newest of %s are %q", topic, got)
		}
	}
	for _, admin := range [][]string{nil, {"--admin-url", server.AdminURL}} {
		o := s.try(append(on("list"), admin...)...)
		o.says(t, "plain", "parts")
	}
	var left []string
	must(t, server.Admin(t.Context(), http.MethodGet, "/admin/v2/persistent/"+ns.Name+"/plain/subscriptions", nil, &left))
	if len(left) > 0 {
		t.Errorf("subscriptions %q are left", left)
	}
}

// A function that fails dead-letters; redriven, the letters go through the mended one.
func TestPulsarRedrive(t *testing.T) {
	t.Parallel()
	server := pulsartest.Need(t)
	needPython(t)
	s, ns := newSite(t), server.Namespace(t, pulsartest.Policies{})
	code := filepath.Join(t.TempDir(), "shout.py")
	write(t, code, "def shout(m, c):\n    raise ValueError('broken')\n")
	p := s.project("")
	p.hcl(onPulsar(server, ns.Name, "") + pythonFunction(code, "max_message_retries = 0\n  dead_letter_topic = \"dead\""))
	p.apply()
	_, local, _ := strings.Cut(ns.Name, "/")
	fed(t, server, ns.Full("in"), 20)
	eventually(t, "nothing but dead letters", func() bool {
		return server.Backlog(t, ns.Full("in"), "public/"+local+"/f") == 0 && server.Backlog(t, ns.Full("dead"), "functionmesh-redrive") > 0
	})
	server.Subscribe(t, ns.Full("out"), "kept", "earliest")
	write(t, code, "def shout(m, c):\n    return m + '!'\n")
	p.apply()
	for _, want := range []string{"redrove 20 messages to " + ns.Full("in"), "redrove no message"} {
		o := s.try("topic", "redrive", "dead", "--namespace", local, "--pulsar", server.URL)
		o.says(t, want)
	}
	shouted(t, held{server, ns.Full("out"), 0}, 20, "!")
	p.destroy()
}

// Moved to the beginning, everything is done again, by effectively-once too.
func TestPulsarSeekDoesItAgain(t *testing.T) {
	t.Parallel()
	server := pulsartest.Need(t)
	s, ns := newSite(t), server.Namespace(t, pulsartest.Policies{Retention: true, Deduplication: true})
	p := s.project("")
	p.hcl(onPulsar(server, ns.Name, "") + fmt.Sprintf(`
resource "functionmesh_function" "f" {
  name    = "f"
  runtime = { wasm = { file = %q } }
  inputs  = { in = {} }
  output  = { topic = "out" }
  processing_guarantees = "effectively_once"
}
data "functionmesh_function" "f" { name = functionmesh_function.f.name }
output "path" { value = data.functionmesh_function.f.instances[0].data_path }`, built.wasm))
	p.apply()
	p.terraform("output", "-raw", "path").says(t, "entry")
	_, local, _ := strings.Cut(ns.Name, "/")
	fed(t, server, ns.Full("in"), 100)
	shouted(t, held{server, ns.Full("out"), 0}, 100, "!")
	s.run("function", "restart", "f", "--namespace", local)
	s.run("function", "seek", "f", "--to", "earliest", "--namespace", local)
	shouted(t, held{server, ns.Full("out"), 0}, 200, "!")
	var status struct {
		Instances []struct {
			DataPath string `json:"data_path"`
			Note     string `json:"data_path_note"`
		} `json:"instances"`
	}
	s.json(&status, "function", "stats", "f", "--namespace", local)
	if len(status.Instances) != 1 || status.Instances[0].DataPath != "entry" || status.Instances[0].Note == "" {
		t.Errorf("the status says %+v of the data path", status)
	}
	p.empty()
	p.destroy()
}
