//go:build unix

package faults_test

import (
	"context"
	"encoding/json"
	"io"
	"net"
	"net/http"
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
	return found
}
