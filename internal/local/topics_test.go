//go:build linux || darwin

package local_test

import (
	"context"
	"net"
	"net/http"
	"net/url"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/functionmesh/terraform-provider-functionmesh/internal/engine"
	"github.com/functionmesh/terraform-provider-functionmesh/internal/local"
	"github.com/functionmesh/terraform-provider-functionmesh/internal/spec"
)

func TestSubscriptionsThatStay(t *testing.T) {
	const numbers, name = "persistent://public/default/numbers", "public/default/store"
	c := ensure(t, options(t))
	pipeline(t, c, 10, "")
	if err := c.Unsubscribe(t.Context(), numbers, "misspelt", false); !engine.Is(err, engine.NotFound) || !strings.Contains(err.Error(), name) {
		t.Errorf("a misspelt subscription: %v, want not found and %q", err, name)
	}
	if err := c.Unsubscribe(t.Context(), numbers, name, false); !engine.Is(err, engine.Conflict) {
		t.Errorf("in use: %v, want a conflict", err)
	}
	all := clients(t, c)
	key := engine.Key{Kind: string(spec.KindSink), Tenant: "public", Namespace: "default", Name: "store"}
	e := all.Components[spec.KindSink]
	have, err := e.Observe(t.Context(), key)
	must(t, err)
	must(t, e.Delete(t.Context(), have, engine.DeleteOptions{}))
	eventually(t, "the end of the sink", func() bool {
		have, err := e.Observe(t.Context(), key)
		return err == nil && !have.Found
	})
	got, err := c.Subscriptions(t.Context(), numbers)
	must(t, err)
	if len(got) == 1 {
		got[0].Backlog = 0
	}
	if diff := cmp.Diff([]local.Subscription{{Name: name, Mode: "Shared"}}, got); diff != "" {
		t.Error(diff)
	}
	socket := strings.TrimPrefix(c.AdminURL(), "unix://")
	rest := &http.Client{Transport: &http.Transport{DialContext: func(ctx context.Context, _, _ string) (net.Conn, error) {
		return (&net.Dialer{}).DialContext(ctx, "unix", socket)
	}}}
	defer rest.CloseIdleConnections()
	at := "http://local/admin/v2/persistent/public/default/numbers/subscription/" + url.PathEscape(name)
	for _, want := range []int{http.StatusNoContent, http.StatusNotFound} {
		req, err := http.NewRequestWithContext(t.Context(), http.MethodDelete, at, http.NoBody)
		must(t, err)
		res, err := rest.Do(req)
		must(t, err)
		must(t, res.Body.Close())
		if res.StatusCode != want {
			t.Errorf("status %d, want %d", res.StatusCode, want)
		}
	}
	if err := c.Unsubscribe(t.Context(), numbers, name, true); !engine.Is(err, engine.NotFound) {
		t.Errorf("deleted already: %v, want not found", err)
	}
	if got, err = c.Subscriptions(t.Context(), numbers); len(got) != 0 || err != nil {
		t.Errorf("left: %v, %v", got, err)
	}
}
