//nolint:gosec // two's complement is the protocol's encoding, and permits are bounded
package subscription

import (
	"math/bits"

	"github.com/functionmesh/terraform-provider-functionmesh/runner/broker/pulsar/conn"
	"github.com/functionmesh/terraform-provider-functionmesh/runner/broker/pulsar/entry"
)

// Delivery is one entry as it was handed out. Entry and all slices that come from it
// hold until Release.
type Delivery struct {
	ID          entry.ID
	Redelivery  int     // how often it was delivered before, as the broker counts
	AckSet      []int64 // a word for 64 messages, a set bit is not acknowledged yet; nil: none is
	Incarnation uint64  // that it came in, see Subscription.Incarnation; a later one delivers it again unless it is acknowledged
	Turn        uint64  // its place among what was handed out in the incarnation, from 0
	Entry       entry.Entry
	// Err is why the entry cannot be used, an *entry.Error: the caller decides whether to
	// acknowledge it. Entry has the metadata that could be read.
	Err error

	raw  *conn.Delivery
	home *Subscription
}

// Pending tells whether message i of the entry is still to be processed.
func (d *Delivery) Pending(i int) bool {
	if d.AckSet == nil {
		return true
	}
	word := i >> 6
	return word < len(d.AckSet) && d.AckSet[word]&(1<<(i&63)) != 0
}

// Size is the bytes that the delivery holds.
func (d *Delivery) Size() int {
	n := d.Entry.Size()
	if d.raw != nil && d.Entry.Codec != entry.None {
		n += len(d.raw.Frame)
	}
	return n
}

// Release gives the memory back, for the next delivery: it is called once, and nothing of
// the delivery is used after it.
func (d *Delivery) Release() {
	if d.raw == nil {
		return
	}
	d.raw.Release()
	d.raw = nil
	if d.home != nil {
		d.home.recycle(d)
	}
}

// Ack acknowledges one entry, or some messages of it.
type Ack struct {
	ID entry.ID
	// Set, with Size, acknowledges the messages whose bits are clear and keeps those whose
	// bits are set; nil: the whole entry. A broker that does not keep such sets delivers
	// the entry whole again.
	Set  []int64
	Size int // messages in the entry, with Set
}

// Keep makes the Set of an entry of n messages in which all are to be kept; clear bits
// of what is done with Done.
func Keep(n int) []int64 {
	set := make([]int64, (n+63)/64)
	for i := range set {
		set[i] = -1
	}
	if rest := n & 63; rest != 0 {
		set[len(set)-1] = int64(1)<<rest - 1
	}
	return set
}

// Done clears the bit of message i.
func Done(set []int64, i int) { set[i>>6] &^= 1 << (i & 63) }

// Left counts the bits that are set.
func Left(set []int64) int {
	n := 0
	for _, w := range set {
		n += bits.OnesCount64(uint64(w))
	}
	return n
}
