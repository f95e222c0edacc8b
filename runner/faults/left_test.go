//go:build unix

package faults_test

import (
	"bytes"
	"fmt"
	"math/rand/v2"
	"slices"
	"strconv"
	"testing"
	"time"

	gocmp "github.com/google/go-cmp/cmp"

	"github.com/functionmesh/terraform-provider-functionmesh/internal/wire"
	"github.com/functionmesh/terraform-provider-functionmesh/runner/broker/pulsar/pulsartest"
)

// Why messages are not acknowledged when an instance ends.
const (
	withheld = "withheld" // user code acknowledges by hand, and leaves or refuses some
	waiting  = "waiting"  // they failed and are to be delivered again later, the others were not held up
	stuck    = "stuck"    // one failed and is retried in place, those behind it wait
)

// leaving is a combination of settings with which messages stay unacknowledged.
type leaving struct {
	combination
	why string
}

func leave(r *rand.Rand, number int) leaving {
	l := leaving{combination: combine(r, number), why: withheld}
	l.function, l.guard, l.retries = true, manual, 100
	if r.IntN(2) == 0 {
		l.guard, l.why = atLeast, stuck
		if l.mode == wire.Shared {
			l.why = waiting
		}
	}
	return l
}

// fate tells whether a message fails, and whether it stays unacknowledged; behind says
// that one before it in its partition failed.
func (l leaving) fate(n int, behind bool) (fails, stays bool) {
	fails = n%13 == 5
	switch l.why {
	case withheld:
		return false, n%7 == 2 || n%3 == 0
	case waiting:
		return fails, fails
	}
	return fails, fails || behind
}

// number is what a value begins with.
func number(t *testing.T, value []byte) (text string, n int) {
	t.Helper()
	head, _, _ := bytes.Cut(value, []byte("/"))
	n, err := strconv.Atoi(string(head))
	if err != nil {
		t.Fatal(err)
	}
	return string(head), n
}

// stays tells what an instance must leave unacknowledged of its input, and how many
// outputs it writes until it can do no more. A broker that keeps no sets of acknowledged
// messages keeps whole entries.
func (l leaving) stays(t *testing.T, input []pulsartest.Stored, sets bool) (left []string, outputs int) {
	t.Helper()
	type entry struct {
		partition      int
		ledger, number int64
	}
	failed, messages, open := map[int]bool{}, map[entry][]string{}, map[entry]bool{}
	for _, m := range input {
		text, n := number(t, m.Value)
		fails, stays := l.fate(n, failed[m.Partition])
		failed[m.Partition] = failed[m.Partition] || fails
		if l.why == withheld || !stays {
			outputs++
		}
		in := entry{m.Partition, m.ID.LedgerID(), m.ID.EntryID()}
		open[in] = open[in] || stays
		if stays || !sets {
			messages[in] = append(messages[in], text)
		}
	}
	for in, is := range open {
		if is {
			left = append(left, messages[in]...)
		}
	}
	slices.Sort(left)
	return left, outputs
}

// The two ways of moving messages leave the same acknowledgements on the broker where
// some are missing: the same entries, and the same messages of an entry.
func TestPulsarPathsLeaveTheSame(t *testing.T) {
	leaveTheSame(t, pulsartest.Need(t), scaled(t, envCombinations, 12), true)
}

// Brokers keep no sets of acknowledged messages unless they are told to; one with
// transactions remembers those of shared subscriptions as long as a topic is loaded.
func TestPulsarPathsLeaveTheSameEntries(t *testing.T) {
	t.Parallel()
	own := pulsartest.Own(t, "--conf", "acknowledgmentAtBatchIndexLevelEnabled=false", "--conf", "transactionCoordinatorEnabled=false")
	leaveTheSame(t, own.Server, scaled(t, envCombinations, 8), false)
}

func leaveTheSame(t *testing.T, server *pulsartest.Server, combinations int, sets bool) {
	t.Helper()
	code := build(t, "left")
	seed := uint64(scaled(t, envSeed, 1))
	r := rand.New(rand.NewPCG(seed, 1))
	n := server.Namespace(t, pulsartest.Policies{Retention: true})
	for number := range combinations {
		c := leave(r, number)
		t.Run(fmt.Sprint("Seed", seed, "Number", number), func(t *testing.T) {
			t.Parallel()
			in := n.Topic(t, fmt.Sprint("left-", number), c.fill.Partitions)
			for _, name := range []string{"keeps", string(wire.EntryPath), string(wire.CompatiblePath)} {
				server.Subscribe(t, in, name, "earliest")
			}
			server.Fill(t, in, c.messages, c.fill)
			left, outputs := c.stays(t, server.ReadAll(t, in, c.fill.Partitions), sets)
			t.Logf("%d of %d messages, %d in an entry, are to be left, %s on %s", len(left), c.messages, c.fill.PerEntry, c.why, c.mode)
			entries := c.stopped(t, c.scene(t, n, in, wire.EntryPath, code), outputs)
			client := c.stopped(t, c.scene(t, n, in, wire.CompatiblePath, code), outputs)
			if d := gocmp.Diff(client, entries); d != "" {
				t.Errorf("%+v\nPulsar's client (-) and entries (+) differ: %s", c, d)
			}
			for _, path := range []wire.Path{wire.EntryPath, wire.CompatiblePath} {
				if d := gocmp.Diff(left, c.unacknowledged(t, server, in, path)); d != "" {
					t.Errorf("%+v\n%s: what should be left (-) and what comes again (+) differ: %s", c, path, d)
				}
			}
		})
	}
}

// stopped lets one path do what it can, and ends it.
func (l leaving) stopped(t *testing.T, s *scene, outputs int) result {
	t.Helper()
	s.file.Source.Subscription.NackDelayMs = time.Hour.Milliseconds()
	s.file.Delivery.BackoffMs, s.file.Delivery.MaxBackoffMs = time.Hour.Milliseconds(), time.Hour.Milliseconds()
	s.file.Function.UserConfig = fmt.Sprintf(`{"by_hand":%t}`, l.why == withheld)
	i := s.start(t, 0, 1)
	i.ready(t)
	pulsartest.Eventually(t, "what can be done is done", func() bool {
		i.alive(t)
		status, _ := i.status(t)
		switch l.why {
		case withheld:
			return status.Processed == int64(l.messages)
		case waiting:
			return status.Processed+status.UserExceptions == int64(l.messages)
		}
		return status.UserExceptions > 0 && s.server.Stats(t, s.out).MsgInCounter == int64(outputs)
	})
	i.drain(t)
	return l.result(t, s)
}

// unacknowledged are the numbers of the messages that a consumer is given that comes
// after the instance.
func (l leaving) unacknowledged(t *testing.T, server *pulsartest.Server, in string, path wire.Path) []string {
	t.Helper()
	var numbers []string
	for _, value := range server.Unacknowledged(t, in, l.fill.Partitions, string(path)) {
		text, _ := number(t, value)
		numbers = append(numbers, text)
	}
	slices.Sort(numbers)
	return numbers
}
