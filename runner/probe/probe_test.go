package probe_test

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"github.com/functionmesh/terraform-provider-functionmesh/internal/wire"
	"github.com/functionmesh/terraform-provider-functionmesh/runner/pipeline"
	"github.com/functionmesh/terraform-provider-functionmesh/runner/probe"
)

func newProbe(kind string) *probe.Probe {
	return probe.New(probe.Options{
		Component: wire.Component{Kind: kind, Tenant: "acme", Namespace: "shop", Name: "enrich"},
		Instance:  wire.Instance{ID: 2, Parallelism: 3, Platform: "local-1"},
		Path:      wire.EntryPath, PathNote: "every setting is honoured",
		Masker:   probe.NewMasker("hunter22"),
		InFlight: func() int64 { return 77 },
	})
}

func get(t *testing.T, h http.Handler, path string) (int, string) {
	t.Helper()
	w := httptest.NewRecorder()
	h.ServeHTTP(w, httptest.NewRequestWithContext(t.Context(), http.MethodGet, path, nil))
	return w.Code, w.Body.String()
}

func TestStatus(t *testing.T) {
	p := newProbe("function")
	p.Received(10)
	p.Processed(4, 8*time.Millisecond)
	p.Processed(6, 2*time.Millisecond)
	p.DeadLettered(1)
	p.Repeated(5)
	p.Malformed("checksum", 2)
	p.Malformed("truncated", 1)
	for range 12 {
		p.Failed(pipeline.User, errors.New("bad password hunter22"))
	}
	p.Failed(pipeline.System, errors.New("broker"))
	p.Failed(pipeline.SourceFailure, errors.New(strings.Repeat("ä", 5000)))
	p.Failed(pipeline.SinkFailure, errors.New("disk\xff"))
	p.Metric("orders", 2)
	p.Metric("orders", 4)
	p.SetReady(true)
	_, body := get(t, p.Handler(), "/status")
	var got wire.Status
	if err := json.Unmarshal([]byte(body), &got); err != nil {
		t.Fatal(err)
	}
	if got.LastInvocationMs == 0 || len(got.LatestUser) != 10 || got.LatestUser[9].Message != "bad password ********" {
		t.Errorf("last invocation %d, exceptions %v", got.LastInvocationMs, got.LatestUser)
	}
	if n := len(got.LatestSource[0].Message); n > 4096 || n < 4000 {
		t.Errorf("an exception of %d bytes", n)
	}
	want := wire.Status{
		Ready: true, Received: 10, Processed: 10, DeadLettered: 1, UserExceptions: 12, SystemExceptions: 1,
		SourceExceptions: 1, SinkExceptions: 1, AverageLatencyMs: 1, InFlightBytes: 77,
		Path: wire.EntryPath, PathNote: "every setting is honoured", Repeats: 5, Malformed: map[string]int64{"checksum": 2, "truncated": 1},
		UserMetrics: map[string]float64{"orders_count": 2, "orders_sum": 6, "orders_min": 2, "orders_max": 4},
	}
	ignored := cmpopts.IgnoreFields(wire.Status{}, "LatestUser", "LatestSystem", "LatestSource", "LatestSink", "LastInvocationMs")
	if d := cmp.Diff(want, got, ignored); d != "" {
		t.Error(d)
	}
}

func TestHealth(t *testing.T) {
	p := newProbe("function")
	for _, ready := range []bool{false, true, false} {
		p.SetReady(ready)
		if code, _ := get(t, p.Handler(), "/healthz"); code != http.StatusOK {
			t.Errorf("healthz: %d", code)
		}
		if code, _ := get(t, p.Handler(), "/readyz"); (code == http.StatusOK) != ready {
			t.Errorf("readyz: %d while ready is %v", code, ready)
		}
	}
}

func TestMetricsHavePulsarsNames(t *testing.T) {
	const labels = `cluster="local-1",fqfn="acme/shop/enrich",instance_id="2",name="enrich",namespace="acme/shop",tenant="acme"`
	cases := map[string]struct {
		kind string
		want []string
	}{
		"Function": {"function", []string{
			"pulsar_function_received_total{L} 3", "pulsar_function_processed_successfully_total{L} 2",
			"pulsar_function_user_exceptions_total{L} 2", "pulsar_function_system_exceptions_total{L} 0",
			"pulsar_function_last_invocation{L}", "pulsar_function_process_latency_ms_count{L} 2", "pulsar_function_process_latency_ms_sum{L} 4",
			"pulsar_function_received_1min{L} 3", "pulsar_function_received_1min_total{L} 3", "pulsar_function_processed_successfully_1min_total{L} 2",
			"pulsar_function_user_exceptions_1min_total{L} 2", "pulsar_function_system_exceptions_1min_total{L} 0",
			"pulsar_function_process_latency_ms_1min_count{L} 2", `pulsar_function_malformed_total{cluster="local-1",defect="checksum",fqfn=`,
			"pulsar_function_repeats_dropped_total{L} 3", "pulsar_function_dead_lettered_total{L} 1",
			`pulsar_function_user_metric__sum{cluster="local-1",fqfn="acme/shop/enrich",instance_id="2",metric="orders",name="enrich",namespace="acme/shop",tenant="acme"} 7`,
			`pulsar_function_user_exception{cluster="local-1",error="boom",fqfn=`,
		}},
		"Source": {"source", []string{"pulsar_source_written_total{L} 2", "pulsar_source_written_1min_total{L} 2", "pulsar_source_source_exceptions_total{L} 0"}},
		"Sink":   {"sink", []string{"pulsar_sink_written_total{L} 2", "pulsar_sink_sink_exceptions_total{L} 0"}},
	}
	for name, c := range cases {
		t.Run(name, func(t *testing.T) {
			p := newProbe(c.kind)
			p.Received(3)
			p.Processed(2, 4*time.Millisecond)
			p.Failed(pipeline.User, errors.New("boom"))
			p.Failed(pipeline.User, errors.New("boom"))
			p.DeadLettered(1)
			p.Repeated(3)
			p.Malformed("checksum", 1)
			p.Metric("orders", 7)
			code, body := get(t, p.Handler(), "/metrics")
			if code != http.StatusOK {
				t.Fatalf("%d %s", code, body)
			}
			for _, want := range c.want {
				if want = strings.ReplaceAll(want, "{L}", "{"+labels+"}"); !strings.Contains(body, want) {
					t.Errorf("there is no %s in\n%s", want, body)
				}
			}
		})
	}
}

// Each exception text is a time series, so a function that fails with ever other words
// gets few of them.
func TestExceptionsAmongMetricsAreBounded(t *testing.T) {
	p := newProbe("function")
	for i := range 1000 {
		p.Failed(pipeline.User, fmt.Errorf("failure %d", i))
	}
	_, body := get(t, p.Handler(), "/metrics")
	if n := strings.Count(body, "pulsar_function_user_exception{"); n != 5 {
		t.Errorf("%d series", n)
	}
	if n := len(p.Status().LatestUser); n != 10 {
		t.Errorf("%d exceptions in the status", n)
	}
}

func TestMetricNamesAreBounded(t *testing.T) {
	p := newProbe("function")
	for i := range 2000 {
		p.Metric(fmt.Sprintf("name-%d", i), 1)
	}
	if n := len(p.Status().UserMetrics); n != 4*1000 {
		t.Errorf("%d values are remembered", n)
	}
}

func TestServe(t *testing.T) {
	dir, err := os.MkdirTemp("", "fm") //nolint:usetesting // socket paths are short
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = os.RemoveAll(dir) })
	for name, address := range map[string]string{"Unix": "unix:" + filepath.Join(dir, "p"), "TCP": "127.0.0.1:0"} {
		t.Run(name, func(t *testing.T) {
			for range 2 { // a second start finds what the first one left behind
				s, err := newProbe("function").Serve(t.Context(), address)
				if err != nil {
					t.Fatal(err)
				}
				if path, ok := strings.CutPrefix(address, "unix:"); ok {
					if info, err := os.Stat(path); err != nil || info.Mode().Perm() != 0o600 {
						t.Errorf("socket: %v, %v", info, err)
					}
				}
				if got := fetch(t, s.Addr()); got != "ok\n" {
					t.Errorf("got %q", got)
				}
				if err := s.Close(); err != nil {
					t.Error(err)
				}
			}
		})
	}
	if _, err := newProbe("function").Serve(t.Context(), "unix:"+filepath.Join(dir, "missing", "p")); err == nil {
		t.Error("a socket in a folder that does not exist")
	}
}

func fetch(t *testing.T, addr net.Addr) string {
	t.Helper()
	client := http.Client{Transport: &http.Transport{DisableKeepAlives: true, DialContext: func(ctx context.Context, _, _ string) (net.Conn, error) {
		return new(net.Dialer).DialContext(ctx, addr.Network(), addr.String())
	}}}
	request, err := http.NewRequestWithContext(t.Context(), http.MethodGet, "http://probe/healthz", nil)
	if err != nil {
		t.Fatal(err)
	}
	answer, err := client.Do(request)
	if err != nil {
		t.Fatal(err)
	}
	defer answer.Body.Close()
	body, err := io.ReadAll(answer.Body)
	if err != nil {
		t.Fatal(err)
	}
	return string(body)
}

func TestR9Masker(t *testing.T) {
	const pem = "-----BEGIN KEY-----\nMIIEvQIBADANBg\nab\n-----END KEY-----\n"
	cases := map[string]struct {
		secrets []string
		in      []string
		want    string
	}{
		"Plain":         {[]string{"hunter22"}, []string{"a hunter22 b\n"}, "a ******** b\n"},
		"SplitWrites":   {[]string{"hunter22"}, []string{"a hunt", "er22 b\nhunter", "22"}, "a ******** b\n********\n"},
		"LongestFirst":  {[]string{"pass", "password"}, []string{"password pass\n"}, "******** ********\n"},
		"InJSON":        {[]string{`qu"ote`}, []string{`{"a":"qu\"ote"}` + "\n"}, `{"a":"********"}` + "\n"},
		"LinesOfAKey":   {[]string{pem}, []string{"x MIIEvQIBADANBg ab\n"}, "x ******** ab\n"},
		"TooShort":      {[]string{"a", ""}, []string{"a b\n"}, "a b\n"},
		"Nothing":       {nil, []string{"a\n"}, "a\n"},
		"EndlessIsLine": {[]string{"hunter22"}, []string{strings.Repeat("x", 70_000)}, strings.Repeat("x", 70_000)},
	}
	for name, c := range cases {
		t.Run(name, func(t *testing.T) {
			var out bytes.Buffer
			w := probe.NewMasker(c.secrets...).Writer(&out)
			for _, s := range c.in {
				if n, err := io.WriteString(w, s); n != len(s) || err != nil {
					t.Fatal(n, err)
				}
			}
			if err := w.Flush(); err != nil {
				t.Fatal(err)
			}
			if d := cmp.Diff(c.want, out.String()); d != "" {
				t.Error(d)
			}
		})
	}
}
