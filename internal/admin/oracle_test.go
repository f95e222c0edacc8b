package admin_test

import (
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"testing"

	pulsaradmin "github.com/apache/pulsar-client-go/pulsaradmin/pkg/admin"
	"github.com/apache/pulsar-client-go/pulsaradmin/pkg/admin/config"
	"github.com/apache/pulsar-client-go/pulsaradmin/pkg/rest"
	"github.com/apache/pulsar-client-go/pulsaradmin/pkg/utils"

	"github.com/functionmesh/terraform-provider-functionmesh/internal/engine"
	"github.com/functionmesh/terraform-provider-functionmesh/internal/spec"
)

// pulsars are pulsaradmin's own, unmodified clients of a gateway: what they can do
// against a Pulsar they must be able to do here.
func pulsars(t *testing.T) (p *platform, v2, v3 pulsaradmin.Client) {
	t.Helper()
	p = start(t, "tcp")
	file := filepath.Join(t.TempDir(), "token")
	if err := os.WriteFile(file, []byte(token), 0o600); err != nil {
		t.Fatal(err)
	}
	var clients []pulsaradmin.Client
	for _, version := range []config.APIVersion{config.V2, config.V3} {
		c, err := pulsaradmin.New(&config.Config{WebServiceURL: p.url, TokenFile: file, PulsarAPIVersion: version})
		if err != nil {
			t.Fatal(err)
		}
		clients = append(clients, c)
	}
	return p, clients[0], clients[1]
}

// ok ends a test at the first of several failures.
func ok(t *testing.T, errs ...error) {
	t.Helper()
	for i, err := range errs {
		if err != nil {
			t.Fatalf("call %d: %v", i, err)
		}
	}
}

func code(t *testing.T, err error, want int) {
	t.Helper()
	refused, isRest := err.(rest.Error) //nolint:errorlint // pulsaradmin returns it unwrapped
	if !isRest || refused.Code != want {
		t.Errorf("got %v, want status %d", err, want)
	}
}

func TestPulsaradminParentsAndTopics(t *testing.T) {
	_, v2, _ := pulsars(t)
	ok(t,
		v2.Tenants().Create(utils.TenantData{Name: "t", AllowedClusters: []string{"test-platform"}}),
		v2.Tenants().Update(utils.TenantData{Name: "t", AdminRoles: []string{"r"}, AllowedClusters: []string{"test-platform"}}),
		v2.Namespaces().CreateNamespace("t/n"),
		v2.Namespaces().CreateNsWithNumBundles("t/m", 4),
	)
	tenant, err := v2.Tenants().Get("t")
	ok(t, err)
	if !slices.Equal(tenant.AdminRoles, []string{"r"}) {
		t.Errorf("tenant: %+v", tenant)
	}
	code(t, v2.Tenants().Create(utils.TenantData{Name: "t"}), http.StatusConflict)
	code(t, v2.Namespaces().CreateNamespace("t/n"), http.StatusConflict)
	names, err := v2.Namespaces().GetNamespaces("t")
	ok(t, err)
	if !slices.Equal(names, []string{"t/m", "t/n"}) {
		t.Errorf("namespaces: %v", names)
	}
	_, err = v2.Namespaces().GetPolicies("t/n")
	ok(t, err)

	plain, err := utils.GetTopicName("t/n/plain é")
	ok(t, err)
	parted, err := utils.GetTopicName("t/n/parted")
	ok(t, err)
	ok(t,
		v2.Topics().Create(*plain, 0),
		v2.Topics().CreateWithProperties(*parted, 2, map[string]string{"a": "b"}),
		v2.Topics().Update(*parted, 3),
		v2.Topics().UpdateProperties(*plain, map[string]string{"k": "v"}),
	)
	code(t, v2.Topics().Create(*plain, 0), http.StatusConflict)
	meta, err := v2.Topics().GetMetadata(*parted)
	ok(t, err)
	properties, err := v2.Topics().GetProperties(*plain)
	ok(t, err)
	if meta.Partitions != 3 || properties["k"] != "v" {
		t.Errorf("partitions %d, properties %v", meta.Partitions, properties)
	}
	partitioned, all, err := v2.Topics().List(*mustNamespace(t, "t/n"))
	ok(t, err)
	if len(partitioned) != 1 || len(all) != 4 {
		t.Errorf("topics: %v %v", partitioned, all)
	}
	ok(t, v2.Topics().RemoveProperty(*plain, "k"), v2.Topics().Delete(*plain, false, true), v2.Topics().Delete(*parted, true, false))
	ok(t, v2.Namespaces().DeleteNamespace("t/n"), v2.Tenants().Delete("t"))
	code(t, v2.Tenants().Delete("t"), http.StatusNotFound)
}

func mustNamespace(t *testing.T, name string) *utils.NameSpaceName {
	t.Helper()
	n, err := utils.GetNamespaceName(name)
	ok(t, err)
	return n
}

func TestPulsaradminFunctions(t *testing.T) {
	p, _, v3 := pulsars(t)
	file := filepath.Join(t.TempDir(), "f.py")
	ok(t, os.WriteFile(file, []byte("code"), 0o600))
	f := v3.Functions()
	want := utils.FunctionConfig{
		Tenant: "public", Namespace: "default", Name: "f", Runtime: utils.PythonRuntime, ClassName: "f.F", Py: &file,
		Inputs: []string{"in"}, Output: "out", AutoAck: true, Parallelism: 2, UserConfig: map[string]any{"k": "v"},
		Resources: &utils.Resources{CPU: 0.5, RAM: 1 << 30, Disk: 1 << 30},
	}
	ok(t, f.CreateFunc(&want, file))
	code(t, f.CreateFunc(&want, file), http.StatusBadRequest)
	got, err := f.GetFunction("public", "default", "f")
	ok(t, err)
	if got.ClassName != "f.F" || got.Parallelism != 2 || got.Resources.CPU != 0.5 || got.UserConfig["k"] != "v" || len(got.InputSpecs) != 1 {
		t.Errorf("function: %+v", got)
	}
	names, err := f.GetFunctions("public", "default")
	ok(t, err)
	if !slices.Equal(names, []string{"f"}) {
		t.Errorf("functions: %v", names)
	}
	status, err := f.GetFunctionStatus("public", "default", "f")
	ok(t, err)
	one, err := f.GetFunctionStatusWithInstanceID("public", "default", "f", 0)
	ok(t, err)
	if status.NumInstances != 1 || status.NumRunning != 1 || !one.Running {
		t.Errorf("status: %+v %+v", status, one)
	}
	_, err = f.GetFunctionStats("public", "default", "f")
	ok(t, err)
	ok(t,
		f.StopFunction("public", "default", "f"), f.StartFunction("public", "default", "f"),
		f.RestartFunction("public", "default", "f"), f.RestartFunctionWithID("public", "default", "f", 0),
	)
	want.Parallelism = 3
	ok(t, os.WriteFile(file, []byte("other code"), 0o600))
	ok(t, f.UpdateFunction(&want, file, utils.NewUpdateOptions()))
	download := filepath.Join(t.TempDir(), "got")
	ok(t, f.DownloadFunctionByNs(download, "public", "default", "f"))
	if b, err := os.ReadFile(download); err != nil || string(b) != "other code" {
		t.Errorf("downloaded %q, %v", b, err)
	}
	_, err = f.TriggerFunction("public", "default", "f", "in", "message", "")
	ok(t, err)
	ok(t, f.DeleteFunction("public", "default", "f"))
	_, err = f.GetFunction("public", "default", "f")
	code(t, err, http.StatusNotFound)
	want.Name = "u"
	ok(t, f.CreateFuncWithURL(&want, "function://public/default/p@1"))
	have, err := p.components[spec.KindFunction].Observe(t.Context(), engine.Key{Kind: "function", Tenant: "public", Namespace: "default", Name: "u"})
	ok(t, err)
	if have.Spec.Runtime.Python.URL != "function://public/default/p@1" {
		t.Errorf("code: %+v", have.Spec.Runtime.Python)
	}
}

func TestPulsaradminConnectors(t *testing.T) {
	_, _, v3 := pulsars(t)
	source := utils.SourceConfig{
		Tenant: "public", Namespace: "default", Name: "s", Archive: "builtin://generator", TopicName: "out", Configs: map[string]any{"rate": 1},
	}
	sink := utils.SinkConfig{
		Tenant: "public", Namespace: "default", Name: "s", Archive: "builtin://file", Inputs: []string{"in"}, AutoAck: true,
		Configs: map[string]any{"path": "p"},
	}
	ok(t, v3.Sources().CreateSource(&source, source.Archive), v3.Sinks().CreateSink(&sink, sink.Archive))
	code(t, v3.Sources().CreateSource(&source, source.Archive), http.StatusBadRequest)
	source.Parallelism, sink.Parallelism = 2, 2
	ok(t,
		v3.Sources().UpdateSource(&source, source.Archive, utils.NewUpdateOptions()),
		v3.Sinks().UpdateSink(&sink, sink.Archive, utils.NewUpdateOptions()),
	)
	gotSource, err := v3.Sources().GetSource("public", "default", "s")
	ok(t, err)
	gotSink, err := v3.Sinks().GetSink("public", "default", "s")
	ok(t, err)
	if gotSource.Archive != source.Archive || gotSource.Parallelism != 2 || gotSink.Archive != sink.Archive || gotSink.Parallelism != 2 {
		t.Errorf("source %+v, sink %+v", gotSource, gotSink)
	}
	sources, err := v3.Sources().ListSources("public", "default")
	ok(t, err)
	sinks, err := v3.Sinks().ListSinks("public", "default")
	ok(t, err)
	if !slices.Equal(sources, []string{"s"}) || !slices.Equal(sinks, []string{"s"}) {
		t.Errorf("sources %v, sinks %v", sources, sinks)
	}
	status, err := v3.Sinks().GetSinkStatus("public", "default", "s")
	ok(t, err)
	if status.NumRunning != 1 {
		t.Errorf("status: %+v", status)
	}
	builtin, err := v3.Sinks().GetBuiltInSinks()
	ok(t, err)
	if len(builtin) == 0 || builtin[0].SinkClass == "" {
		t.Errorf("built-in sinks: %+v", builtin)
	}
	ok(t,
		v3.Sources().StopSource("public", "default", "s"), v3.Sources().RestartSource("public", "default", "s"),
		v3.Sinks().ReloadBuiltInSinks(), v3.Sources().DeleteSource("public", "default", "s"), v3.Sinks().DeleteSink("public", "default", "s"),
	)
}
