//go:build unix

package faults_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"

	"github.com/functionmesh/terraform-provider-functionmesh/internal/wire"
	"github.com/functionmesh/terraform-provider-functionmesh/runner/broker/pulsar/pulsartest"
)

// get asks the probe; "" while it does not answer.
func (c *child) get(t *testing.T, path string) string {
	t.Helper()
	client := http.Client{Transport: &http.Transport{DisableKeepAlives: true, DialContext: func(ctx context.Context, _, _ string) (net.Conn, error) {
		return new(net.Dialer).DialContext(ctx, "unix", c.socket)
	}}}
	request, err := http.NewRequestWithContext(t.Context(), http.MethodGet, "http://instance"+path, http.NoBody)
	if err != nil {
		t.Fatal(err)
	}
	answer, err := client.Do(request)
	if err != nil {
		return ""
	}
	defer answer.Body.Close()
	text, err := io.ReadAll(answer.Body)
	if err != nil {
		return ""
	}
	return string(text)
}

// beside are the TCP ports that the process is connected to and that are not the server's.
// Only Linux tells.
func (c *child) beside(t *testing.T, server *pulsartest.Server) (ports []int64) {
	t.Helper()
	own := filepath.Join("/proc", strconv.Itoa(c.cmd.Process.Pid))
	table, err := os.ReadFile(filepath.Join(own, "net", "tcp"))
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil {
		t.Fatal(err)
	}
	sockets := map[string]bool{}
	files, err := filepath.Glob(filepath.Join(own, "fd", "*"))
	if err != nil {
		t.Fatal(err)
	}
	for _, file := range files {
		if target, err := os.Readlink(file); err == nil {
			sockets[target] = true
		}
	}
	found := 0
	for line := range strings.Lines(string(table)) {
		const remote, state, inode, established = 2, 3, 9, "01"
		fields := strings.Fields(line)
		if len(fields) <= inode || fields[state] != established || !sockets["socket:["+fields[inode]+"]"] {
			continue
		}
		_, text, _ := strings.Cut(fields[remote], ":")
		port, err := strconv.ParseInt(text, 16, 32)
		if err != nil {
			t.Fatal(err)
		}
		if found++; !strings.HasSuffix(server.URL, fmt.Sprint(":", port)) {
			ports = append(ports, port)
		}
	}
	if found == 0 {
		t.Error("the instance has no connection at all")
	}
	return ports
}

// status is what the instance counted; ok is false while it does not answer.
func (c *child) status(t *testing.T) (s wire.Status, ok bool) {
	t.Helper()
	err := json.Unmarshal([]byte(c.get(t, "/status")), &s)
	return s, err == nil
}

// ready waits until the instance does its work.
func (c *child) ready(t *testing.T) {
	t.Helper()
	pulsartest.Eventually(t, "the instance is ready", func() bool {
		c.alive(t)
		s, ok := c.status(t)
		return ok && s.Ready
	})
}

// gauges are the metrics without labels, such as those of Go's runtime.
func (c *child) gauges(t *testing.T) map[string]float64 {
	t.Helper()
	found := map[string]float64{}
	for line := range strings.Lines(c.get(t, "/metrics")) {
		name, text, ok := strings.Cut(strings.TrimSpace(line), " ")
		if !ok || strings.HasPrefix(name, "#") {
			continue
		}
		if value, err := strconv.ParseFloat(text, 64); err == nil {
			found[name] = value
		}
	}
	if len(found) == 0 {
		t.Fatal("the instance tells no metrics")
	}
	return found
}
