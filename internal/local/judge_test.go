//go:build linux || darwin

package local_test

import (
	"encoding/json"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"testing"

	"github.com/functionmesh/terraform-provider-functionmesh/internal/engine"
	"github.com/functionmesh/terraform-provider-functionmesh/internal/local"
	"github.com/functionmesh/terraform-provider-functionmesh/internal/local/home"
)

// fakeDaemon holds the data directory and says h to whoever asks, until it is told to
// end.
func fakeDaemon(t *testing.T, o local.Options, h local.Handshake) {
	t.Helper()
	dir, err := home.Resolve(o.DataDir)
	must(t, err)
	must(t, dir.Make())
	lock, held, err := dir.LockDaemon()
	must(t, err)
	if !held {
		t.Fatal("somebody holds the directory")
	}
	ended := make(chan struct{}, 1)
	mux := http.NewServeMux()
	mux.HandleFunc("GET /functionmesh/v1/handshake", func(w http.ResponseWriter, _ *http.Request) {
		if err := json.NewEncoder(w).Encode(h); err != nil {
			t.Error(err)
		}
	})
	mux.HandleFunc("POST /functionmesh/v1/drain", func(w http.ResponseWriter, _ *http.Request) {
		w.WriteHeader(http.StatusNoContent)
		if err := dir.RemoveRecord(); err != nil {
			t.Error(err)
		}
		ended <- struct{}{}
		if err := lock.Release(); err != nil {
			t.Error(err)
		}
	})
	short, err := os.MkdirTemp("", "fm") //nolint:usetesting // a path from t.TempDir is too long for a socket
	must(t, err)
	t.Cleanup(func() { must(t, os.RemoveAll(short)) })
	l, err := (&net.ListenConfig{}).Listen(t.Context(), "unix", filepath.Join(short, "s"))
	must(t, err)
	server := &http.Server{Handler: mux}
	done := make(chan error, 1)
	go func() { done <- server.Serve(l) }()
	t.Cleanup(func() {
		must(t, server.Close())
		<-done
		select {
		case <-ended:
		default: // nobody replaced it
			must(t, dir.RemoveRecord())
			must(t, lock.Release())
		}
	})
	must(t, dir.WriteRecord(home.Record{PID: os.Getpid(), Socket: l.Addr().String(), Version: h.Version, ID: h.ID}))
}

func TestJudge(t *testing.T) {
	const ours = "1.1.0"
	const refused, used, replaced = "refused", "used", "replaced"
	cases := map[string]struct {
		version       string
		protocol, min int
		dials         bool
		want          string
	}{
		"TooOldOfTheSameVersion": {version: ours, protocol: 0, want: refused},
		"TooOldAndOlder":         {version: "1.0.0", protocol: 0, want: replaced},
		"Oldest":                 {version: ours, protocol: 1, min: 1, dials: true, want: used},
		"Same":                   {version: ours, protocol: 2, min: 1, dials: true, want: used},
		"SameAndOlder":           {version: "1.0.0", protocol: 2, min: 1, dials: true, want: replaced},
		"NewerThatKnowsUs":       {version: "1.2.0", protocol: 3, min: 2, dials: true, want: used},
		"NewerThatDoesNot":       {version: "1.2.0", protocol: 3, min: 3, want: refused},
		"OlderThatDoesNot":       {version: "1.0.0", protocol: 3, min: 3, want: refused},
	}
	for name, tc := range cases {
		t.Run(name, func(t *testing.T) {
			o := options(t)
			o.Binary = script(t, ours, "ours")
			fakeDaemon(t, o, local.Handshake{ID: "fake", Version: tc.version, Digest: "another", Protocol: tc.protocol, MinProtocol: tc.min})
			if _, err := local.Dial(t.Context(), o); (err == nil) != tc.dials || err != nil && !engine.Is(err, engine.Invalid) {
				t.Errorf("dial: %v, want success %v", err, tc.dials)
			}
			c, err := local.Ensure(t.Context(), o)
			got := refused
			switch {
			case err == nil && c.Handshake().ID == "fake":
				got = used
			case err == nil:
				got = replaced
			case !engine.Is(err, engine.Invalid):
				t.Fatal(err)
			}
			if got != tc.want {
				t.Errorf("%s (%v), want %s", got, err, tc.want)
			}
		})
	}
}
