package gateway_test

import (
	"os"
	"path/filepath"
	"slices"
	"testing"

	pulsaradmin "github.com/apache/pulsar-client-go/pulsaradmin/pkg/admin"
	adminconfig "github.com/apache/pulsar-client-go/pulsaradmin/pkg/admin/config"
)

// pulsaradmin's own client must be able to do here what it does with a Pulsar's
// packages.
func TestPulsaradminPackages(t *testing.T) {
	b := start(t, nil)
	client, err := pulsaradmin.New(&adminconfig.Config{WebServiceURL: b.server.URL, PulsarAPIVersion: adminconfig.V3})
	if err != nil {
		t.Fatal(err)
	}
	file := filepath.Join(t.TempDir(), "p.py")
	if err := os.WriteFile(file, []byte("code"), 0o600); err != nil {
		t.Fatal(err)
	}
	const name = "function://public/default/p@v1"
	p, download := client.Packages(), filepath.Join(t.TempDir(), "got")
	for what, err := range map[string]error{
		"upload":   p.Upload(name, file, "d", "c", map[string]string{"k": "v"}),
		"update":   p.UpdateMetadata(name, "e", "c", nil),
		"download": p.Download(name, download),
	} {
		if err != nil {
			t.Errorf("%s: %v", what, err)
		}
	}
	meta, err := p.GetMetadata(name)
	if err != nil || meta.Description != "e" {
		t.Errorf("metadata: %+v, %v", meta, err)
	}
	if text, err := os.ReadFile(download); err != nil || string(text) != "code" {
		t.Errorf("download: %q, %v", text, err)
	}
	names, err := p.List("function", "public/default")
	if err != nil || !slices.Equal(names, []string{"p"}) {
		t.Errorf("list: %v, %v", names, err)
	}
	versions, err := p.ListVersions(name)
	if err != nil || !slices.Equal(versions, []string{"v1"}) {
		t.Errorf("versions: %v, %v", versions, err)
	}
	if err := p.Delete(name); err != nil {
		t.Errorf("delete: %v", err)
	}
}
