//go:build linux || darwin

package local_test

import (
	"syscall"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/functionmesh/terraform-provider-functionmesh/internal/engine"
	"github.com/functionmesh/terraform-provider-functionmesh/internal/local"
	"github.com/functionmesh/terraform-provider-functionmesh/internal/spec"
)

func TestSettingsOutliveTheDaemon(t *testing.T) {
	plain := options(t)
	asked := plain
	asked.Listen, asked.IdleTimeout = "127.0.0.1:0", time.Hour
	before := ensure(t, asked).Handshake()
	want := local.Settings{Listen: "127.0.0.1:0", IdleTimeoutMs: time.Hour.Milliseconds()}
	if diff := cmp.Diff(want, before.Settings); diff != "" || before.Listen == "" {
		t.Errorf("at first, listening on %q: %s", before.Listen, diff)
	}
	must(t, syscall.Kill(before.PID, syscall.SIGKILL))
	after := ensure(t, plain).Handshake()
	if diff := cmp.Diff(want, after.Settings); diff != "" || after.Listen == "" || after.PID == before.PID {
		t.Errorf("after a crash, listening on %q: %s", after.Listen, diff)
	}
	ran, err := local.Down(t.Context(), plain)
	if err != nil || !ran {
		t.Errorf("down: %v, ran %v", err, ran)
	}
	last := ensure(t, plain).Handshake()
	if diff := cmp.Diff(local.Settings{}, last.Settings); diff != "" || last.Listen != "" {
		t.Errorf("after down, listening on %q: %s", last.Listen, diff)
	}
}

func TestSettingsOfARunningDaemon(t *testing.T) {
	o := options(t)
	o.Listen, o.Token = "127.0.0.1:0", spec.NewSecret("sesame-open")
	c := ensure(t, o)
	o.Listen, o.Token = "", spec.Secret{}
	refused := map[string]func(*local.Options){
		"Listen":   func(o *local.Options) { o.Listen = "127.0.0.1:1" },
		"Anywhere": func(o *local.Options) { o.ListenAnywhere = true },
		"Token":    func(o *local.Options) { o.Token = spec.NewSecret("another") },
	}
	for name, change := range refused {
		t.Run(name, func(t *testing.T) {
			o := o
			change(&o)
			if _, err := local.Ensure(t.Context(), o); !engine.Is(err, engine.Conflict) {
				t.Errorf("%v, want a conflict", err)
			}
		})
	}
	same := map[string]func(*local.Options){
		"Listen":      func(o *local.Options) { o.Listen = "127.0.0.1:0" },
		"ListenFound": func(o *local.Options) { o.Listen = c.Handshake().Listen },
		"Token":       func(o *local.Options) { o.Token = spec.NewSecret("sesame-open") },
	}
	for name, change := range same {
		t.Run("Same"+name, func(t *testing.T) {
			o := o
			change(&o)
			if got := ensure(t, o).Handshake().PID; got != c.Handshake().PID {
				t.Errorf("daemon %d, want %d", got, c.Handshake().PID)
			}
		})
	}
	for _, idle := range []time.Duration{time.Hour, 0, -1} {
		want := map[time.Duration]time.Duration{-1: 0}[idle]
		if idle >= 0 {
			want = time.Hour
		}
		o.IdleTimeout = idle
		ensure(t, o)
		h, err := c.Refresh(t.Context())
		must(t, err)
		if got := time.Duration(h.Settings.IdleTimeoutMs) * time.Millisecond; got != want || h.PID != c.Handshake().PID {
			t.Errorf("idle timeout %v after asking for %v, want %v", got, idle, want)
		}
	}
}

func TestIdleTimeoutReachesARunningDaemon(t *testing.T) {
	o := options(t)
	ensure(t, o)
	o.IdleTimeout = 50 * time.Millisecond
	ensure(t, o)
	eventually(t, "the end of an idle daemon", func() bool { return len(processes(t, o.DataDir)) == 0 })
}

func TestDownWithoutADaemon(t *testing.T) {
	if ran, err := local.Down(t.Context(), options(t)); ran || err != nil {
		t.Errorf("ran %v, %v", ran, err)
	}
}
