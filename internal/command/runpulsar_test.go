package command

import (
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/functionmesh/terraform-provider-functionmesh/internal/spec"
	"github.com/functionmesh/terraform-provider-functionmesh/internal/wire"
	"github.com/functionmesh/terraform-provider-functionmesh/runner/broker/pulsar/pulsartest"
)

// What runs without the daemon keeps its dead letters too, whoever prepares its streams.
func TestPulsarRunSubscribesBeforeItStarts(t *testing.T) {
	server := pulsartest.Need(t)
	ns := server.Namespace(t, pulsartest.Policies{})
	_, namespace, _ := strings.Cut(ns.Name, "/")
	dir := t.TempDir()
	code := filepath.Join(dir, "f.wasm")
	if err := os.WriteFile(code, []byte("no module"), 0o600); err != nil {
		t.Fatal(err)
	}
	for name, flags := range map[string][]string{"brokers": nil, "rest": {"--admin-url", server.AdminURL}} {
		t.Run(name, func(t *testing.T) {
			file := filepath.Join(dir, name+".yaml")
			text := "name: f\nnamespace: " + namespace + "\nruntime: { wasm: { file: " + code + " } }\n" +
				"inputs: { " + name + ": {} }\nmax_message_retries: 1\ndead_letter_topic: " + name + "-dead\n"
			if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
				t.Fatal(err)
			}
			got := runLine(t, nil, "", append([]string{"run", "-f", file, "--pulsar", server.URL}, flags...)...)
			if got.code != wire.ExitTerminal {
				t.Fatalf("exit code %d: %v", got.code, got.err)
			}
			for topic, subscription := range map[string]string{name: ns.Name + "/f", name + "-dead": spec.RedriveSubscription} {
				if all := server.Subscriptions(t, ns.Full(topic)); !slices.Contains(all, subscription) {
					t.Errorf("%s has the subscriptions %q, not %s", topic, all, subscription)
				}
			}
		})
	}
}
