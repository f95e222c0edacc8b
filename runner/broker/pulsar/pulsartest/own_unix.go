//go:build unix

package pulsartest

import (
	"bufio"
	"bytes"
	"fmt"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"testing"
)

// scripts is one of the programs of the folder TESTPULSAR, with a data folder.
type scripts struct {
	program, dir string
}

// newScripts finds a program and makes a data folder that is removed with the test.
// Without the folder TESTPULSAR the test is skipped; it fails where nothing may be.
func newScripts(t testing.TB, name string) *scripts {
	t.Helper()
	folder := os.Getenv(envScripts)
	if folder == "" {
		missing(t, envScripts+" names no folder with "+name)
	}
	program, err := filepath.Abs(filepath.Join(folder, name))
	if err != nil {
		t.Fatal(err)
	}
	dir, err := os.MkdirTemp("", "pulsar") //nolint:usetesting // servers that just ended may still write into it
	if err != nil {
		t.Fatal(err)
	}
	s := &scripts{program: program, dir: filepath.Join(dir, "data")}
	t.Cleanup(func() {
		if out, err := s.command("down").CombinedOutput(); err != nil {
			t.Errorf("%s down: %v\n%s", name, err, out)
		}
		_ = os.RemoveAll(dir)
	})
	return s
}

func (s *scripts) command(args ...string) *exec.Cmd {
	cmd := exec.Command(s.program, append(args, "--data", s.dir)...) //nolint:noctx // bounded by the script's own patience
	cmd.Env = append(os.Environ(), "TESTPULSAR_WAIT=300")
	return cmd
}

// run runs a command of the script. What it starts keeps running, so its output goes
// to a file that nobody has to close.
func (s *scripts) run(t testing.TB, args ...string) {
	t.Helper()
	log, err := os.CreateTemp(t.TempDir(), "log")
	if err != nil {
		t.Fatal(err)
	}
	defer log.Close()
	cmd := s.command(args...)
	cmd.Stdout, cmd.Stderr = log, log
	if err := cmd.Run(); err != nil {
		text, _ := os.ReadFile(log.Name())
		t.Fatalf("%s %s: %v\n%s", filepath.Base(s.program), strings.Join(args, " "), err, text)
	}
}

// env reads the variables that the script wrote.
func (s *scripts) env(t testing.TB) map[string]string {
	t.Helper()
	data, err := os.ReadFile(filepath.Join(s.dir, "env"))
	if err != nil {
		t.Fatal(err)
	}
	vars := map[string]string{}
	for lines := bufio.NewScanner(bytes.NewReader(data)); lines.Scan(); {
		if name, value, ok := strings.Cut(lines.Text(), "="); ok {
			vars[name] = value
		}
	}
	return vars
}

// server is the one whose addresses have a suffix, "" for all of them.
func server(t testing.TB, vars map[string]string, suffix string) *Server {
	t.Helper()
	s := &Server{
		URL: vars["PULSAR_URL"+suffix], AdminURL: vars["PULSAR_ADMIN_URL"+suffix],
		Token: vars["PULSAR_TOKEN_ADMIN"], CAFile: vars["PULSAR_CA"], http: http.DefaultClient,
	}
	if s.CAFile != "" {
		s.http = secured(t, s.CAFile)
	}
	return s
}

func signal(t testing.TB, pid string, what syscall.Signal) {
	t.Helper()
	n, err := strconv.Atoi(pid)
	if err == nil {
		err = syscall.Kill(n, what)
	}
	if err != nil {
		t.Fatalf("signal %v to process %q: %v", what, pid, err)
	}
}

// Standalone is one broker of the test's own, which it may stop and kill.
type Standalone struct {
	*Server
	Dir string // its data; secrets, of a secure one, are in secrets/

	scripts *scripts
	pid     string
	flags   []string
}

// Own starts a broker with flags of pulsar.sh, such as --secure or --conf KEY=VALUE. It
// ends with the test.
func Own(t testing.TB, flags ...string) *Standalone {
	t.Helper()
	s := &Standalone{scripts: newScripts(t, "pulsar.sh"), flags: append([]string{"--light"}, flags...)}
	s.Dir = s.scripts.dir
	s.Start(t)
	return s
}

// Start starts it, again after Stop or Kill: on the same addresses and with its data.
func (s *Standalone) Start(t testing.TB) {
	t.Helper()
	args := append([]string{"up"}, s.flags...)
	if s.Server != nil {
		args = append(args, "--port", port(s.URL), "--admin-port", port(s.AdminURL))
	}
	s.scripts.run(t, args...)
	vars := s.scripts.env(t)
	s.pid = vars["TESTPULSAR_PID"]
	if s.Server == nil {
		s.Server = server(t, vars, "")
	}
}

func port(url string) string { return url[strings.LastIndexByte(url, ':')+1:] }

// Stop ends it in order and keeps the data.
func (s *Standalone) Stop(t testing.TB) {
	t.Helper()
	s.scripts.run(t, "down", "--keep")
}

// Kill ends it as kill -9 does.
func (s *Standalone) Kill(t testing.TB) {
	t.Helper()
	signal(t, s.pid, syscall.SIGKILL)
	Eventually(t, "the broker is gone", func() bool {
		status, err := os.ReadFile("/proc/" + s.pid + "/status")
		return err != nil || bytes.Contains(status, []byte("State:\tZ"))
	})
}

// Freeze stops it without ending it: connections stay, nothing is answered.
func (s *Standalone) Freeze(t testing.TB) { t.Helper(); signal(t, s.pid, syscall.SIGSTOP) }

// Thaw ends Freeze.
func (s *Standalone) Thaw(t testing.TB) { t.Helper(); signal(t, s.pid, syscall.SIGCONT) }

// envCluster names the data folder of a cluster that runs already, with a proxy; it is not
// ended.
const envCluster = "FUNCTIONMESH_TEST_CLUSTER"

// Cluster is several brokers of the test's own.
type Cluster struct {
	*Server // all brokers; its REST calls go to the first
	Brokers int

	scripts *scripts
}

// NewCluster starts brokers with flags of cluster.sh, such as --extensible, --proxy or
// --brokers N (2). They end with the test.
func NewCluster(t testing.TB, flags ...string) *Cluster {
	t.Helper()
	c := &Cluster{}
	if dir := os.Getenv(envCluster); dir != "" && (len(flags) == 0 || slices.Equal(flags, []string{"--proxy"})) {
		c.scripts = &scripts{program: filepath.Join(os.Getenv(envScripts), "cluster.sh"), dir: dir}
	} else {
		c.scripts = newScripts(t, "cluster.sh")
		// Brokers of a busy machine are not overloaded: round robin would be asked a second
		// time for each bundle, and give all of them to the same broker.
		c.scripts.run(t, append([]string{"up", "--conf", "loadBalancerBrokerOverloadedThresholdPercentage=100"}, flags...)...)
	}
	vars := c.scripts.env(t)
	c.Server = server(t, vars, "")
	n, err := strconv.Atoi(vars["TESTPULSAR_BROKERS"])
	if err != nil {
		t.Fatal(err)
	}
	c.Brokers = n
	return c
}

// One is one of them, from 1.
func (c *Cluster) One(t testing.TB, k int) *Server {
	t.Helper()
	return server(t, c.scripts.env(t), "_"+strconv.Itoa(k))
}

// Proxy is what a cluster started with --proxy has before its brokers.
func (c *Cluster) Proxy(t testing.TB) *Server {
	t.Helper()
	return server(t, c.scripts.env(t), "_PROXY")
}

// Kill ends one broker as kill -9 does.
func (c *Cluster) Kill(t testing.TB, k int) { t.Helper(); c.broker(t, k, "kill") }

// Stop ends one broker in order.
func (c *Cluster) Stop(t testing.TB, k int) { t.Helper(); c.broker(t, k, "stop") }

// Start brings one broker back, on the same ports, once the others know that it was gone:
// a broker that starts while its former session ends may find what that one held, and the
// next moment not, and gives up.
func (c *Cluster) Start(t testing.TB, k int) {
	t.Helper()
	Eventually(t, "the others know that the broker is gone", func() bool { return !c.known(t, k) })
	c.broker(t, k, "start")
}

// known says whether one of the other brokers still counts a broker among the active ones.
func (c *Cluster) known(t testing.TB, k int) bool {
	t.Helper()
	for other := 1; other <= c.Brokers; other++ {
		var active []string
		if s := c.One(t, other); other != k && s.Admin(t.Context(), http.MethodGet, "/admin/v2/brokers/"+s.cluster(t.Context()), nil, &active) == nil {
			return slices.Contains(active, c.id(t, k))
		}
	}
	return true
}

func (c *Cluster) broker(t testing.TB, k int, action string) {
	t.Helper()
	c.scripts.run(t, "broker", strconv.Itoa(k), action)
}

// Freeze stops one broker without ending it.
func (c *Cluster) Freeze(t testing.TB, k int) { t.Helper(); signal(t, c.pid(t, k), syscall.SIGSTOP) }

// Thaw ends Freeze.
func (c *Cluster) Thaw(t testing.TB, k int) { t.Helper(); signal(t, c.pid(t, k), syscall.SIGCONT) }

// id is what the brokers call one of them.
func (c *Cluster) id(t testing.TB, k int) string {
	t.Helper()
	_, id, _ := strings.Cut(c.One(t, k).AdminURL, "//")
	return id
}

func (c *Cluster) pid(t testing.TB, k int) string {
	t.Helper()
	return c.scripts.env(t)["TESTPULSAR_PID_"+strconv.Itoa(k)]
}

// Owner is the broker, from 1, that serves one partition; somebody serves it then.
func (c *Cluster) Owner(t testing.TB, partition string) int {
	t.Helper()
	var found struct {
		URL string `json:"brokerUrl"`
		TLS string `json:"brokerUrlTls"`
	}
	c.must(t, request{method: http.MethodGet, path: "/lookup/v2/topic/" + strings.TrimPrefix(path(partition), "/admin/v2/"), out: &found})
	for k := 1; k <= c.Brokers; k++ {
		if url := c.One(t, k).URL; url == found.URL || url == found.TLS {
			return k
		}
	}
	t.Fatalf("%s is served by %+v, which is none of the brokers", partition, found)
	return 0
}

// Move hands the bundle of one partition to another broker. It returns when that has it.
func (c *Cluster) Move(t testing.TB, partition string, to int) {
	t.Helper()
	var bundle string
	c.must(t, request{method: http.MethodGet, path: "/lookup/v2/topic/" + strings.TrimPrefix(path(partition), "/admin/v2/") + "/bundle", out: &bundle})
	namespace := strings.Join(strings.Split(strings.TrimPrefix(partition, "persistent://"), "/")[:2], "/")
	// A broker that has just come is not taken at its word by the others.
	Eventually(t, "the topic is moved", func() bool {
		c.must(t, request{method: http.MethodPut, path: fmt.Sprintf("/admin/v2/namespaces/%s/%s/unload?destinationBroker=%s", namespace, strings.TrimSpace(bundle), c.id(t, to))})
		return c.Owner(t, partition) == to
	})
}
