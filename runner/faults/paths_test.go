//go:build unix

package faults_test

import (
	"cmp"
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"fmt"
	"hash/crc32"
	"maps"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	gocmp "github.com/google/go-cmp/cmp"
	"google.golang.org/protobuf/encoding/protowire"

	"github.com/functionmesh/terraform-provider-functionmesh/internal/wire"
	"github.com/functionmesh/terraform-provider-functionmesh/runner/broker/pulsar/pulsartest"
)

// How many combinations of settings are tried, and the seed that they come from.
const (
	envCombinations = "FUNCTIONMESH_COMBINATIONS"
	envSeed         = "FUNCTIONMESH_SEED"
)

// combination is one topology with its settings.
type combination struct {
	number   int
	fill     pulsartest.Fill
	messages int
	mode     wire.Mode
	guard    string // the guarantee
	out      int    // partitions of the output
	producer wire.Producer
	retries  int
	forward  bool
	function bool
}

func pick[T any](r *rand.Rand, from ...T) T { return from[r.IntN(len(from))] }

func combine(r *rand.Rand, number int) combination {
	c := combination{
		number: number, messages: 50 + r.IntN(250), mode: pick(r, wire.Shared, wire.Failover, wire.KeyShared, wire.Exclusive),
		guard: pick(r, atLeast, atLeast, atMost), out: pick(r, 0, 0, 1, 3), retries: r.IntN(3), forward: r.IntN(2) == 0, function: r.IntN(4) > 0,
		fill: pulsartest.Fill{
			Partitions: pick(r, 0, 0, 1, 2), PerEntry: pick(r, 1, 1, 2, 10, 64, 100), Keys: pick(r, 0, 3), Size: pick(r, 0, 100, 2000),
			Compression: pick(r, "none", "lz4", "zlib", "zstd"),
		},
	}
	if r.IntN(2) == 0 {
		c.fill.Properties = map[string]string{"origin": "test", "ä": "ö"}
	}
	if c.mode == wire.KeyShared {
		c.fill.Keys, c.fill.KeyBased = 3, true
	}
	c.producer = wire.Producer{Compression: pick(r, "", "none", "lz4", "zlib", "zstd", "snappy")}
	switch r.IntN(4) {
	case 0:
		c.producer.Batching = &wire.Batching{}
	case 1:
		c.producer.Batching = &wire.Batching{Enabled: true, MaxMessages: 1 + r.IntN(50)}
	case 2:
		c.producer.Batching = &wire.Batching{Enabled: true, Builder: "key_based"}
	}
	return c
}

// result is what one path left behind.
type result struct {
	Outputs []string                  // sorted
	Dead    []string                  // sorted
	Cursors map[int]pulsartest.Cursor // by partition
	Backlog int64
}

// The two ways of moving messages do the same, whatever is asked of them.
func TestPulsarPathsDoTheSame(t *testing.T) {
	server := pulsartest.Need(t)
	code := build(t, "odd")
	seed := uint64(scaled(t, envSeed, 1))
	r := rand.New(rand.NewPCG(seed, 0))
	n := server.Namespace(t, pulsartest.Policies{Retention: true})
	for number := range scaled(t, envCombinations, 200) {
		c := combine(r, number)
		t.Run(fmt.Sprint("Seed", seed, "Number", number), func(t *testing.T) {
			t.Parallel()
			in := n.Topic(t, fmt.Sprint("in-", number), c.fill.Partitions)
			server.Subscribe(t, in, "keeps", "earliest")
			for _, path := range []wire.Path{wire.EntryPath, wire.CompatiblePath} {
				server.Subscribe(t, in, string(path), "earliest")
			}
			server.Fill(t, in, c.messages, c.fill)
			entries, client := c.run(t, n, in, wire.EntryPath, code), c.run(t, n, in, wire.CompatiblePath, code)
			if d := gocmp.Diff(client, entries); d != "" {
				t.Errorf("%+v\nPulsar's client (-) and entries (+) differ: %s", c, d)
			}
		})
	}
}

// scene is what one path is to do.
func (c combination) scene(t *testing.T, n *pulsartest.Namespace, in string, path wire.Path, code string) *scene {
	t.Helper()
	name := fmt.Sprintf("%d-%s", c.number, path)
	s := &scene{server: n.Server, namespace: n, in: in, out: n.Topic(t, "out-"+name, c.out), dead: n.Topic(t, "dead-"+name, 0)}
	s.file = base(t, n.Server)
	s.file.Path = path
	s.file.Source = wire.Source{
		Inputs:       []wire.Input{{Topic: in, Partitions: c.fill.Partitions}},
		Subscription: wire.Subscription{Name: string(path), Mode: c.mode, Position: "earliest"},
	}
	producer := c.producer
	s.file.Sink = wire.Sink{Output: &wire.Output{Topic: s.out, Partitions: c.out, Producer: &producer}}
	s.file.Delivery = wire.Delivery{Guarantee: c.guard, MaxRetries: c.retries, BackoffMs: 10, MaxBackoffMs: 20, ForwardProperties: c.forward, DeadLetter: &wire.Output{Topic: s.dead}}
	if c.function {
		s.file.Function = function(t, "go", code, "")
	}
	return s
}

// run lets one path do all of it.
func (c combination) run(t *testing.T, n *pulsartest.Namespace, in string, path wire.Path, code string) result {
	t.Helper()
	s := c.scene(t, n, in, path, code)
	i := s.start(t, 0, 1)
	i.ready(t)
	n.Settled(t, in, string(path))
	i.drain(t)
	return c.result(t, s)
}

// result is what a path has left behind.
func (c combination) result(t *testing.T, s *scene) result {
	t.Helper()
	name := s.file.Source.Subscription.Name
	left := result{
		Outputs: texts(s.server.ReadAll(t, s.out, c.out)), Dead: texts(s.server.ReadAll(t, s.dead, 0)),
		Cursors: map[int]pulsartest.Cursor{}, Backlog: s.server.Backlog(t, s.in, name),
	}
	for p := range max(c.fill.Partitions, 1) {
		left.Cursors[p] = s.server.Cursors(t, pulsartest.Partition(s.in, c.fill.Partitions, p))[name]
	}
	return left
}

// texts are messages as sorted lines. Where an unkeyed message went is chance.
func texts(all []pulsartest.Stored) []string {
	var lines []string
	for _, m := range all {
		partition := ""
		if m.Key != "" {
			partition = fmt.Sprint(" in ", m.Partition)
		}
		var properties []string
		for _, name := range slices.Sorted(maps.Keys(m.Properties)) {
			if name == "Fm-Time" || name == "Fm-Subscription" { // each has its own
				continue
			}
			value := m.Properties[name]
			switch {
			case name == "__pfn_input_msg_id__":
				value = place(value)
			case name == "Fm-Original-Id" && strings.Count(value, ":") == 3:
				value = strings.TrimSuffix(value, ":0")
			}
			properties = append(properties, name+"="+value)
		}
		lines = append(lines, fmt.Sprintf("%.40q %d bytes %08x key %q%s {%s}", m.Value, len(m.Value), crc32.ChecksumIEEE(m.Value), m.Key, partition, strings.Join(properties, " ")))
	}
	slices.SortFunc(lines, cmp.Compare[string])
	return lines
}

// place is a message id without what Pulsar's client cannot tell: whether a single
// message was alone or in a batch of one.
func place(id string) string {
	raw, err := base64.StdEncoding.DecodeString(id)
	if err != nil {
		return id
	}
	fields := map[protowire.Number]uint64{}
	for len(raw) > 0 {
		number, kind, n := protowire.ConsumeTag(raw)
		if n < 0 || kind != protowire.VarintType {
			return id
		}
		value, m := protowire.ConsumeVarint(raw[n:])
		if m < 0 {
			return id
		}
		fields[number], raw = value, raw[n+m:]
	}
	const index, size = 4, 6
	if fields[size] < 2 {
		delete(fields, index)
		delete(fields, size)
	}
	return fmt.Sprint(fields)
}

// build compiles a program of testdata against the SDK, as a module of its own.
func build(t *testing.T, name string) string {
	t.Helper()
	const sdk = "github.com/functionmesh/terraform-provider-functionmesh/runner/sdk/go"
	dir := t.TempDir()
	path, err := filepath.Abs(filepath.Join("..", "sdk", "go"))
	if err != nil {
		t.Fatal(err)
	}
	source, err := os.ReadFile(filepath.Join("testdata", name, "main.go"))
	if err != nil {
		t.Fatal(err)
	}
	module := fmt.Sprintf("module %s\n\ngo 1.26.0\n\nrequire %s v0.0.0\n\nreplace %s => %s\n", name, sdk, sdk, path)
	for file, text := range map[string]string{"main.go": string(source), "go.mod": module} {
		if err := os.WriteFile(filepath.Join(dir, file), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	cmd := exec.CommandContext(t.Context(), "go", "build", "-mod=mod", "-o", "program", ".")
	cmd.Dir = dir
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("go build: %v\n%s", err, out)
	}
	return filepath.Join(dir, "program")
}

// function is user code in a file.
func function(t *testing.T, runtime, file, class string) *wire.Function {
	t.Helper()
	data, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	sum := sha256.Sum256(data)
	return &wire.Function{Runtime: runtime, File: file, SHA256: hex.EncodeToString(sum[:]), Class: class}
}
