//go:build unix

package faults_test

import (
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"

	pulsario "github.com/apache/pulsar-client-go/pulsar"
	"github.com/apache/pulsar-client-go/pulsar/crypto"

	"github.com/functionmesh/terraform-provider-functionmesh/internal/wire"
	"github.com/functionmesh/terraform-provider-functionmesh/runner/broker/pulsar/pulsartest"
)

// Encrypted input that nobody gave a key for ends the instance on either path, with the
// same reason and the way out. Nothing of it, or behind it, is acknowledged.
func TestPulsarEncryptedInputWithoutKey(t *testing.T) {
	server := pulsartest.Need(t)
	n := server.Namespace(t, pulsartest.Policies{})
	in, out := n.Topic(t, "in", 0), n.Topic(t, "out", 0)
	paths := []wire.Path{wire.EntryPath, wire.CompatiblePath}
	for _, path := range paths {
		server.Subscribe(t, in, string(path), "earliest")
	}
	public, private := pulsartest.Keys(t)
	p, err := server.Client(t).CreateProducer(pulsario.ProducerOptions{
		Topic: in, Encryption: &pulsario.ProducerEncryptionInfo{KeyReader: crypto.NewFileKeyReader(public, private), Keys: []string{"k"}},
	})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := p.Send(t.Context(), &pulsario.ProducerMessage{Payload: []byte("hush")}); err != nil {
		t.Fatal(err)
	}
	server.Fill(t, in, 10, pulsartest.Fill{})
	for _, path := range paths {
		t.Run(string(path), func(t *testing.T) {
			s := &scene{server: server, namespace: n, in: in, out: out, file: base(t, server)}
			s.file.Path = path
			s.file.Source = wire.Source{Inputs: []wire.Input{{Topic: in}}, Subscription: pulsartest.Subscription(string(path), wire.Shared)}
			s.file.Sink = wire.Sink{Output: &wire.Output{Topic: out}}
			i := s.start(t, 0, 1)
			<-i.ended
			if code := i.cmd.ProcessState.ExitCode(); code != wire.ExitTerminal {
				t.Errorf("exit code %d, want %d\n%s", code, wire.ExitTerminal, i.log)
			}
			data, err := os.ReadFile(filepath.Join(filepath.Dir(i.socket), wire.TerminationFile))
			if err != nil {
				t.Fatal(err)
			}
			var why wire.Termination
			if err := json.Unmarshal(data, &why); err != nil {
				t.Fatal(err)
			}
			if why.Reason != "KeyNeeded" || !strings.Contains(why.Message, "cryptoConfig") || !strings.Contains(why.Message, in) {
				t.Errorf("ended with %+v", why)
			}
			if left := server.Backlog(t, in, string(path)); left != 11 {
				t.Errorf("%d entries wait, want all 11", left)
			}
		})
	}
}
