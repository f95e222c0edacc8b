package settings_test

import (
	"errors"
	"os"
	"path/filepath"
	"testing"

	"github.com/functionmesh/terraform-provider-functionmesh/internal/spec"
	"github.com/functionmesh/terraform-provider-functionmesh/runner/connector/settings"
	"github.com/functionmesh/terraform-provider-functionmesh/runner/pipeline"
)

func TestR8Decode(t *testing.T) {
	type config struct {
		Path   string `json:"path"`
		Format string `json:"format"`
		Mode   string `json:"mode"`
	}
	cases := map[string]struct {
		connector string
		kind      spec.Kind
		json      string
		want      config
		fails     bool
	}{
		"Defaults":         {"file", spec.KindSource, `{"path":"a"}`, config{"a", "lines", "tail"}, false},
		"Given":            {"file", spec.KindSource, `{"path":"a","format":"ndjson","mode":"whole"}`, config{"a", "ndjson", "whole"}, false},
		"NullIsUnset":      {"file", spec.KindSource, `{"path":"a","mode":null}`, config{"a", "lines", "tail"}, false},
		"OtherKind":        {"file", spec.KindSink, `{"path":"a"}`, config{"a", "lines", ""}, false},
		"NotForThisKind":   {"file", spec.KindSink, `{"path":"a","mode":"tail"}`, config{}, true},
		"Required":         {"file", spec.KindSource, ``, config{}, true},
		"OtherValue":       {"file", spec.KindSource, `{"path":"a","mode":"head"}`, config{}, true},
		"Unknown":          {"file", spec.KindSource, `{"path":"a","paths":1}`, config{}, true},
		"UnknownConnector": {"kafka", spec.KindSource, `{}`, config{}, true},
		"WrongKind":        {"generator", spec.KindSink, `{}`, config{}, true},
		"NotInTheStruct":   {"generator", spec.KindSource, `{}`, config{}, true},
		"NoJSON":           {"file", spec.KindSource, `path`, config{}, true},
	}
	for name, c := range cases {
		t.Run(name, func(t *testing.T) {
			var got config
			err := settings.Decode(c.connector, c.kind, c.json, &got)
			var terminal *pipeline.TerminalError
			if c.fails != (err != nil) || err != nil && !errors.As(err, &terminal) {
				t.Fatalf("got %v", err)
			}
			if err == nil && got != c.want {
				t.Errorf("got %+v, want %+v", got, c.want)
			}
		})
	}
}

func TestPosition(t *testing.T) {
	place := settings.Place{WorkDir: t.TempDir()}
	p := settings.NewPosition(place, "here")
	var got int
	if ok, err := p.Load(&got); ok || err != nil {
		t.Fatalf("before the first save: %v, %v", ok, err)
	}
	for want := range 3 {
		if err := p.Save(want); err != nil {
			t.Fatal(err)
		}
		if ok, err := p.Load(&got); !ok || err != nil || got != want {
			t.Errorf("got %d, %v, %v; want %d", got, ok, err, want)
		}
	}
	file := filepath.Join(place.WorkDir, "here.position.json")
	if info, err := os.Stat(file); err != nil || info.Mode().Perm() != 0o600 {
		t.Errorf("%v, %v", info, err)
	}
	if err := os.WriteFile(file, []byte("torn"), 0o600); err != nil {
		t.Fatal(err)
	}
	if ok, err := p.Load(&got); ok || err == nil {
		t.Error("a torn position was believed")
	}
	if err := settings.NewPosition(settings.Place{WorkDir: filepath.Join(place.WorkDir, "none")}, "x").Save(1); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("got %v", err)
	}
}
