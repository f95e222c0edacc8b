package pulsartest

import (
	"fmt"
	"testing"
)

// kept bounds what is remembered of problems.
const kept = 10

// Tally counts what became of numbered messages, as they are read. Order is that of
// first occurrences: within one output partition, of one input lane and of one key.
type Tally struct {
	Total int // messages are 0 to Total-1; others are strange

	Read       int // with duplicates
	Distinct   int
	Duplicated int // second and later occurrences
	Reordered  int // by lane
	KeyBroken  int // by key
	Strange    int // not a message that was sent
	Examples   []string

	seen   []uint16
	byLane map[[2]int]int
	byKey  map[keyed]int
}

type keyed struct {
	partition int
	key       string
}

// NewTally expects messages 0 to total-1.
func NewTally(total int) *Tally {
	return &Tally{Total: total, seen: make([]uint16, total), byLane: map[[2]int]int{}, byKey: map[keyed]int{}}
}

// Add counts one message that was read from a partition.
func (c *Tally) Add(partition int, value []byte) {
	c.Read++
	n, lane, key, err := parse(value)
	if err != nil || n >= c.Total {
		c.Strange++
		c.note("strange: %.40q %v", value, err)
		return
	}
	if c.seen[n]++; c.seen[n] > 1 {
		c.Duplicated++
		c.note("duplicated: %d in partition %d", n, partition)
		return
	}
	c.Distinct++
	at := [2]int{partition, lane}
	if last, ok := c.byLane[at]; ok && n < last {
		c.Reordered++
		c.note("reordered: %d behind %d of lane %d in partition %d", n, last, lane, partition)
	} else {
		c.byLane[at] = n
	}
	if key == "" {
		return
	}
	if last, ok := c.byKey[keyed{partition, key}]; ok && n < last {
		c.KeyBroken++
		c.note("reordered: %d behind %d of key %s", n, last, key)
	} else {
		c.byKey[keyed{partition, key}] = n
	}
}

// Lost is how many are missing.
func (c *Tally) Lost() int { return c.Total - c.Distinct }

// Seen is how often a message was read.
func (c *Tally) Seen(n int) int { return int(c.seen[n]) }

func (c *Tally) note(format string, args ...any) {
	if len(c.Examples) < kept {
		c.Examples = append(c.Examples, fmt.Sprintf(format, args...))
	}
}

// String is one line for a log.
func (c *Tally) String() string {
	return fmt.Sprintf("%d messages: %d lost, %d duplicated, %d reordered, %d out of their key's order, %d strange", c.Total, c.Lost(), c.Duplicated, c.Reordered, c.KeyBroken, c.Strange)
}

// Bounds say what a Tally may hold.
type Bounds struct {
	Loss, Duplicates bool // some are allowed
	Disorder         bool // by lane
	KeyDisorder      bool
}

// Check compares the tally with what is allowed.
func (c *Tally) Check(t testing.TB, b Bounds) {
	t.Helper()
	bad := false
	for _, found := range []struct {
		n       int
		allowed bool
	}{{c.Strange, false}, {c.Lost(), b.Loss}, {c.Duplicated, b.Duplicates}, {c.Reordered, b.Disorder}, {c.KeyBroken, b.KeyDisorder}} {
		bad = bad || found.n > 0 && !found.allowed
	}
	if !bad {
		return
	}
	t.Errorf("%s", c)
	for _, e := range c.Examples {
		t.Log(e)
	}
	if c.Lost() > 0 && !b.Loss {
		t.Logf("lost: %v …", c.missing())
	}
}

// missing are some of the messages that are lost.
func (c *Tally) missing() []int {
	var lost []int
	for n, times := range c.seen {
		if times == 0 && len(lost) < kept {
			lost = append(lost, n)
		}
	}
	return lost
}
