package gateway_test

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"io"
	"maps"
	"mime/multipart"
	"net/http"
	"net/http/httptest"
	"net/textproto"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/functionmesh/terraform-provider-functionmesh/internal/catalog"
	"github.com/functionmesh/terraform-provider-functionmesh/internal/engine"
	"github.com/functionmesh/terraform-provider-functionmesh/internal/engine/enginetest"
	"github.com/functionmesh/terraform-provider-functionmesh/internal/gateway"
	"github.com/functionmesh/terraform-provider-functionmesh/internal/pulsarform"
	"github.com/functionmesh/terraform-provider-functionmesh/internal/spec"
)

// codeStore keeps code in memory.
type codeStore struct {
	mu    sync.Mutex
	files map[string][]byte
	names []string
}

func (s *codeStore) Put(_ context.Context, name string, r io.Reader) (file, sum string, err error) {
	b, err := io.ReadAll(r)
	if err != nil {
		return "", "", err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	sum = digest(b)
	s.files[sum] = b
	s.names = append(s.names, name)
	return "/store/" + sum + filepath.Ext(name), sum, nil
}

func (s *codeStore) Open(_ context.Context, sum string) (io.ReadCloser, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	b, ok := s.files[sum]
	if !ok {
		return nil, engine.New(engine.NotFound, errors.New("no such code"))
	}
	return io.NopCloser(bytes.NewReader(b)), nil
}

func digest(b []byte) string {
	sum := sha256.Sum256(b)
	return hex.EncodeToString(sum[:])
}

// packageStore keeps packages in memory.
type packageStore struct {
	mu    sync.Mutex
	order []gateway.PackageName
	meta  map[gateway.PackageName]gateway.PackageMetadata
	files map[gateway.PackageName][]byte
}

var errNoPackage = engine.New(engine.NotFound, errors.New("no such package"))

func (s *packageStore) Put(_ context.Context, n gateway.PackageName, meta gateway.PackageMetadata, r io.Reader) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	_, there := s.files[n]
	if r == nil {
		if !there {
			return errNoPackage
		}
		s.meta[n] = meta
		return nil
	}
	if there {
		return engine.New(engine.Exists, errors.New("package exists"))
	}
	b, err := io.ReadAll(r)
	if err != nil {
		return err
	}
	s.files[n], s.meta[n], s.order = b, meta, append(s.order, n)
	return nil
}

func (s *packageStore) Open(_ context.Context, n gateway.PackageName) (io.ReadCloser, gateway.PackageMetadata, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	b, ok := s.files[n]
	if !ok {
		return nil, gateway.PackageMetadata{}, errNoPackage
	}
	return io.NopCloser(bytes.NewReader(b)), s.meta[n], nil
}

func (s *packageStore) Delete(_ context.Context, n gateway.PackageName) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if _, ok := s.files[n]; !ok {
		return errNoPackage
	}
	delete(s.files, n)
	s.order = slices.DeleteFunc(s.order, func(o gateway.PackageName) bool { return o == n })
	return nil
}

func (s *packageStore) List(_ context.Context, in gateway.PackageName) ([]gateway.PackageName, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	var out []gateway.PackageName
	for _, n := range s.order {
		if n.Type == in.Type && n.Tenant == in.Tenant && n.Namespace == in.Namespace && (in.Name == "" || n.Name == in.Name) {
			out = append(out, n)
		}
	}
	return out, nil
}

// inspector answers statistics of one subscription.
type inspector struct{}

func (inspector) TopicStats(context.Context, spec.Topic) (gateway.TopicStats, error) {
	return gateway.TopicStats{
		Messages: 3, Bytes: 30, In: 5, Subscriptions: []gateway.SubscriptionStats{{Name: "s", Mode: "Shared", Backlog: 2}},
	}, nil
}

func (inspector) DeleteSubscription(_ context.Context, _ spec.Topic, name string, force bool) error {
	if (name == "busy" || name == "public/default/busy") && !force {
		return engine.New(engine.Conflict, errors.New("in use"))
	}
	return nil
}

type bench struct {
	tenants    *enginetest.Memory[spec.Tenant]
	namespaces *enginetest.Memory[spec.Namespace]
	topics     *enginetest.Memory[spec.Topic]
	components map[spec.Kind]*enginetest.Memory[spec.Component]
	code       *codeStore
	options    gateway.Options
	server     *httptest.Server
	header     http.Header
}

// start serves a gateway over memory with public/default in it.
func start(t *testing.T, change func(*gateway.Options)) *bench {
	t.Helper()
	b := &bench{
		tenants: enginetest.NewMemory(catalog.Tenant().Key), namespaces: enginetest.NewMemory(catalog.Namespace().Key),
		topics: enginetest.NewMemory(catalog.Topic().Key), components: map[spec.Kind]*enginetest.Memory[spec.Component]{},
		code: &codeStore{files: map[string][]byte{}}, header: http.Header{},
	}
	b.namespaces.Parent = func(k engine.Key) bool { return k.Tenant == "public" }
	b.topics.Parent = b.namespaces.Parent
	clients := catalog.Clients{
		Tenants: b.tenants, Namespaces: b.namespaces, Topics: b.topics, Components: map[spec.Kind]engine.Client[spec.Component]{},
	}
	for _, kind := range spec.ComponentKinds() {
		b.components[kind] = enginetest.NewMemory(catalog.Component(kind).Key)
		clients.Components[kind] = b.components[kind]
	}
	b.tenants.Put(engine.Object[spec.Tenant]{Spec: spec.Tenant{Name: "public"}})
	b.namespaces.Put(engine.Object[spec.Namespace]{Spec: spec.Namespace{Tenant: "public", Name: "default"}})
	b.options = gateway.Options{
		Clients: clients, Code: b.code, PlatformID: func() string { return "here" }, Topics: inspector{},
		Packages: &packageStore{
			meta: map[gateway.PackageName]gateway.PackageMetadata{}, files: map[gateway.PackageName][]byte{},
		},
	}
	if change != nil {
		change(&b.options)
	}
	b.server = httptest.NewServer(gateway.New(b.options))
	t.Cleanup(b.server.Close)
	return b
}

// do sends a request and returns the answer and its body.
func (b *bench) do(t *testing.T, method, path, contentType string, body []byte) (*http.Response, string) {
	t.Helper()
	req, err := http.NewRequestWithContext(t.Context(), method, b.server.URL+"/admin"+path, bytes.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	maps.Copy(req.Header, b.header)
	if contentType != "" {
		req.Header.Set("Content-Type", contentType)
	}
	resp, err := b.server.Client().Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	text, err := io.ReadAll(resp.Body)
	if err != nil {
		t.Fatal(err)
	}
	return resp, string(text)
}

// want sends a request, its method before its path, with a JSON body and checks the
// status and, where it is not empty, the JSON of the answer.
func (b *bench) want(t *testing.T, request, body string, status int, answer string) {
	t.Helper()
	method, path, _ := strings.Cut(request, " ")
	resp, text := b.do(t, method, path, "application/json", []byte(body))
	if resp.StatusCode != status {
		t.Fatalf("%s %s: %d %s, want %d", method, path, resp.StatusCode, text, status)
	}
	if answer != "" && normal(t, text) != normal(t, answer) {
		t.Errorf("%s %s: got  %s\nwant %s", method, path, text, answer)
	}
	if resp.Header.Get(pulsarform.HeaderPlatform) != "here" {
		t.Errorf("%s %s: the platform is not named", method, path)
	}
	var reason struct{ Reason string }
	if status >= 400 && (json.Unmarshal([]byte(text), &reason) != nil || reason.Reason == "") {
		t.Errorf("%s %s: %q gives no reason", method, path, text)
	}
}

func normal(t *testing.T, text string) string {
	t.Helper()
	var v any
	if err := json.Unmarshal([]byte(text), &v); err != nil {
		t.Fatalf("%q: %v", text, err)
	}
	out, err := json.Marshal(v)
	if err != nil {
		t.Fatal(err)
	}
	return string(out)
}

// body is a multipart body as pulsar-admin writes it: a part for each name, of the
// type text/plain, application/json, or a file.
func body(t *testing.T, parts ...[3]string) (contentType string, text []byte) {
	t.Helper()
	var buf bytes.Buffer
	w := multipart.NewWriter(&buf)
	for _, p := range parts {
		h := textproto.MIMEHeader{"Content-Disposition": {`form-data; name="` + p[0] + `"`}, "Content-Type": {p[1]}}
		if p[0] == "data" || p[0] == "file" {
			h.Set("Content-Disposition", `form-data; name="`+p[0]+`"; filename="../a/f.py"`)
		}
		to, err := w.CreatePart(h)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := io.WriteString(to, p[2]); err != nil {
			t.Fatal(err)
		}
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	return w.FormDataContentType(), buf.Bytes()
}

// send posts or puts a multipart body.
func (b *bench) send(t *testing.T, method, path string, status int, parts ...[3]string) http.Header {
	t.Helper()
	contentType, text := body(t, parts...)
	resp, answer := b.do(t, method, path, contentType, text)
	if resp.StatusCode != status {
		t.Fatalf("%s %s: %d %s, want %d", method, path, resp.StatusCode, answer, status)
	}
	return resp.Header
}

func TestParents(t *testing.T) {
	b := start(t, nil)
	b.want(t, "GET /v2/clusters", "", 200, `["here"]`)
	b.want(t, "PUT /v2/tenants/acme", `{"adminRoles":["r"],"allowedClusters":["here"]}`, 204, "")
	b.want(t, "PUT /v2/tenants/acme", `{}`, 409, "")
	b.want(t, "PUT /v2/tenants/a%20b", `{}`, 400, "")
	b.want(t, "GET /v2/tenants/acme", "", 200, `{"adminRoles":["r"],"allowedClusters":["here"]}`)
	b.want(t, "POST /v2/tenants/acme", `{"adminRoles":[],"allowedClusters":["here"]}`, 204, "")
	b.want(t, "GET /v2/tenants/acme", "", 200, `{"adminRoles":[],"allowedClusters":["here"]}`)
	b.want(t, "POST /v2/tenants/nobody", `{}`, 404, "")
	b.want(t, "GET /v2/tenants", "", 200, `["acme","public"]`)
	b.want(t, "DELETE /v2/tenants/acme", "", 204, "")
	b.want(t, "DELETE /v2/tenants/acme", "", 404, "")
	b.want(t, "GET /v2/tenants/acme", "", 404, "")

	b.want(t, "PUT /v2/namespaces/public/n", `{"bundles":{"numBundles":4},"deduplicationEnabled":null}`, 204, "")
	b.want(t, "PUT /v2/namespaces/public/n", "", 409, "")
	b.want(t, "PUT /v2/namespaces/public/m", `{"deduplicationEnabled":true}`, 400, "")
	b.want(t, "PUT /v2/namespaces/nobody/n", "", 404, "")
	b.want(t, "GET /v2/namespaces/public", "", 200, `["public/default","public/n"]`)
	b.want(t, "GET /v2/namespaces/nobody", "", 404, "")
	b.want(t, "GET /v2/namespaces/public/n", "", 200, `{"replication_clusters":["here"],"properties":{}}`)
	b.want(t, "PUT /v2/namespaces/public/n/properties", `{"functionmesh.owner":"me","functionmesh.creating":"true"}`, 204, "")
	b.want(t, "PUT /v2/namespaces/public/n/properties", `{"other":"x"}`, 400, "")
	b.want(t, "DELETE /v2/namespaces/public/n/property/functionmesh.creating", "", 204, "")
	b.want(t, "GET /v2/namespaces/public/n/properties", "", 200, `{"functionmesh.owner":"me"}`)
	b.want(t, "GET /v2/namespaces/public/n/topics", "", 200, `[]`)
	b.want(t, "DELETE /v2/namespaces/public/n", "", 204, "")
	b.want(t, "GET /v2/namespaces/public/n/topics", "", 404, "")
}

func TestTopics(t *testing.T) {
	b := start(t, nil)
	const at = "/v2/persistent/public/default"
	b.want(t, "PUT "+at+"/plain", "", 204, "")
	b.want(t, "PUT "+at+"/plain", "", 409, "")
	b.want(t, "PUT "+at+"/plain/partitions", "2", 409, "")
	b.want(t, "PUT "+at+"/parted/partitions", "2", 204, "")
	b.want(t, "PUT "+at+"/zero/partitions", "0", 400, "")
	b.want(t, "PUT "+at+"/text/partitions", `"two"`, 400, "")
	b.want(t, "PUT "+at+"/marked/partitions", `{"partitions":3,"properties":{"a":"b","functionmesh.owner":"o","functionmesh.later":"x"}}`, 204, "")
	b.want(t, "PUT /v2/persistent/nobody/default/x", "", 404, "")
	b.want(t, "GET "+at+"/marked/partitions", "", 200, `{"partitions":3,"deleted":false,"properties":{"a":"b","functionmesh.owner":"o"}}`)
	b.want(t, "GET "+at+"/none/partitions", "", 404, "")
	b.want(t, "GET "+at+"/partitioned", "", 200, `["persistent://public/default/marked","persistent://public/default/parted"]`)
	b.want(t, "POST "+at+"/parted/partitions", "3", 204, "")
	b.want(t, "POST "+at+"/parted/partitions", "1", 412, "")
	b.want(t, "POST "+at+"/plain/partitions", "2", 412, "")
	b.want(t, "DELETE "+at+"/marked/partitions", "", 204, "")
	b.want(t, "GET "+at, "", 200, `["persistent://public/default/parted-partition-0","persistent://public/default/parted-partition-1",
		"persistent://public/default/parted-partition-2","persistent://public/default/plain"]`)
	b.want(t, "GET /v2/namespaces/public/default/topics", "", 200, `["persistent://public/default/parted-partition-0",
		"persistent://public/default/parted-partition-1","persistent://public/default/parted-partition-2","persistent://public/default/plain"]`)
	b.want(t, "GET /v2/non-persistent/public/default/partitioned", "", 200, `[]`)

	b.want(t, "PUT "+at+"/plain/properties", `{"k":"v","functionmesh.owner":"me"}`, 204, "")
	b.want(t, "PUT "+at+"/plain/properties", `{"l":"w"}`, 204, "")
	b.want(t, "GET "+at+"/plain/properties", "", 200, `{"k":"v","l":"w","functionmesh.owner":"me"}`)
	b.want(t, "DELETE "+at+"/plain/properties?key=k", "", 204, "")
	b.want(t, "DELETE "+at+"/plain/properties?key=l", "", 204, "")
	b.want(t, "GET "+at+"/plain/properties", "", 200, `{"functionmesh.owner":"me"}`)

	b.want(t, "GET "+at+"/plain/stats", "", 200, `{"msgInCounter":5,"storageSize":30,"backlogSize":30,"subscriptions":{"s":{"msgBacklog":2,"type":"Shared"}}}`)
	b.want(t, "GET "+at+"/plain/internalStats", "", 200, `{"entriesAddedCounter":5,"numberOfEntries":3,"totalSize":30}`)
	b.want(t, "GET "+at+"/plain/subscriptions", "", 200, `["s"]`)
	b.want(t, "DELETE "+at+"/plain/subscription/busy", "", 409, "")
	b.want(t, "DELETE "+at+"/plain/subscription/busy?force=true", "", 204, "")
	b.want(t, "DELETE "+at+"/plain/subscription/public/default/busy", "", 409, "")
	b.want(t, "DELETE "+at+"/plain/subscription/public%2Fdefault%2Fbusy", "", 409, "")
	b.want(t, "DELETE "+at+"/plain/partitions", "", 404, "")
	b.want(t, "DELETE "+at+"/parted", "", 404, "")
	b.want(t, "DELETE "+at+"/plain?force=true", "", 204, "")
	b.want(t, "DELETE "+at+"/plain", "", 404, "")
	b.want(t, "GET "+at+"/plain/stats", "", 404, "")
}

func TestStatisticsAreRefusedWithoutAnInspector(t *testing.T) {
	b := start(t, func(o *gateway.Options) { o.Topics, o.Packages = nil, nil })
	b.want(t, "PUT /v2/persistent/public/default/t", "", 204, "")
	for _, path := range []string{"stats", "internalStats", "subscriptions"} {
		b.want(t, "GET /v2/persistent/public/default/t/"+path, "", 400, "")
	}
	b.want(t, "GET /v3/packages/function/public/default", "", 503, "")
}

const functions = "/v3/functions/public/default"

func config(text string) [3]string { return [3]string{"functionConfig", "application/json", text} }
func data(text string) [3]string   { return [3]string{"data", "application/octet-stream", text} }

func (b *bench) function(t *testing.T, name string) engine.Observed[spec.Component] {
	t.Helper()
	have, err := b.components[spec.KindFunction].Observe(t.Context(), engine.Key{Kind: "function", Tenant: "public", Namespace: "default", Name: name})
	if err != nil || !have.Found {
		t.Fatalf("function %s: %v", name, err)
	}
	return have
}

func TestFunctionLifecycle(t *testing.T) {
	b := start(t, nil)
	at := functions + "/f"
	b.want(t, "GET "+at, "", 404, "")
	b.send(t, "POST", at, 204, config(`{"tenant":"public","namespace":"default","name":"f","runtime":"PYTHON","py":"/where/f.py","className":"f.F",
		"inputs":["in"],"output":"out","autoAck":true,"userConfig":{"big":12345678901234567890}}`), data("one"))
	have := b.function(t, "f")
	code := have.Spec.Runtime.Python
	if code.SHA256 != digest([]byte("one")) || have.Marks.Digest != code.SHA256 || code.File != "/store/"+code.SHA256+".py" || b.code.names[0] != "f.py" {
		t.Errorf("code is %+v, marks %+v, stored as %q", code, have.Marks, b.code.names)
	}
	header := b.send(t, "POST", at, 400, config(`{"name":"f"}`), data("one"))
	if header.Get(pulsarform.HeaderClass) != string(engine.Exists) {
		t.Errorf("a second registration has the class %q", header.Get(pulsarform.HeaderClass))
	}
	resp, text := b.do(t, "GET", at, "", nil)
	if resp.StatusCode != http.StatusOK || strings.Contains(text, "/store") || !strings.Contains(text, "12345678901234567890") {
		t.Errorf("GET: %d %s", resp.StatusCode, text)
	}
	b.want(t, "GET "+functions, "", 200, `["f"]`)

	b.send(t, "PUT", at, 204, config(`{"parallelism":3,"inputs":["in"]}`))
	have = b.function(t, "f")
	if *have.Spec.Parallelism != 3 || have.Spec.Output == nil || have.Spec.Runtime.Python.SHA256 != digest([]byte("one")) || have.Spec.UserConfig == "" {
		t.Errorf("a partial update lost something: %+v", have.Spec)
	}
	b.send(t, "PUT", at, 204, config(`{}`), data("two"), [3]string{"updateOptions", "application/json", `{"updateAuthData":false}`})
	if have = b.function(t, "f"); have.Marks.Digest != digest([]byte("two")) {
		t.Errorf("the digest is still %s", have.Marks.Digest)
	}
	if resp, text := b.do(t, "GET", at+"/download", "", nil); resp.StatusCode != http.StatusOK || text != "two" {
		t.Errorf("download: %d %q", resp.StatusCode, text)
	}
	b.header.Set(pulsarform.HeaderReplace, "true")
	b.send(t, "PUT", at, 204, config(`{"runtime":"PYTHON","className":"f.F","inputs":["in"]}`))
	if have = b.function(t, "f"); have.Spec.Output != nil && have.Spec.Output.Topic != "" || have.Spec.UserConfig != "" || have.Marks.Digest != digest([]byte("two")) {
		t.Errorf("a whole update left something: %+v", have.Spec)
	}
	b.want(t, "DELETE "+at, "", 204, "")
	b.want(t, "DELETE "+at, "", 404, "")
	b.send(t, "PUT", at, 404, config(`{}`))
}

func TestRegisterRefuses(t *testing.T) {
	good := `{"runtime":"PYTHON","className":"f.F","inputs":["in"]}`
	for name, tc := range map[string]struct {
		parts []([3]string)
		class engine.Class
		field string
	}{
		"NoConfig":     {[][3]string{data("x")}, engine.Invalid, ""},
		"NoCode":       {[][3]string{config(good)}, engine.Invalid, "runtime.python"},
		"BadJSON":      {[][3]string{config("{"), data("x")}, engine.Invalid, ""},
		"BadField":     {[][3]string{config(`{"parallelism":"two"}`), data("x")}, engine.Invalid, ""},
		"OtherName":    {[][3]string{config(`{"name":"g"}`), data("x")}, engine.Invalid, "name"},
		"OtherPart":    {[][3]string{config(good), {"sinkConfig", "application/json", "{}"}, data("x")}, engine.Invalid, ""},
		"NoInputs":     {[][3]string{config(`{"runtime":"PYTHON","className":"f.F"}`), data("x")}, engine.Invalid, "inputs"},
		"FileURL":      {[][3]string{config(good), {"url", "text/plain", "file:///etc/passwd"}}, engine.Forbidden, "runtime.python.url"},
		"WrongDigest":  {[][3]string{config(`{"inputs":["in"],"customRuntimeOptions":"{\"functionmesh\":{\"v\":1,\"runtime\":\"wasm\",\"digest\":\"` + strings.Repeat("ab", 32) + `\"}}"}`), data("x")}, engine.Invalid, "runtime.wasm.sha256"},
		"NotHonoured":  {[][3]string{config(`{"runtime":"PYTHON","className":"f.F","inputs":["in"],"skipToLatest":true}`), data("x")}, engine.Invalid, "skip_to_latest"},
		"CodeWithNone": {[][3]string{config(`{"inputs":["in"]}`), data("x")}, engine.Invalid, ""},
	} {
		t.Run(name, func(t *testing.T) {
			b := start(t, func(o *gateway.Options) {
				o.Remote, o.Token, o.Platform = true, spec.NewSecret("t"), spec.PlatformLocal
			})
			b.header.Set("Authorization", "Bearer t")
			header := b.send(t, "POST", functions+"/f", pulsarform.StatusOf(string(tc.class)), tc.parts...)
			if got := header.Get(pulsarform.HeaderClass); got != string(tc.class) {
				t.Errorf("class %q, want %q", got, tc.class)
			}
			if got := header.Get(pulsarform.HeaderField); tc.field != "" && !strings.HasPrefix(got, tc.field) {
				t.Errorf("field %q, want %q", got, tc.field)
			}
			if n := b.components[spec.KindFunction].Writes(); n != 0 {
				t.Errorf("%d writes", n)
			}
		})
	}
}

func TestURLIsHandedOn(t *testing.T) {
	b := start(t, nil)
	url := [3]string{"url", "text/plain", "function://public/default/p@1"}
	b.send(t, "POST", functions+"/f", 204, config(`{"runtime":"PYTHON","className":"f.F","inputs":["in"]}`), url)
	have := b.function(t, "f")
	if d := cmp.Diff(&spec.Code{URL: url[2], Class: "f.F"}, have.Spec.Runtime.Python); d != "" || have.Marks.Digest != "" {
		t.Errorf("%s, digest %q", d, have.Marks.Digest)
	}
}
