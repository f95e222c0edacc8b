package instance_test

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"io"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/functionmesh/terraform-provider-functionmesh/internal/wire"
	"github.com/functionmesh/terraform-provider-functionmesh/runner/instance"
	"github.com/functionmesh/terraform-provider-functionmesh/runner/pipeline"
)

// need skips a test that this machine cannot run, and fails it where everything must
// run.
func need(t *testing.T, program string) {
	t.Helper()
	if _, err := exec.LookPath(program); err == nil {
		return
	}
	if os.Getenv("FUNCTIONMESH_REQUIRE_ALL") == "1" {
		t.Fatalf("%s is not in PATH and FUNCTIONMESH_REQUIRE_ALL is set", program)
	}
	t.Skipf("%s is not in PATH", program)
}

// file is an instance that numbers five messages, has code change them and appends
// them to a file.
// compiled is where all tests keep compiled modules: compiling one takes most of a test's
// time. TestMain removes it.
var compiled = sync.OnceValues(func() (string, error) { return os.MkdirTemp("", "fm") })

func file(t *testing.T, runtime, code, class string) wire.File {
	t.Helper()
	dir, err := os.MkdirTemp("", "fm") //nolint:usetesting // socket paths are short
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = os.RemoveAll(dir) })
	f := wire.File{
		Version:   wire.Version,
		Component: wire.Component{Kind: "function", Tenant: "public", Namespace: "default", Name: "exclaim"},
		Instance:  wire.Instance{Parallelism: 1, Platform: "test"},
		Source:    wire.Source{Connector: &wire.Connector{Name: "generator", Config: `{"count": 5, "template": "line {n}"}`}},
		Sink:      wire.Sink{Connector: &wire.Connector{Name: "file", Config: `{"path": "out.txt"}`}},
		Delivery:  wire.DefaultDelivery(), Limits: wire.DefaultLimits(),
		Secrets: map[string]string{"token": "very-secret"},
		Probe:   "unix:" + filepath.Join(dir, "probe"), WorkDir: filepath.Join(dir, "work"), BaseDir: dir,
	}
	if runtime != "" {
		data, err := os.ReadFile(code)
		if err != nil {
			t.Fatal(err)
		}
		sum := sha256.Sum256(data)
		absolute, err := filepath.Abs(code)
		if err != nil {
			t.Fatal(err)
		}
		f.Function = &wire.Function{Runtime: runtime, File: absolute, Class: class, SHA256: hex.EncodeToString(sum[:])}
		if f.CacheDir, err = compiled(); err != nil {
			t.Fatal(err)
		}
	}
	return f
}

// running is an instance at work.
type running struct {
	file wire.File
	life *io.PipeWriter
	log  *syncBuffer
	done chan error
}

type syncBuffer struct {
	mu sync.Mutex
	b  bytes.Buffer
}

func (s *syncBuffer) Write(p []byte) (int, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.b.Write(p)
}

func (s *syncBuffer) String() string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.b.String()
}

// start runs the instance from a wire file on disk, as a program does.
func start(t *testing.T, f wire.File) *running {
	t.Helper()
	data, err := wire.Encode(f)
	if err != nil {
		t.Fatal(err)
	}
	config := filepath.Join(t.TempDir(), "wire.json")
	if err := os.WriteFile(config, data, 0o600); err != nil {
		t.Fatal(err)
	}
	lifeline, life := io.Pipe()
	r := &running{file: f, life: life, log: &syncBuffer{}, done: make(chan error, 1)}
	ctx, cancel := context.WithCancel(t.Context())
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		r.done <- instance.Run(ctx, instance.Options{ConfigFile: config, Lifeline: lifeline, Stderr: r.log})
	}()
	t.Cleanup(func() {
		cancel()
		_ = life.Close()
		<-ended
		if t.Failed() {
			t.Log(r.log.String())
		}
	})
	return r
}

func (r *running) get(t *testing.T, path string) (int, string) {
	t.Helper()
	client := http.Client{Transport: &http.Transport{DisableKeepAlives: true, DialContext: func(ctx context.Context, _, _ string) (net.Conn, error) {
		return new(net.Dialer).DialContext(ctx, "unix", strings.TrimPrefix(r.file.Probe, "unix:"))
	}}}
	request, err := http.NewRequestWithContext(t.Context(), http.MethodGet, "http://probe"+path, nil)
	if err != nil {
		t.Fatal(err)
	}
	answer, err := client.Do(request)
	if err != nil {
		return 0, err.Error()
	}
	defer answer.Body.Close()
	body, err := io.ReadAll(answer.Body)
	if err != nil {
		t.Fatal(err)
	}
	return answer.StatusCode, string(body)
}

func (r *running) status(t *testing.T) wire.Status {
	t.Helper()
	var s wire.Status
	code, body := r.get(t, "/status")
	if code == http.StatusOK {
		if err := json.Unmarshal([]byte(body), &s); err != nil {
			t.Fatal(err)
		}
	}
	return s
}

func eventually(t *testing.T, what string, ok func() bool) {
	t.Helper()
	for deadline := time.Now().Add(5 * time.Minute); !ok(); time.Sleep(10 * time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatalf("never: %s", what)
		}
	}
}

func (r *running) out(t *testing.T) string {
	t.Helper()
	data, err := os.ReadFile(filepath.Join(r.file.BaseDir, "out.txt"))
	if err != nil && !errors.Is(err, os.ErrNotExist) {
		t.Fatal(err)
	}
	return string(data)
}

func lines(suffix string) string {
	var b strings.Builder
	for i := range 5 {
		b.WriteString("line " + string(rune('0'+i)) + suffix + "\n")
	}
	return b.String()
}

func goExample(t *testing.T, name string, env ...string) string {
	t.Helper()
	out := filepath.Join(t.TempDir(), name)
	args := []string{"build", "-o", out}
	if len(env) > 0 {
		args = append(args, "-buildmode=c-shared")
	}
	cmd := exec.CommandContext(t.Context(), "go", append(args, "./"+name)...)
	cmd.Dir = filepath.Join("..", "..", "examples", "functions", "go")
	cmd.Env = append(os.Environ(), env...)
	if text, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("%v\n%s", err, text)
	}
	return out
}

func TestR7EveryRuntimeRunsAndDrains(t *testing.T) {
	cases := map[string]struct {
		file   func(t *testing.T) wire.File
		suffix string
	}{
		"NoCode": {func(t *testing.T) wire.File { return file(t, "", "", "") }, ""},
		"Python": {func(t *testing.T) wire.File {
			need(t, "python3")
			return file(t, "python", filepath.Join("..", "..", "examples", "functions", "python", "exclaim.py"), "exclaim.Exclaim")
		}, "!"},
		"Go": {func(t *testing.T) wire.File { return file(t, "go", goExample(t, "exclaim"), "") }, "!"},
		"WASM": {func(t *testing.T) wire.File {
			return file(t, "wasm", goExample(t, "exclaim", "GOOS=wasip1", "GOARCH=wasm"), "")
		}, "!"},
	}
	for name, c := range cases {
		t.Run(name, func(t *testing.T) {
			r := start(t, c.file(t))
			eventually(t, "five lines", func() bool { return r.out(t) == lines(c.suffix) })
			eventually(t, "five processed", func() bool { return r.status(t).Processed == 5 })
			if s := r.status(t); !s.Ready || s.Received != 5 || s.UserExceptions+s.SystemExceptions+s.SourceExceptions+s.SinkExceptions != 0 {
				t.Errorf("status: %+v", s)
			}
			for path, want := range map[string]string{
				"/healthz": "ok", "/readyz": "ok",
				"/metrics": `pulsar_function_received_total{cluster="test",fqfn="public/default/exclaim",instance_id="0",name="exclaim",namespace="public/default",tenant="public"} 5`,
			} {
				if code, body := r.get(t, path); code != http.StatusOK || !strings.Contains(body, want) {
					t.Errorf("%s: %d %s", path, code, body)
				}
			}
			_ = r.life.Close()
			if err := <-r.done; instance.ExitCode(err) != 0 {
				t.Errorf("drained with %v", err)
			}
		})
	}
}

func TestR7PositionsSurviveRestarts(t *testing.T) {
	f := file(t, "", "", "")
	for range 2 {
		r := start(t, f)
		eventually(t, "five lines", func() bool { return r.out(t) == lines("") && r.status(t).Ready })
		_ = r.life.Close()
		if err := <-r.done; err != nil {
			t.Fatal(err)
		}
	}
}

func TestTerminalErrorsAreWrittenDown(t *testing.T) {
	exclaim := filepath.Join("..", "..", "examples", "functions", "python", "exclaim.py")
	cases := map[string]struct {
		change func(f *wire.File)
		want   string
	}{
		"WrongDigest":      {func(f *wire.File) { f.Function.SHA256 = strings.Repeat("0", 64) }, "InvalidCode"},
		"MissingFile":      {func(f *wire.File) { f.Function.File += ".gone" }, "InvalidCode"},
		"NotAModule":       {func(f *wire.File) { f.Function.Runtime = "wasm" }, "InvalidCode"},
		"NotAProgram":      {func(f *wire.File) { f.Function.Runtime = "go" }, "InvalidCode"},
		"UnknownRuntime":   {func(f *wire.File) { f.Function.Runtime = "java" }, "InvalidConfig"},
		"UnknownGuarantee": {func(f *wire.File) { f.Delivery.Guarantee = "effectively_once" }, "InvalidConfig"},
		"ManualConnector":  {func(f *wire.File) { f.Delivery.Guarantee = "manual" }, "InvalidConfig"},
		"UnknownSource":    {func(f *wire.File) { f.Source.Connector.Name = "kafka" }, "InvalidConfig"},
		"UnknownSink":      {func(f *wire.File) { f.Sink.Connector.Name = "generator" }, "InvalidConfig"},
		"UnknownSetting":   {func(f *wire.File) { f.Sink.Connector.Config = `{"path":"x","mode":"tail"}` }, "InvalidConfig"},
		"UnknownBroker": {func(f *wire.File) {
			f.Sink = wire.Sink{Output: &wire.Output{Broker: "eu", Topic: "persistent://a/b/c"}}
		}, "InvalidConfig"},
	}
	for name, c := range cases {
		t.Run(name, func(t *testing.T) {
			f := file(t, "python", exclaim, "exclaim.Exclaim")
			c.change(&f)
			err := instance.RunFile(t.Context(), f, instance.Options{})
			if instance.ExitCode(err) != wire.ExitTerminal {
				t.Fatalf("got %v", err)
			}
			data, err := os.ReadFile(filepath.Join(f.WorkDir, wire.TerminationFile))
			if err != nil {
				t.Fatal(err)
			}
			var got wire.Termination
			if err := json.Unmarshal(data, &got); err != nil {
				t.Fatal(err)
			}
			if got.Reason != c.want || got.Message == "" {
				t.Errorf("got %+v, want reason %s", got, c.want)
			}
		})
	}
	t.Run("ClassNotFound", func(t *testing.T) {
		need(t, "python3")
		r := start(t, file(t, "python", exclaim, "exclaim.Excalim"))
		var terminal *pipeline.TerminalError
		if err := <-r.done; !errors.As(err, &terminal) || terminal.Reason != "ClassNotFound" {
			t.Errorf("got %v", err)
		}
	})
}

func TestR9SecretsAreMasked(t *testing.T) {
	need(t, "python3")
	code := filepath.Join(t.TempDir(), "leak.py")
	if err := os.WriteFile(code, []byte("def process(input, context):\n    print('token', context.get_secret('token'))\n    raise ValueError(context.get_secret('token'))\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	f := file(t, "python", code, "process")
	f.Delivery.MaxRetries = 0
	r := start(t, f)
	eventually(t, "five failures", func() bool { return r.status(t).UserExceptions >= 5 })
	_, metrics := r.get(t, "/metrics")
	status, err := json.Marshal(r.status(t))
	if err != nil {
		t.Fatal(err)
	}
	eventually(t, "a masked line in the log", func() bool { return strings.Contains(r.log.String(), "token ********") })
	for what, text := range map[string]string{"log": r.log.String(), "metrics": metrics, "status": string(status)} {
		if strings.Contains(text, "very-secret") {
			t.Errorf("the secret is in the %s", what)
		}
	}
	_ = r.life.Close()
	if err := <-r.done; err != nil {
		t.Error(err)
	}
}

func TestUnreadableWireFile(t *testing.T) {
	err := instance.Run(t.Context(), instance.Options{ConfigFile: filepath.Join(t.TempDir(), "none.json")})
	if instance.ExitCode(err) != wire.ExitTerminal {
		t.Errorf("got %v", err)
	}
	f := file(t, "", "", "")
	if err := os.MkdirAll(f.WorkDir, 0o700); err != nil {
		t.Fatal(err)
	}
	config := filepath.Join(t.TempDir(), "wire.json")
	bad, err := json.Marshal(map[string]any{"version": 99, "work_dir": f.WorkDir})
	if err == nil {
		err = os.WriteFile(config, bad, 0o600)
	}
	if err != nil {
		t.Fatal(err)
	}
	if err := instance.Run(t.Context(), instance.Options{ConfigFile: config}); instance.ExitCode(err) != wire.ExitTerminal {
		t.Errorf("got %v", err)
	}
	if _, err := os.Stat(filepath.Join(f.WorkDir, wire.TerminationFile)); err != nil {
		t.Error(err)
	}
	if got := instance.ExitCode(errors.New("crash")); got != 1 {
		t.Errorf("a crash has exit code %d", got)
	}
}
