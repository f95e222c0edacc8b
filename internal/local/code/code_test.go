package code_test

import (
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/functionmesh/terraform-provider-functionmesh/internal/engine"
	"github.com/functionmesh/terraform-provider-functionmesh/internal/gateway"
	"github.com/functionmesh/terraform-provider-functionmesh/internal/local/code"
	"github.com/functionmesh/terraform-provider-functionmesh/internal/local/store"
	"github.com/functionmesh/terraform-provider-functionmesh/internal/spec"
)

const sum = "2cf24dba5fb0a30e26e83b2ac5b9e29e1b161e5c1fa7425e73043362938b9824" // of hello

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

func newStore(t *testing.T) (*code.Store, string) {
	t.Helper()
	dir := t.TempDir()
	s, err := store.Open(dir)
	must(t, err)
	t.Cleanup(func() { must(t, s.Close()) })
	return code.New(filepath.Join(dir, "code"), s.Packages), filepath.Join(dir, "code")
}

func TestPutKeepsContentByDigestAndName(t *testing.T) {
	cases := map[string]struct{ name, want string }{
		"Plain":    {name: "enrich.py", want: "enrich.py"},
		"Path":     {name: "../../etc/passwd", want: "passwd"},
		"Windows":  {name: `C:\code\enrich.py`, want: "enrich.py"},
		"Dots":     {name: "..", want: "code"},
		"Hidden":   {name: ".profile", want: "profile"},
		"Strange":  {name: "a b\n", want: "a_b_"},
		"Empty":    {name: "", want: "code"},
		"VeryLong": {name: strings.Repeat("x", 300) + ".py", want: strings.Repeat("x", 125) + ".py"},
	}
	for name, tc := range cases {
		t.Run(name, func(t *testing.T) {
			s, dir := newStore(t)
			file, got, err := s.Put(t.Context(), tc.name, strings.NewReader("hello"))
			if want := filepath.Join(dir, sum, tc.want); file != want || got != sum || err != nil {
				t.Errorf("file %s, digest %s, %v; want %s", file, got, err, want)
			}
			r, err := s.Open(t.Context(), sum)
			must(t, err)
			text, err := io.ReadAll(r)
			if string(text) != "hello" || err != nil || r.Close() != nil {
				t.Errorf("content %q, %v", text, err)
			}
		})
	}
}

func TestFindRefusesWhatIsNoDigest(t *testing.T) {
	s, _ := newStore(t)
	for _, bad := range []string{"", "..", "../..", strings.Repeat("g", 64), sum} {
		if _, err := s.Find(bad, "x"); !engine.Is(err, engine.NotFound) {
			t.Errorf("%q: %v, want not found", bad, err)
		}
	}
}

func TestResolve(t *testing.T) {
	s, _ := newStore(t)
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path != "/f.py" {
			w.WriteHeader(http.StatusNotFound)
			return
		}
		_, _ = io.WriteString(w, "hello")
	}))
	t.Cleanup(server.Close)
	file := filepath.Join(t.TempDir(), "f.py")
	must(t, os.WriteFile(file, []byte("hello"), 0o600))
	must(t, s.Packages().Put(t.Context(), packageName("1"), gateway.PackageMetadata{FileName: "f.py"}, strings.NewReader("hello")))
	other := strings.Repeat("0", 64)
	cases := map[string]struct {
		code   spec.Code
		digest string
		remote bool
		class  engine.Class
	}{
		"File":          {code: spec.Code{File: file}},
		"FileRemote":    {code: spec.Code{File: file}, remote: true, class: engine.Forbidden},
		"FileMissing":   {code: spec.Code{File: "/nonexistent"}, class: engine.Invalid},
		"Stored":        {code: spec.Code{File: "/gone/f.py"}, digest: sum, remote: true},
		"URL":           {code: spec.Code{URL: server.URL + "/f.py"}},
		"URLMissing":    {code: spec.Code{URL: server.URL + "/g.py"}, class: engine.Invalid},
		"URLDigest":     {code: spec.Code{URL: server.URL + "/f.py", SHA256: other}, class: engine.Invalid},
		"URLDown":       {code: spec.Code{URL: "http://127.0.0.1:1/f.py"}, class: engine.Unavailable},
		"Package":       {code: spec.Code{URL: packageName("1").String()}},
		"PackageRemote": {code: spec.Code{URL: packageName("1").String()}, remote: true},
		"URLRemote":     {code: spec.Code{URL: server.URL + "/f.py"}, remote: true, class: engine.Forbidden},
		"FileURLRemote": {code: spec.Code{URL: "file://" + file}, remote: true, class: engine.Forbidden},
		"PackageAbsent": {code: spec.Code{URL: packageName("2").String()}, class: engine.Invalid},
		"FileURL":       {code: spec.Code{URL: "file://" + file}, class: engine.Invalid},
		"Nothing":       {class: engine.Invalid},
	}
	for name, tc := range cases {
		t.Run(name, func(t *testing.T) {
			found, got, err := s.Resolve(t.Context(), tc.code, tc.digest, tc.remote)
			if class := engine.ClassOf(err); class != tc.class {
				t.Fatalf("%v: class %q, want %q", err, class, tc.class)
			}
			if tc.class == "" && (got != sum || filepath.Base(found) != "f.py") {
				t.Errorf("file %s with digest %s", found, got)
			}
		})
	}
}

func packageName(version string) gateway.PackageName {
	return gateway.PackageName{Type: "function", Tenant: "public", Namespace: "default", Name: "f", Version: version}
}

func TestPackages(t *testing.T) {
	s, _ := newStore(t)
	p := s.Packages()
	put := func(version, text string) error {
		var r io.Reader
		if text != "" {
			r = strings.NewReader(text)
		}
		return p.Put(t.Context(), packageName(version), gateway.PackageMetadata{Description: version + text, FileName: "f.py"}, r)
	}
	if err := put("1", ""); !engine.Is(err, engine.NotFound) {
		t.Errorf("metadata of a package that is not there: %v", err)
	}
	must(t, put("1", "hello"))
	if err := put("1", "other"); !engine.Is(err, engine.Exists) {
		t.Errorf("second upload: %v", err)
	}
	must(t, put("1", ""))
	must(t, put("2", "hello"))
	if err := put("a/b", "x"); !engine.Is(err, engine.Invalid) {
		t.Errorf("slash in a version: %v", err)
	}
	r, meta, err := p.Open(t.Context(), packageName("1"))
	must(t, err)
	must(t, r.Close())
	if meta.Description != "1" || meta.FileName != "f.py" || meta.CreateTime == 0 {
		t.Errorf("metadata %+v", meta)
	}
	names, err := p.List(t.Context(), gateway.PackageName{Type: "function", Tenant: "public", Namespace: "default"})
	if diff := cmp.Diff([]gateway.PackageName{packageName("1"), packageName("2")}, names); diff != "" || err != nil {
		t.Errorf("%v %s", err, diff)
	}
	must(t, p.Delete(t.Context(), packageName("1")))
	if err := p.Delete(t.Context(), packageName("1")); !engine.Is(err, engine.NotFound) {
		t.Errorf("second delete: %v", err)
	}
}

func TestFindDoesNotTakeWhatIsCompiledForCode(t *testing.T) {
	t.Parallel()
	s, _ := newStore(t)
	file, sum, err := s.Put(t.Context(), "echo.wasm", strings.NewReader("code"))
	must(t, err)
	must(t, os.Mkdir(s.Compiled(sum), 0o700))
	got, err := s.Find(sum, "")
	must(t, err)
	if got != file {
		t.Errorf("found %s, want %s", got, file)
	}
	must(t, os.Remove(file))
	if got, err := s.Find(sum, ""); !engine.Is(err, engine.NotFound) {
		t.Errorf("found %q, %v without code", got, err)
	}
}

func TestCollectKeepsWhatIsUsedOrYoung(t *testing.T) {
	s, dir := newStore(t)
	age := func(text, name string, by time.Duration) string {
		_, digest, err := s.Put(t.Context(), name, strings.NewReader(text))
		must(t, err)
		at := time.Now().Add(-by)
		must(t, os.Chtimes(filepath.Join(dir, digest), at, at))
		return digest
	}
	used, young, old := age("used", "a", 2*code.Grace), age("young", "b", 0), age("old", "c", 2*code.Grace)
	must(t, s.Packages().Put(t.Context(), packageName("1"), gateway.PackageMetadata{}, strings.NewReader("packed")))
	packed := age("packed", "d", 2*code.Grace)
	must(t, s.Collect(map[string]bool{used: true}))
	for digest, want := range map[string]bool{used: true, young: true, packed: true, old: false} {
		if _, err := s.Find(digest, ""); (err == nil) != want {
			t.Errorf("%s: %v, want kept %v", digest, err, want)
		}
	}
}
