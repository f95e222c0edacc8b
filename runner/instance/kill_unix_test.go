//go:build unix

package instance_test

import (
	"bytes"
	"context"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"syscall"
	"testing"
	"time"

	"github.com/nats-io/nats.go/jetstream"

	"github.com/functionmesh/terraform-provider-functionmesh/internal/wire"
	"github.com/functionmesh/terraform-provider-functionmesh/runner/broker/nats"
	"github.com/functionmesh/terraform-provider-functionmesh/runner/broker/nats/natstest"
	"github.com/functionmesh/terraform-provider-functionmesh/runner/instance/instancetest"
	"github.com/functionmesh/terraform-provider-functionmesh/runner/runnertest"
)

const (
	killTotal      = 5000
	killRounds     = 5
	killPartitions = 2
	killPatience   = 5 * time.Minute
	killIn         = "persistent://public/default/in"
	killOut        = "persistent://public/default/out"
	killDead       = "persistent://public/default/dead"
	killSub        = "public/default/exclaim"
)

// TestMain lets this binary be the program that runs an instance: run --config FILE.
func TestMain(m *testing.M) {
	if code, mine := instancetest.Main(); mine {
		os.Exit(code)
	}
	code := m.Run()
	if dir, err := compiled(); err == nil {
		_ = os.RemoveAll(dir)
	}
	os.Exit(code)
}

// exclaimers are the same function on every runtime: it appends an exclamation mark.
func exclaimers() map[string]func(t *testing.T) wire.File {
	return map[string]func(t *testing.T) wire.File{
		"WASM": func(t *testing.T) wire.File {
			return file(t, "wasm", goExample(t, "exclaim", "GOOS=wasip1", "GOARCH=wasm"), "")
		},
		"Go": func(t *testing.T) wire.File { return file(t, "go", goExample(t, "exclaim"), "") },
		"Python": func(t *testing.T) wire.File {
			need(t, "python3")
			return file(t, "python", filepath.Join("..", "..", "examples", "functions", "python", "exclaim.py"), "exclaim.Exclaim")
		},
	}
}

// bench is one function between two topics of a broker of its own.
type bench struct {
	broker wire.Broker
	config string
	reader *nats.Reader
	seen   map[string]int
	read   int // results that arrived, with duplicates
	fed    int
}

func newBench(t *testing.T, f wire.File) *bench {
	t.Helper()
	b := &bench{broker: natstest.Start(t), seen: map[string]int{}}
	sub := wire.Subscription{Name: killSub, Mode: wire.Shared, Position: "earliest"}
	for _, topic := range []string{killIn, killOut, killDead} {
		natstest.EnsureTopic(t, b.broker, topic, killPartitions)
	}
	natstest.EnsureSubscription(t, b.broker, killIn, killPartitions, sub)
	f.Brokers, f.Probe = map[string]wire.Broker{"": b.broker}, ""
	f.Source = wire.Source{Inputs: []wire.Input{{Topic: killIn, Partitions: killPartitions}}, Subscription: sub}
	f.Sink = wire.Sink{Output: &wire.Output{Topic: killOut, Partitions: killPartitions}}
	f.Delivery.DeadLetter = &wire.Output{Topic: killDead, Partitions: killPartitions}
	f.Limits.BatchMessages = 10 // many batches, so that an end is in the middle of one
	data, err := wire.Encode(f)
	if err != nil {
		t.Fatal(err)
	}
	b.config = filepath.Join(t.TempDir(), "wire.json")
	if err := os.WriteFile(b.config, data, 0o600); err != nil {
		t.Fatal(err)
	}
	b.reader, err = nats.NewReader(t.Context(), nats.ReaderOptions{Broker: b.broker, Topic: killOut, Earliest: true, Follow: true})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = b.reader.Close(context.WithoutCancel(t.Context())) })
	return b
}

// feed publishes n more numbers.
func (b *bench) feed(t *testing.T, n int) {
	t.Helper()
	js := natstest.Connect(t, b.broker)
	for range n {
		if _, err := js.PublishAsync(wire.Subject(killIn, b.fed%killPartitions), strconv.AppendInt(nil, int64(b.fed), 10), jetstream.WithStallWait(time.Minute)); err != nil {
			t.Fatal(err)
		}
		b.fed++
	}
	select {
	case <-js.PublishAsyncComplete():
	case <-time.After(killPatience):
		t.Fatal("the broker does not take the messages")
	}
}

// until reads until so many different results arrived.
func (b *bench) until(t *testing.T, distinct int) {
	t.Helper()
	b.take(t, func() bool { return len(b.seen) >= distinct })
}

// sync reads all that is stored.
func (b *bench) sync(t *testing.T) {
	t.Helper()
	all := b.stored(t, killOut)
	b.take(t, func() bool { return b.read >= all })
}

func (b *bench) take(t *testing.T, enough func() bool) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), killPatience)
	defer cancel()
	for !enough() {
		m, err := b.reader.Next(ctx)
		if err != nil {
			t.Fatalf("%d of %d results arrived: %v", len(b.seen), b.fed, err)
		}
		b.seen[string(m.Value)]++
		b.read++
	}
}

// stored counts the messages of a topic.
func (b *bench) stored(t *testing.T, topic string) int {
	t.Helper()
	stream, err := natstest.Connect(t, b.broker).Stream(t.Context(), wire.StreamName(topic))
	if err != nil {
		t.Fatal(err)
	}
	return int(stream.CachedInfo().State.Msgs)
}

// settled waits until every input is acknowledged.
func (b *bench) settled(t *testing.T) {
	t.Helper()
	js := natstest.Connect(t, b.broker)
	eventually(t, "all inputs acknowledged", func() bool {
		c, err := js.Consumer(t.Context(), wire.StreamName(killIn), wire.ConsumerName(killSub))
		if err != nil {
			t.Fatal(err)
		}
		return c.CachedInfo().NumPending == 0 && c.CachedInfo().NumAckPending == 0
	})
}

// child is an instance in a process of its own.
type child struct {
	cmd *exec.Cmd
	log *bytes.Buffer
}

func (b *bench) run(t *testing.T) *child {
	t.Helper()
	c := &child{cmd: exec.Command(os.Args[0], "run", "--config", b.config), log: &bytes.Buffer{}}
	c.cmd.Stderr = c.log
	c.cmd.WaitDelay = 10 * time.Second // a worker may hold standard error for a moment longer
	runnertest.StartChild(t, c.cmd)
	t.Cleanup(c.kill)
	return c
}

// kill ends it as kill -9 does.
func (c *child) kill() {
	if c.cmd.ProcessState == nil {
		_ = c.cmd.Process.Kill()
		_ = c.cmd.Wait()
	}
}

// drain sends SIGTERM and wants exit 0.
func (c *child) drain(t *testing.T) {
	t.Helper()
	if err := c.cmd.Process.Signal(syscall.SIGTERM); err != nil {
		t.Fatal(err)
	}
	watchdog := time.AfterFunc(killPatience, func() { _ = c.cmd.Process.Kill() })
	defer watchdog.Stop()
	if err := c.cmd.Wait(); err != nil {
		t.Errorf("after SIGTERM: %v\n%s", err, c.log)
	}
}

// check wants each input's result, and nothing dead-lettered.
func (b *bench) check(t *testing.T) {
	t.Helper()
	for n := range b.fed {
		if want := strconv.Itoa(n) + "!"; b.seen[want] == 0 {
			t.Errorf("%s is lost", want)
		}
	}
	if n := b.stored(t, killDead); n > 0 {
		t.Errorf("%d messages were dead-lettered", n)
	}
}

func TestR1KilledInstancesLoseNothing(t *testing.T) {
	t.Parallel()
	for name, exclaim := range exclaimers() {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			b := newBench(t, exclaim(t))
			b.feed(t, killTotal)
			for round := range killRounds {
				c := b.run(t)
				b.until(t, min(len(b.seen)+killTotal/(4*killRounds), killTotal))
				time.Sleep(time.Duration(round) * 300 * time.Microsecond) // another point of a batch each time
				c.kill()
				b.sync(t) // so that the next results are another instance's
			}
			c := b.run(t)
			b.until(t, killTotal)
			b.settled(t)
			c.drain(t)
			b.check(t)
			t.Logf("%d messages, %d kills: 0 lost, %d duplicates", killTotal, killRounds, b.stored(t, killOut)-killTotal)
		})
	}
}

func TestR7SigtermLosesAndDoublesNothing(t *testing.T) {
	t.Parallel()
	const rounds = 3
	for name, exclaim := range exclaimers() {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			b := newBench(t, exclaim(t))
			b.feed(t, killTotal)
			for range rounds {
				c := b.run(t)
				b.until(t, min(len(b.seen)+killTotal/(4*rounds), killTotal))
				c.drain(t)
				b.sync(t) // what it wrote before it ended
			}
			c := b.run(t)
			b.until(t, killTotal)
			b.settled(t)
			c.drain(t)
			b.check(t)
			if n := b.stored(t, killOut); n != killTotal {
				t.Errorf("%d results of %d messages", n, killTotal)
			}
		})
	}
}
