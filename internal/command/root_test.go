package command

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"slices"
	"strings"
	"testing"

	"github.com/functionmesh/terraform-provider-functionmesh/internal/catalog"
	"github.com/functionmesh/terraform-provider-functionmesh/internal/engine"
)

// result is what one run of the command line gave.
type result struct {
	out, errs string
	code      int
	err       error
}

// runLine runs the command line against a platform; nil clients are a platform that
// must not be asked.
func runLine(t *testing.T, clients *catalog.Clients, stdin string, line ...string) result {
	t.Helper()
	var out, errs bytes.Buffer
	cmd := New(Options{
		Version: "1.2.3", Stdin: strings.NewReader(stdin), Stdout: &out, Stderr: &errs,
		Connect: func(context.Context, Target) (catalog.Clients, error) {
			if clients == nil {
				t.Errorf("%v asked the platform", line)
				return catalog.Clients{}, errors.New("no platform here")
			}
			return *clients, nil
		},
	})
	cmd.SetArgs(line)
	err := cmd.ExecuteContext(t.Context())
	return result{out: out.String(), errs: errs.String(), code: ExitCode(err), err: err}
}

func TestUsage(t *testing.T) {
	cases := map[string]struct {
		line []string
		code int
	}{
		"Help":               {[]string{"--help"}, ExitOK},
		"Nothing":            {nil, ExitOK},
		"Noun":               {[]string{"mesh"}, ExitOK},
		"UnknownNoun":        {[]string{"meshes"}, ExitUsage},
		"UnknownVerb":        {[]string{"mesh", "explode"}, ExitUsage},
		"UnknownFlag":        {[]string{"mesh", "list", "--nope"}, ExitUsage},
		"NameMissing":        {[]string{"function", "get"}, ExitUsage},
		"NameEmpty":          {[]string{"function", "get", ""}, ExitUsage},
		"NameBlank":          {[]string{"mesh", "status", " "}, ExitUsage},
		"GraphNameEmpty":     {[]string{"mesh", "graph", ""}, ExitUsage},
		"TopicEmpty":         {[]string{"topic", "delete", ""}, ExitUsage},
		"PulsarEmpty":        {[]string{"topic", "produce", "a", "--pulsar", ""}, ExitUsage},
		"AdminEmpty":         {[]string{"function", "list", "--admin-url="}, ExitUsage},
		"CountNegative":      {[]string{"topic", "consume", "a", "-n", "-1"}, ExitUsage},
		"TimeoutNegative":    {[]string{"topic", "consume", "a", "--timeout", "-1s"}, ExitUsage},
		"TooManyNames":       {[]string{"function", "get", "a", "b"}, ExitUsage},
		"FileMissing":        {[]string{"mesh", "create"}, ExitUsage},
		"FileNotThere":       {[]string{"mesh", "create", "-f", "nowhere.yaml"}, ExitFailure},
		"ScaleToNothing":     {[]string{"function", "scale", "a", "0"}, ExitUsage},
		"ScaleToWord":        {[]string{"function", "scale", "a", "many"}, ExitUsage},
		"RunNothing":         {[]string{"run"}, ExitUsage},
		"RunTwoThings":       {[]string{"run", "-f", "a", "--config", "b"}, ExitUsage},
		"ConsumeFromNowhere": {[]string{"topic", "consume", "a", "--from", "middle"}, ExitUsage},
		"PeekNothing":        {[]string{"topic", "peek", "a", "-n", "0"}, ExitUsage},
		"BadTopic":           {[]string{"topic", "produce", "a b//c"}, ExitUsage},
		"ProduceOnPulsar":    {[]string{"topic", "produce", "a", "--admin-url", "http://localhost:1"}, ExitUsage},
		"SecretOnPulsar":     {[]string{"local", "secret", "list", "--admin-url", "http://localhost:1"}, ExitUsage},
		"FollowAll":          {[]string{"local", "logs", "-f"}, ExitUsage},
		"GraphOfNothing":     {[]string{"mesh", "graph"}, ExitUsage},
		"SecretInArgv":       {[]string{"local", "secret", "set", "shop", "key", "value"}, ExitUsage},
		"UnknownFormat":      {[]string{"version", "-o", "xml"}, ExitUsage},
		"Completion":         {[]string{"completion", "zsh"}, ExitOK},
	}
	for name, c := range cases {
		t.Run(name, func(t *testing.T) {
			if got := runLine(t, nil, "", c.line...); got.code != c.code {
				t.Errorf("%v: exit code %d, want %d: %v", c.line, got.code, c.code, got.err)
			}
		})
	}
}

func TestExitCode(t *testing.T) {
	cases := map[string]struct {
		err  error
		want int
	}{
		"Done":     {nil, ExitOK},
		"Failed":   {errors.New("no"), ExitFailure},
		"NotFound": {engine.New(engine.NotFound, errors.New("no")), ExitFailure},
		"Usage":    {usage("what?"), ExitUsage},
		"Coded":    {&codedError{errors.New("no"), 78}, 78},
		"Wrapped":  {errors.Join(errors.New("first"), usage("what?")), ExitUsage},
	}
	for name, c := range cases {
		t.Run(name, func(t *testing.T) {
			if got := ExitCode(c.err); got != c.want {
				t.Errorf("got %d, want %d", got, c.want)
			}
		})
	}
}

func TestStatusIsShort(t *testing.T) {
	const trace = "ImportError: no module\nTraceback (most recent call last):\n  File \"a.py\", line 1\n    import b\nModuleNotFoundError: no b\n"
	status := engine.Status{
		Phase: engine.Failed, Reason: "InvalidCode", Wanted: 1, Message: `function "a": InvalidCode: ` + trace,
		Instances: []engine.Instance{{Component: "public/default/m-a", Error: trace}},
	}
	line := headline(engine.Key{Kind: "mesh", Name: "m"}, status)
	want := `mesh m: 0/1 instances ready, failed: function "a": InvalidCode: ImportError: no module … ModuleNotFoundError: no b`
	if line != want {
		t.Errorf("headline %q, want %q", line, want)
	}
	cell := statusTable(status).rows[0][7]
	if want := "ImportError: no module … ModuleNotFoundError: no b"; cell != want {
		t.Errorf("cell %q, want %q", cell, want)
	}
	for text, want := range map[string]string{"": "", "one": "one", "one\n": "one", "one\ntwo": "one … two", "\n one \n\n": "one"} {
		if got := ends(text); got != want {
			t.Errorf("ends of %q are %q, want %q", text, got, want)
		}
	}
}

// A row fits a terminal; what was cut is told whole below the table of one component.
func TestLongErrorsAreCut(t *testing.T) {
	long := "ConnectionError: " + strings.Repeat("é", 500) + " at last"
	status := engine.Status{Instances: []engine.Instance{
		{ID: 0, Error: long, DataPath: "compatible", DataPathNote: strings.Repeat("n", 80)},
		{ID: 1, Error: "one\ntwo"},
		{ID: 2, Error: "short"},
	}}
	row := statusTable(status).rows[0]
	for _, c := range []struct {
		cell   string
		widest int
	}{{row[7], widestError}, {row[8], widestNote + len("compatible ()")}} {
		if n := len([]rune(c.cell)); n > c.widest {
			t.Errorf("%q has %d characters, want at most %d", c.cell, n, c.widest)
		}
	}
	if !strings.HasPrefix(row[7], "ConnectionError: é") || !strings.HasSuffix(row[7], " at last") {
		t.Errorf("cell %q", row[7])
	}
	want := []string{"error of instance 0:", "  " + long, "path of instance 0:", "  " + strings.Repeat("n", 80), "error of instance 1:", "  one\n  two"}
	if got := details(status); !slices.Equal(got, want) {
		t.Errorf("details %q, want %q", got, want)
	}
}

// A daemon decides by this document whether it may run a binary.
func TestVersionIsTheHandshake(t *testing.T) {
	got := runLine(t, nil, "", "version", "-o", "json")
	var v map[string]string
	if err := json.Unmarshal([]byte(got.out), &v); err != nil {
		t.Fatal(err)
	}
	if v["program"] != "functionmesh" || v["version"] != "1.2.3" || len(v["digest"]) != 64 {
		t.Errorf("version -o json printed %v", v)
	}
	if text := runLine(t, nil, "", "version"); text.out != "functionmesh 1.2.3\n" {
		t.Errorf("version printed %q", text.out)
	}
}
