//go:build unix

package faults_test

import (
	"fmt"
	"regexp"
	"strings"
	"syscall"
	"testing"

	"github.com/functionmesh/terraform-provider-functionmesh/internal/wire"
	"github.com/functionmesh/terraform-provider-functionmesh/runner/broker/pulsar/pulsartest"
)

// modes are all that a component may subscribe with.
func modes() []wire.Mode {
	return []wire.Mode{wire.Shared, wire.Failover, wire.Exclusive, wire.KeyShared}
}

// interrupted is an instance that has worked on one part of its input, and is frozen
// while something happens to more of it, most of which the broker has not sent yet.
type interrupted struct {
	*scene
	*child
	flow *pulsartest.Flow
}

// part is how many messages are published at a time, each an entry of its own.
const part = 300

func interrupt(t *testing.T, server *pulsartest.Server, mode wire.Mode, position string, parts int) *interrupted {
	t.Helper()
	s := newScene(t, server, setting{guarantee: atLeast, mode: mode, fill: pulsartest.Fill{Keys: 3}})
	s.file.Source.Subscription.Position = position
	s.file.Source.Inputs[0].QueueSize = 10 // so that most of a part waits at the broker
	x := &interrupted{scene: s, child: s.start(t, 0, 1)}
	x.ready(t)
	x.flow = server.Watch(t, s.out, 0, parts*part)
	return x
}

// feed publishes one part with a producer that does not outlive it: one that comes back
// would make a deleted topic again.
func (x *interrupted) feed(t *testing.T, number int) {
	t.Helper()
	f := x.fill
	f.From = number * part
	t.Run(fmt.Sprint("Part", number), func(t *testing.T) { x.server.Fill(t, x.in, part, f) })
}

// during lets something happen while the instance stands still.
func (x *interrupted) during(t *testing.T, happens func()) {
	t.Helper()
	x.signal(t, syscall.SIGSTOP)
	happens()
	x.signal(t, syscall.SIGCONT)
}

// reported are the failures that are neither user code's nor a sink's.
func (x *interrupted) reported(t *testing.T) (texts []string) {
	t.Helper()
	status, _ := x.status(t)
	for _, e := range append(status.LatestSystem, status.LatestSource...) {
		texts = append(texts, e.Message)
	}
	return texts
}

// says waits until something is reported.
func (x *interrupted) says(t *testing.T, what string) {
	t.Helper()
	pulsartest.Eventually(t, fmt.Sprintf("%q is reported", what), func() bool {
		x.alive(t)
		return strings.Contains(strings.Join(x.reported(t), "\n"), what)
	})
}

//nolint:gochecknoglobals // a constant
var passedOver = regexp.MustCompile(`entries from (\d+):(-?\d+) to (\d+):(-?\d+) were passed over`)

// explained wants every message that is missing to be among the entries that were
// reported as passed over, and returns how many are.
func (x *interrupted) explained(t *testing.T, tally *pulsartest.Tally) (missing int) {
	t.Helper()
	var ranges [][4]int64
	for _, found := range passedOver.FindAllStringSubmatch(strings.Join(x.reported(t), "\n"), -1) {
		var r [4]int64
		if _, err := fmt.Sscan(strings.Join(found[1:], " "), &r[0], &r[1], &r[2], &r[3]); err != nil {
			t.Fatal(err)
		}
		ranges = append(ranges, r)
	}
	for n, m := range x.server.ReadAll(t, x.in, 0) { // as many entries as messages
		if tally.Seen(n) > 0 {
			continue
		}
		missing++
		ledger, entry, told := m.ID.LedgerID(), m.ID.EntryID(), false
		for _, r := range ranges {
			told = told || (ledger > r[0] || ledger == r[0] && entry >= r[1]) && (ledger < r[2] || ledger == r[2] && entry <= r[3])
		}
		if !told {
			t.Errorf("message %d in entry %d:%d is missing, and only %v are reported", n, ledger, entry, ranges)
		}
	}
	return missing
}

// A subscription is deleted under an instance: the broker makes a new one at the position
// that is configured, and the instance goes on. A new one at the beginning brings all
// again; what a new one at the end passes over is reported.
func TestPulsarSubscriptionDeleted(t *testing.T) {
	server := pulsartest.Need(t)
	for _, mode := range modes() {
		for _, position := range []string{"earliest", "latest"} {
			t.Run(string(mode)+"/"+position, func(t *testing.T) {
				t.Parallel()
				x := interrupt(t, server, mode, position, 3)
				x.feed(t, 0)
				x.flow.Until(t, part)
				x.during(t, func() {
					x.feed(t, 1)
					server.Unsubscribe(t, x.in, subscription)
				})
				pulsartest.Eventually(t, "the subscription is back", func() bool { return len(server.Subscriptions(t, x.in)) == 1 })
				x.feed(t, 2)
				server.Settled(t, x.in, subscription)
				x.alive(t)
				b, tally := bounds(atLeast, mode), x.flow.Tally(t)
				b.Loss = position == "latest"
				tally.Check(t, b)
				if missing := x.explained(t, tally); b.Loss && missing == 0 {
					t.Error("nothing is missing, so nothing is shown")
				}
				for n := 2 * part; n < 3*part; n++ {
					if tally.Seen(n) == 0 {
						t.Fatalf("message %d is missing, which was published to the new subscription", n)
					}
				}
				x.drain(t)
			})
		}
	}
}

// A topic is deleted under an instance and made again. That it was, and that what it held
// is lost, is reported, and the instance goes on.
func TestPulsarTopicDeleted(t *testing.T) {
	server := pulsartest.Need(t)
	for _, mode := range modes() {
		t.Run(string(mode), func(t *testing.T) {
			t.Parallel()
			x := interrupt(t, server, mode, "earliest", 3)
			x.feed(t, 0)
			x.flow.Until(t, part)
			x.during(t, func() {
				x.feed(t, 1)
				server.Delete(t, x.in)
			})
			x.says(t, "what was in it and not read is lost")
			server.Create(t, x.in, 0) // unless the instance made it
			x.feed(t, 2)
			server.Settled(t, x.in, subscription)
			x.alive(t)
			tally := x.flow.Tally(t)
			b := bounds(atLeast, mode)
			b.Loss = true
			tally.Check(t, b)
			for n := range 3 * part {
				if n/part != 1 && tally.Seen(n) == 0 {
					t.Fatalf("message %d is missing, which was not in the topic when it was deleted", n)
				}
			}
			x.drain(t)
		})
	}
}
