//go:build unix

package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"strconv"
	"time"

	"github.com/functionmesh/terraform-provider-functionmesh/internal/wire"
	"github.com/functionmesh/terraform-provider-functionmesh/runner/broker/pulsar/conn"
	"github.com/functionmesh/terraform-provider-functionmesh/runner/broker/pulsar/entry"
	"github.com/functionmesh/terraform-provider-functionmesh/runner/broker/pulsar/subscription"
)

// found is what a topic holds of messages numbered from 0.
type found struct {
	distinct, repeated, reordered, changed int
}

func (f found) String() string {
	return fmt.Sprintf("%d different messages, %d more than once, %d out of order, %d changed", f.distinct, f.repeated, f.reordered, f.changed)
}

// exact says that it is what was put in: each message once, in order and unchanged.
func (f found) exact(total int) bool { return f == found{distinct: total} }

// outputs reads a topic to its end and compares every message with what was filled in.
func (b *bench) outputs(topic string, total int) found {
	f, err := read(b.t.Context(), b.server.URL, topic, total)
	if err != nil {
		b.t.Fatalf("read %s: %v", topic, err)
	}
	return f
}

func read(ctx context.Context, url, topic string, total int) (f found, err error) {
	c, err := conn.New(wire.Broker{Kind: wire.KindPulsar, URL: url}, conn.Options{})
	if err != nil {
		return f, err
	}
	defer func() { err = errors.Join(err, c.Close()) }()
	s, err := subscription.Open(ctx, subscription.Options{Client: c, Topic: topic, Name: "check", Mode: wire.Exclusive, Reader: true, After: entry.ID{Ledger: -1, Entry: -1}})
	if err != nil {
		return f, err
	}
	defer func() { _ = s.Close(ctx) }()
	r := reading{seen: make([]bool, total), last: -1}
	for at, patience := (entry.ID{Ledger: -1, Entry: -1}), 200; ; patience-- {
		end, err := s.LastID(ctx)
		if err != nil {
			return r.found, err
		}
		if at.Compare(end) < 0 {
			if at, err = r.upTo(ctx, s, end); err != nil {
				return r.found, err
			}
		}
		if r.distinct >= total || patience == 0 {
			return r.found, nil
		}
		time.Sleep(10 * time.Millisecond) // what is missing may be counted already and stored in a moment
	}
}

// reading is the state of reading a topic.
type reading struct {
	found

	seen []bool
	last int
	want []byte
}

func (r *reading) upTo(ctx context.Context, s *subscription.Subscription, end entry.ID) (at entry.ID, err error) {
	for at = (entry.ID{Ledger: -1}); at.Compare(end) < 0; {
		d, err := s.Receive(ctx)
		if err == nil {
			err = d.Err
		}
		if err != nil {
			return at, err
		}
		at = d.ID
		r.add(d)
	}
	return at, nil
}

func (r *reading) add(d *subscription.Delivery) {
	var m entry.Message
	for w := d.Entry.Messages(); w.Next(&m); {
		n := numberOf(m.Value)
		if n >= 0 {
			r.want = appendValue(r.want[:0], n)
		}
		switch {
		case n < 0 || n >= len(r.seen) || !bytes.Equal(m.Value, r.want):
			r.changed++
			continue
		case r.seen[n]:
			r.repeated++
			continue
		case n < r.last:
			r.reordered++
		}
		r.seen[n], r.last = true, n
		r.distinct++
	}
	d.Release()
}

// numberOf is the number that a value begins with, -1 for none.
func numberOf(value []byte) int {
	n := 0
	for i, c := range value {
		switch {
		case c >= '0' && c <= '9' && i < 9:
			n = 10*n + int(c-'0')
		case c == '/' && i > 0:
			return n
		default:
			return -1
		}
	}
	return -1
}

// appendValue is pulsartest.Value of a message without a key in the first lane, without
// its formatting: reading back would take longer than what is measured.
func appendValue(dst []byte, n int) []byte {
	dst = append(strconv.AppendInt(dst, int64(n), 10), "/0//"...)
	for len(dst) < messageSize {
		dst = append(dst, '.')
	}
	return dst
}
