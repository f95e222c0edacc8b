//go:build unix

package faults_test

import (
	"context"
	"encoding/json"
	"net"
	"net/http"
	"testing"

	"github.com/functionmesh/terraform-provider-functionmesh/internal/wire"
	"github.com/functionmesh/terraform-provider-functionmesh/runner/broker/pulsar/pulsartest"
)

// status asks the instance what it counted; ok is false while it does not answer.
func (c *child) status(t *testing.T) (s wire.Status, ok bool) {
	t.Helper()
	client := http.Client{Transport: &http.Transport{DisableKeepAlives: true, DialContext: func(ctx context.Context, _, _ string) (net.Conn, error) {
		return new(net.Dialer).DialContext(ctx, "unix", c.socket)
	}}}
	request, err := http.NewRequestWithContext(t.Context(), http.MethodGet, "http://instance/status", http.NoBody)
	if err != nil {
		t.Fatal(err)
	}
	answer, err := client.Do(request)
	if err != nil {
		return s, false
	}
	defer answer.Body.Close()
	return s, json.NewDecoder(answer.Body).Decode(&s) == nil
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
