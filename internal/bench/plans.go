package main

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/functionmesh/terraform-provider-functionmesh/internal/catalog"
	"github.com/functionmesh/terraform-provider-functionmesh/internal/engine"
	"github.com/functionmesh/terraform-provider-functionmesh/internal/engine/enginetest"
	"github.com/functionmesh/terraform-provider-functionmesh/internal/gateway"
	"github.com/functionmesh/terraform-provider-functionmesh/internal/spec"
)

// latency is what every answer of the API is delayed by while plans are measured.
const latency = 20 * time.Millisecond

// plans measures `terraform plan` without changes over growing numbers of functions.
func plans(ctx context.Context, o options) (section, error) {
	s := section{
		title:  "Plan without changes",
		text:   fmt.Sprintf("`terraform plan` over N functions whose API answers after %s, at Terraform's own parallelism; medians of\n3, and the largest resident memory of the provider. CPU is Terraform's and the provider's together.\n\nGoals: 1,000 functions in less than 10 s and 150 MB, and in proportion to their number.", latency),
		header: []string{"functions", "wall", "CPU", "CPU of the provider alone", "provider, resident"},
	}
	terraform, err := findTerraform()
	if err != nil {
		return s, err
	}
	for _, n := range []int{100, 300, 1000} {
		cost, err := plan(ctx, o, terraform, n)
		if err != nil {
			return s, fmt.Errorf("a plan over %d functions: %w", n, err)
		}
		fmt.Fprintf(o.progress, "plan: %d functions %.1f s\n", n, cost.wall)
		s.rows = append(s.rows, []string{
			strconv.Itoa(n), number(cost.wall, 1, " s"), number(cost.cpu, 1, " s"), number(cost.provider, 1, " s"), number(float64(cost.rss)/1e6, 0, " MB"),
		})
	}
	return s, nil
}

func findTerraform() (string, error) {
	for _, name := range []string{"terraform", "tofu", filepath.Join("bin", "tofu")} {
		if path, err := exec.LookPath(name); err == nil {
			return filepath.Abs(path)
		}
	}
	return "", fmt.Errorf("plans need terraform or tofu on PATH: see make tofu")
}

// memoryCode keeps uploaded code in memory.
type memoryCode struct{ files sync.Map }

// Put implements gateway.CodeStore.
func (m *memoryCode) Put(_ context.Context, name string, r io.Reader) (file, sum string, err error) {
	b, err := io.ReadAll(r)
	if err != nil {
		return "", "", err
	}
	digest := sha256.Sum256(b)
	sum = hex.EncodeToString(digest[:])
	m.files.Store(sum, b)
	return name, sum, nil
}

// Open implements gateway.CodeStore.
func (m *memoryCode) Open(_ context.Context, sum string) (io.ReadCloser, error) {
	b, ok := m.files.Load(sum)
	if !ok {
		return nil, engine.New(engine.NotFound, fmt.Errorf("no code %s", sum))
	}
	return io.NopCloser(strings.NewReader(string(b.([]byte)))), nil
}

// serveAPI is an admin API over memory whose answers take as long as delay says.
func serveAPI(ctx context.Context, delay *atomic.Int64) (url string, stop func(), err error) {
	clients := catalog.Clients{
		Tenants:    enginetest.NewMemory(catalog.Tenant().Key),
		Namespaces: enginetest.NewMemory(catalog.Namespace().Key),
		Topics:     enginetest.NewMemory(catalog.Topic().Key),
		Components: map[spec.Kind]engine.Client[spec.Component]{},
	}
	for _, kind := range spec.ComponentKinds() {
		clients.Components[kind] = enginetest.NewMemory(catalog.Component(kind).Key)
	}
	api := gateway.New(gateway.Options{Clients: clients, Code: &memoryCode{}, PlatformID: func() string { return "bench" }})
	listener, err := (&net.ListenConfig{}).Listen(ctx, "tcp", "127.0.0.1:0")
	if err != nil {
		return "", nil, err
	}
	server := &http.Server{ReadHeaderTimeout: time.Minute, Handler: http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		time.Sleep(time.Duration(delay.Load()))
		api.ServeHTTP(w, r)
	})}
	done := make(chan struct{})
	go func() { defer close(done); _ = server.Serve(listener) }()
	return "http://" + listener.Addr().String(), func() { _ = server.Close(); <-done }, nil
}

const planHCL = `
terraform {
  required_providers {
    functionmesh = { source = "functionmesh/functionmesh" }
  }
}
provider "functionmesh" {
  pulsar = { admin_url = %q }
}
resource "functionmesh_function" "f" {
  count          = %d
  name           = "f-${count.index}"
  runtime        = { python = { file = "f.py", class = "f.f" } }
  inputs         = { in = {} }
  output         = { topic = "out" }
  wait_for_ready = false
}
`

// planCost is what one plan took: seconds of wall time, of CPU in all processes and in
// the provider's, and the most bytes that the provider held.
type planCost struct {
	wall, cpu, provider float64
	rss                 int64
}

func plan(ctx context.Context, o options, terraform string, n int) (planCost, error) {
	var delay atomic.Int64
	url, stop, err := serveAPI(ctx, &delay)
	if err != nil {
		return planCost{}, err
	}
	defer stop()
	dir := filepath.Join(o.dir, "plan-"+strconv.Itoa(n))
	for name, text := range map[string]string{"main.tf": fmt.Sprintf(planHCL, url, n), "f.py": "def f(v):\n    return v\n"} {
		if err := os.MkdirAll(dir, 0o700); err != nil {
			return planCost{}, err
		}
		if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o600); err != nil {
			return planCost{}, err
		}
	}
	config, err := mirror(o, dir)
	if err != nil {
		return planCost{}, err
	}
	tf := func(args ...string) *exec.Cmd {
		cmd := exec.CommandContext(ctx, terraform, args...)
		cmd.Dir, cmd.Env = dir, append(os.Environ(), "TF_CLI_CONFIG_FILE="+config, "CHECKPOINT_DISABLE=1")
		return cmd
	}
	for _, args := range [][]string{{"init", "-input=false"}, {"apply", "-input=false", "-auto-approve", "-parallelism=50"}} {
		if out, err := tf(args...).CombinedOutput(); err != nil {
			return planCost{}, fmt.Errorf("terraform %s: %w\n%s", args[0], err, out)
		}
	}
	delay.Store(int64(latency))
	var walls, all, own []float64
	var rss int64
	for range 3 {
		cost, err := planOnce(tf("plan", "-input=false", "-detailed-exitcode"))
		if err != nil {
			return cost, err
		}
		walls, all, own = append(walls, cost.wall), append(all, cost.cpu), append(own, cost.provider)
		rss = max(rss, cost.rss)
	}
	return planCost{wall: median(walls), cpu: median(all), provider: median(own), rss: rss}, nil
}

// mirror lets terraform find the built provider without a registry.
func mirror(o options, dir string) (string, error) {
	root := filepath.Join(dir, "mirror")
	for _, host := range []string{"registry.terraform.io", "registry.opentofu.org"} {
		folder := filepath.Join(root, host, "functionmesh", "functionmesh", "0.1.0", runtime.GOOS+"_"+runtime.GOARCH)
		if err := os.MkdirAll(folder, 0o700); err != nil {
			return "", err
		}
		if err := os.Symlink(o.binary, filepath.Join(folder, "terraform-provider-functionmesh_v0.1.0")); err != nil {
			return "", err
		}
	}
	config := filepath.Join(dir, "cli.tfrc")
	text := fmt.Sprintf("provider_installation {\n  filesystem_mirror {\n    path = %q\n  }\n}\n", root)
	return config, os.WriteFile(config, []byte(text), 0o600)
}

// planOnce runs a plan that must find nothing to do and watches the provider.
func planOnce(cmd *exec.Cmd) (planCost, error) {
	var out strings.Builder
	cmd.Stdout, cmd.Stderr = &out, &out
	begin := time.Now()
	if err := cmd.Start(); err != nil {
		return planCost{}, err
	}
	done := make(chan error, 1)
	go func() { done <- cmd.Wait() }()
	var cost planCost
	for {
		select {
		case err := <-done:
			if err != nil {
				return cost, fmt.Errorf("%w\n%s", err, out.String())
			}
			cost.wall = time.Since(begin).Seconds()
			cost.cpu = (cmd.ProcessState.UserTime() + cmd.ProcessState.SystemTime()).Seconds()
			return cost, nil
		case <-time.After(100 * time.Millisecond):
			cpu, rss := provider(cmd.Process.Pid)
			cost.provider, cost.rss = max(cost.provider, cpu), max(cost.rss, rss)
		}
	}
}

// ticks is how many units of /proc's processor times make a second on Linux.
const ticks = 100

// provider reads, on Linux, the processor time in seconds and the resident memory of
// the terraform process's child that is the provider; zeros while there is none. Of the
// providers of one plan, which follow each other, the busiest counts.
func provider(parent int) (cpu float64, rss int64) {
	tasks, err := filepath.Glob(fmt.Sprintf("/proc/%d/task/*/children", parent))
	if err != nil {
		return 0, 0
	}
	for _, task := range tasks {
		children, err := os.ReadFile(task)
		if err != nil {
			continue
		}
		for pid := range strings.FieldsSeq(string(children)) {
			stat, err := os.ReadFile("/proc/" + pid + "/stat")
			_, text, ok := strings.Cut(string(stat), ") ")
			f := strings.Fields(text)
			if err != nil || !ok || len(f) < 22 {
				continue
			}
			// Counted from the state, which is field 3 of the file: utime 14, stime 15, rss 24.
			user, _ := strconv.ParseFloat(f[11], 64)
			system, _ := strconv.ParseFloat(f[12], 64)
			pages, _ := strconv.ParseInt(f[21], 10, 64)
			cpu, rss = max(cpu, (user+system)/ticks), max(rss, pages*int64(os.Getpagesize()))
		}
	}
	return cpu, rss
}
