package command

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/functionmesh/terraform-provider-functionmesh/internal/spec"
)

func TestBadMeshWritesNothing(t *testing.T) {
	cases := map[string]string{
		"NotHonoured": "sinks:\n  all:\n    builtin: file\n    config: { path: x }\n    inputs: { out: {} }\n    parallelism: 1000\n",
		"NotValid":    "sinks:\n  all:\n    builtin: file\n    config: { path: x }\n",
	}
	for name, sinks := range cases {
		t.Run(name, func(t *testing.T) {
			p := newPlatform()
			file := filepath.Join(filepath.Dir(meshFile(t)), "bad.yaml")
			if err := os.WriteFile(file, []byte(meshYAML+sinks), 0o600); err != nil {
				t.Fatal(err)
			}
			for _, verb := range []string{"create", "update"} {
				got := runLine(t, &p.clients, "", "mesh", verb, "-f", file)
				if got.code != ExitFailure || !strings.Contains(got.err.Error(), `sinks["all"]`) {
					t.Errorf("%s: exit code %d: %v", verb, got.code, got.err)
				}
			}
			if n := p.functions.Writes(); n != 0 {
				t.Errorf("%d writes", n)
			}
		})
	}
}

func TestNotHere(t *testing.T) {
	cases := map[string]struct {
		c    spec.Component
		path spec.Path
	}{
		"One":     {c: spec.Component{Parallelism: new(1), State: spec.StateRunning}},
		"Many":    {c: spec.Component{Parallelism: new(2)}, path: "parallelism"},
		"Stopped": {c: spec.Component{State: spec.StateStopped}, path: "state"},
	}
	for name, tc := range cases {
		t.Run(name, func(t *testing.T) {
			got := notHere(tc.c)
			if (len(got) == 0) != (tc.path == "") || len(got) > 0 && got[0].Path != tc.path {
				t.Errorf("%v, want %q", got, tc.path)
			}
		})
	}
}

// What only a provider has is no advice for a run.
func TestRunHasNoConnections(t *testing.T) {
	dir := t.TempDir()
	for name, text := range map[string]string{
		"f.py":   "def f(m, c):\n    return m\n",
		"f.yaml": "name: f\nruntime: { python: { file: f.py, class: f.f } }\ninputs: { orders: { connection: eu } }\n",
	} {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	got := runLine(t, nil, "", "run", "-f", filepath.Join(dir, "f.yaml"), "--pulsar", "pulsar://localhost:1")
	if got.code != ExitFailure || !strings.Contains(got.err.Error(), `orders"].connection`) || !strings.Contains(got.err.Error(), "leave connection out") {
		t.Errorf("exit code %d: %v", got.code, got.err)
	}
}

// A file in Pulsar's form is told in Pulsar's words.
func TestRunSpeaksTheWordsOfTheFile(t *testing.T) {
	const whole = "name: f\npy: f.py\nclassName: f.f\nsubName: s\ninputs: [a]\n"
	cases := map[string]struct {
		file string
		want []string
	}{
		"Settings": {
			whole + "inputSpecs: { b: { schemaType: avro } }\ndeadLetterTopic: d\nproducerConfig: { compressionType: FOO }\n",
			[]string{`/b"].schemaType: `, "deadLetterTopic: ", "Set maxMessageRetries,", "producerConfig.compressionType: "},
		},
		"Number":      {whole + "parallelism: two\n", []string{"parallelism: it is text and must be a whole number"}},
		"Text":        {whole + "logTopic: [a]\n", []string{"logTopic: it is a list and must be text"}},
		"Object":      {whole + "producerConfig: LZ4\n", []string{"producerConfig: it is text and must be an object"}},
		"NoCode":      {"name: f\nruntime: PYTHON\nclassName: f.f\ninputs: [a]\n", []string{"py: "}},
		"NoFile":      {"name: f\npy: g.py\nclassName: g.f\ninputs: [a]\n", []string{"py: ", "looked for beside"}},
		"OtherModule": {"name: f\npy: f.py\nclassName: g\ninputs: [a]\n", []string{"className: ", `no module "g"`}},
		"OtherName":   {whole + "fqfn: public/default/g\n", []string{"fqfn: "}},
	}
	for name, c := range cases {
		t.Run(name, func(t *testing.T) {
			dir := t.TempDir()
			for name, text := range map[string]string{"f.py": "def f(m, c):\n    return m\n", "f.yaml": c.file} {
				if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o600); err != nil {
					t.Fatal(err)
				}
			}
			got := runLine(t, nil, "", "run", "-f", filepath.Join(dir, "f.yaml"), "--pulsar", "pulsar://localhost:1")
			for _, want := range c.want {
				if got.code != ExitFailure || !strings.Contains(got.err.Error(), want) {
					t.Errorf("exit code %d, no %q in: %v", got.code, want, got.err)
				}
			}
		})
	}
}

// Every path is told once, with what matters most about it.
func TestRefusedOncePerPath(t *testing.T) {
	problem := func(path spec.Path, s spec.Severity, message string) spec.Problem {
		return spec.Problem{Path: path, Severity: s, Message: message}
	}
	cases := map[string]struct{ problems, unhonoured, want []spec.Problem }{
		"WrongAnyway": {
			[]spec.Problem{problem("a", spec.SeverityError, "wrong")},
			[]spec.Problem{problem("a", spec.SeverityError, "refused")},
			[]spec.Problem{problem("a", spec.SeverityError, "wrong")},
		},
		"NoWarningBesideARefusal": {
			[]spec.Problem{problem("a", spec.SeverityWarning, "odd"), problem("b", spec.SeverityWarning, "odd")},
			[]spec.Problem{problem("a", spec.SeverityError, "refused")},
			[]spec.Problem{problem("b", spec.SeverityWarning, "odd"), problem("a", spec.SeverityError, "refused")},
		},
		"Both": {
			[]spec.Problem{problem("a", spec.SeverityWarning, "odd")},
			[]spec.Problem{problem("a", spec.SeverityWarning, "note"), problem("b", spec.SeverityError, "refused")},
			[]spec.Problem{problem("a", spec.SeverityWarning, "odd"), problem("a", spec.SeverityWarning, "note"), problem("b", spec.SeverityError, "refused")},
		},
	}
	for name, c := range cases {
		t.Run(name, func(t *testing.T) {
			if d := cmp.Diff(c.want, refused(c.problems, c.unhonoured)); d != "" {
				t.Error(d)
			}
		})
	}
}
