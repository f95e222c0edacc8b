//go:build linux || darwin

package acceptance

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"mime/multipart"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"
)

// slots bound how many platforms run at once, whatever -parallel says.
var slots = make(chan struct{}, 3)

const within = 2 * time.Minute // for whatever a test waits for

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

func eventually(t *testing.T, what string, ok func() bool) {
	t.Helper()
	for end := time.Now().Add(within); time.Now().Before(end); time.Sleep(20 * time.Millisecond) {
		if ok() {
			return
		}
	}
	t.Fatalf("waited in vain for: %s", what)
}

// refuseToRun skips a test for want of something, or fails it where nothing may be
// skipped.
func refuseToRun(t *testing.T, why string) {
	t.Helper()
	if os.Getenv(envRequireAll) == "1" {
		t.Fatalf("%s, and %s=1 allows no test to be skipped", why, envRequireAll)
	}
	t.Skip(why)
}

func write(t *testing.T, file, text string) string {
	t.Helper()
	must(t, os.MkdirAll(filepath.Dir(file), 0o700))
	must(t, os.WriteFile(file, []byte(text), 0o600))
	return file
}

// outcome is how a command ended.
type outcome struct {
	code int
	out  string // of standard output
	all  string // of standard error, then of standard output
}

// flat is everything the command said as one line, without Terraform's frames.
func (o outcome) flat() string {
	return strings.Join(strings.Fields(strings.NewReplacer("│", " ", "╷", " ", "╵", " ").Replace(o.all)), " ")
}

// says fails the test unless each word occurs.
func (o outcome) says(t *testing.T, words ...string) {
	t.Helper()
	flat := o.flat()
	for _, w := range words {
		if !strings.Contains(flat, w) {
			t.Errorf("%q is expected in (exit code %d):\n%s", w, o.code, o.all)
		}
	}
}

// site is one data directory and what acts on it.
type site struct {
	t      *testing.T
	data   string
	binary string
	env    []string
}

// newSite gives the test a data directory that is emptied in the end.
func newSite(t *testing.T) *site {
	t.Helper()
	if built.terraform == "" {
		refuseToRun(t, "neither terraform nor tofu was found")
	}
	slots <- struct{}{}
	t.Cleanup(func() { <-slots })
	return siteAt(t, filepath.Join(t.TempDir(), "data"))
}

// siteAt uses a data directory that may hold a platform already.
func siteAt(t *testing.T, data string) *site {
	t.Helper()
	s := &site{t: t, data: data, binary: built.binary}
	s.env = append(quietEnvironment(), "TF_CLI_CONFIG_FILE="+built.config, "FUNCTIONMESH_DATA_DIR="+data)
	t.Cleanup(s.end)
	return s
}

func (s *site) end() {
	if s.t.Failed() {
		if text, err := os.ReadFile(filepath.Join(s.data, "daemon.log")); err == nil {
			s.t.Logf("end of the daemon's log:\n%s", text[max(0, len(text)-4000):])
		}
	}
	if o := s.try("local", "reset", "--force"); o.code != 0 {
		s.t.Logf("reset: %s", o.all)
	}
	left := s.processes()
	for end := time.Now().Add(within); len(left) > 0 && time.Now().Before(end); left = s.processes() {
		time.Sleep(20 * time.Millisecond)
	}
	for _, p := range left {
		s.t.Errorf("process %d is left over: %s", p.pid, p.command)
		_ = syscall.Kill(p.pid, syscall.SIGKILL)
	}
}

// command prepares a program with the site's environment, in a group of its own.
func (s *site) command(dir, name string, args ...string) *exec.Cmd {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(s.t.Context()), 2*within)
	s.t.Cleanup(cancel)
	cmd := exec.CommandContext(ctx, name, args...)
	cmd.Dir, cmd.Env, cmd.SysProcAttr = dir, s.env, &syscall.SysProcAttr{Setpgid: true}
	return cmd
}

func finish(t *testing.T, cmd *exec.Cmd, start func() error) outcome {
	t.Helper()
	var out, errs bytes.Buffer
	cmd.Stdout, cmd.Stderr, cmd.WaitDelay = &out, &errs, 10*time.Second
	err := start()
	if _, ok := errors.AsType[*exec.ExitError](err); err != nil && !ok {
		t.Errorf("%v: %v", cmd.Args, err)
	}
	return outcome{code: cmd.ProcessState.ExitCode(), out: out.String(), all: errs.String() + out.String()}
}

// try runs the command line.
func (s *site) try(args ...string) outcome {
	s.t.Helper()
	dir := filepath.Dir(s.data)
	if _, err := os.Stat(dir); err != nil {
		dir = os.TempDir()
	}
	cmd := s.command(dir, s.binary, args...)
	return finish(s.t, cmd, cmd.Run)
}

// run runs a command that must succeed and returns what it printed.
func (s *site) run(args ...string) string {
	s.t.Helper()
	o := s.try(args...)
	if o.code != 0 {
		s.t.Fatalf("functionmesh %s: exit code %d\n%s", strings.Join(args, " "), o.code, o.all)
	}
	return o.out
}

// json runs a command and decodes its answer.
func (s *site) json(into any, args ...string) {
	s.t.Helper()
	text := s.run(append(args, "-o", "json")...)
	if err := json.Unmarshal([]byte(text), into); err != nil {
		s.t.Fatalf("functionmesh %v: %v in %s", args, err, text)
	}
}

// record is what the daemon published of itself.
type record struct {
	PID    int    `json:"pid"`
	Socket string `json:"socket"`
	ID     string `json:"id"`
}

func (s *site) recordFile() string { return filepath.Join(s.data, "daemon.json") }

func (s *site) record() record {
	s.t.Helper()
	text, err := os.ReadFile(s.recordFile())
	must(s.t, err)
	var r record
	must(s.t, json.Unmarshal(text, &r))
	return r
}

// process is one that the platform started, or the platform itself.
type process struct {
	pid     int
	command string
}

// processes finds everything that runs for the data directory: by what the kernel
// says where it says it, else by the platform's own records.
func (s *site) processes() []process {
	var found []process
	if entries, err := filepath.Glob("/proc/[0-9]*"); err == nil && len(entries) > 0 {
		for _, dir := range entries {
			pid, err := strconv.Atoi(filepath.Base(dir))
			if err != nil || pid == os.Getpid() {
				continue
			}
			stat, _ := os.ReadFile(filepath.Join(dir, "stat"))
			if _, rest, ok := bytes.Cut(stat, []byte(") ")); !ok || len(rest) == 0 || rest[0] == 'Z' {
				continue
			}
			env, _ := os.ReadFile(filepath.Join(dir, "environ"))
			line, _ := os.ReadFile(filepath.Join(dir, "cmdline"))
			wd, _ := os.Readlink(filepath.Join(dir, "cwd"))
			if bytes.Contains(env, []byte("FUNCTIONMESH_DATA_DIR="+s.data+"\x00")) || bytes.Contains(line, []byte(s.data+"/")) ||
				wd == s.data || strings.HasPrefix(wd, s.data+"/") {
				found = append(found, process{pid, strings.ReplaceAll(string(line), "\x00", " ")})
			}
		}
		return found
	}
	for _, file := range append(s.notes(), s.recordFile()) {
		text, err := os.ReadFile(file)
		var r record
		if err == nil && json.Unmarshal(text, &r) == nil && r.PID > 1 && syscall.Kill(r.PID, 0) == nil {
			found = append(found, process{r.PID, file})
		}
	}
	return found
}

// notes are the files in which the platform keeps the ids of its instances.
func (s *site) notes() []string {
	files, _ := filepath.Glob(filepath.Join(s.data, "instances", "*", "*", "*", "*", "*", "process.json"))
	return files
}

// rest speaks Pulsar's REST API on the platform's socket, behind everybody's back.
func (s *site) rest(method, path string, body any) (status int, answer string) {
	s.t.Helper()
	status, answer, err := request(s.t.Context(), s.record().Socket, method, path, body)
	must(s.t, err)
	return status, answer
}

func request(ctx context.Context, socket, method, path string, body any) (status int, answer string, err error) {
	client := &http.Client{Timeout: within, Transport: overUnix(socket)}
	defer client.CloseIdleConnections()
	text, err := json.Marshal(body)
	if err != nil {
		return 0, "", err
	}
	req, err := http.NewRequestWithContext(ctx, method, "http://platform"+path, bytes.NewReader(text))
	if err != nil {
		return 0, "", err
	}
	req.Header.Set("Content-Type", "application/json")
	res, err := client.Do(req)
	if err != nil {
		return 0, "", err
	}
	defer res.Body.Close()
	got, err := io.ReadAll(res.Body)
	return res.StatusCode, string(got), err
}

func overUnix(socket string) *http.Transport {
	return &http.Transport{DialContext: func(ctx context.Context, _, _ string) (net.Conn, error) {
		return (&net.Dialer{}).DialContext(ctx, "unix", socket)
	}}
}

// components lists what exists, as kind/name.
func (s *site) components() []string {
	s.t.Helper()
	var all []string
	for _, kind := range []string{"function", "source", "sink"} {
		var documents []struct {
			Name string `json:"name"`
		}
		s.json(&documents, kind, "list")
		for _, d := range documents {
			all = append(all, kind+"/"+d.Name)
		}
	}
	slices.Sort(all)
	return all
}

// produce sends messages from..to-1 as "<from>".."<to-1>".
func (s *site) produce(topic string, from, to int) {
	s.t.Helper()
	var text strings.Builder
	for i := from; i < to; i++ {
		fmt.Fprintln(&text, i)
	}
	file := write(s.t, filepath.Join(s.t.TempDir(), "lines"), text.String())
	s.run("topic", "produce", topic, "--file", file)
}

// consume waits for n messages of a topic, from its beginning; when they do not come,
// it returns those that did.
func (s *site) consume(topic string, n int) []string {
	s.t.Helper()
	o := s.try("topic", "consume", topic, "--from", "earliest", "-n", strconv.Itoa(n), "--timeout", "30s")
	if o.code != 0 {
		s.t.Errorf("consume %s: %s", topic, strings.TrimSuffix(o.all, o.out))
	}
	return strings.Split(strings.TrimSuffix(o.out, "\n"), "\n")
}

// edit sends a function's settings, in Pulsar's own words, as another tool would.
func (s *site) edit(name, config string) {
	s.t.Helper()
	var body bytes.Buffer
	form := multipart.NewWriter(&body)
	must(s.t, form.WriteField("functionConfig", config))
	must(s.t, form.Close())
	client := &http.Client{Timeout: within, Transport: overUnix(s.record().Socket)}
	defer client.CloseIdleConnections()
	req, err := http.NewRequestWithContext(s.t.Context(), http.MethodPut, "http://platform/admin/v3/functions/public/default/"+name, &body)
	must(s.t, err)
	req.Header.Set("Content-Type", form.FormDataContentType())
	res, err := client.Do(req)
	must(s.t, err)
	defer res.Body.Close()
	if answer, err := io.ReadAll(res.Body); err != nil || res.StatusCode >= http.StatusMultipleChoices {
		s.t.Fatalf("edit %s: %s %s %v", name, res.Status, answer, err)
	}
}

// background runs a command; the returned function waits for it.
func (s *site) background(args ...string) func() outcome {
	s.t.Helper()
	cmd := s.command(filepath.Dir(s.data), s.binary, args...)
	done := make(chan outcome, 1)
	go func() { done <- finish(s.t, cmd, cmd.Run) }()
	return func() outcome { return <-done }
}
