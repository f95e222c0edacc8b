package pulsartest

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"hash/crc32"
	"testing"

	"github.com/functionmesh/terraform-provider-functionmesh/runner/broker/pulsar/conn"
	"github.com/functionmesh/terraform-provider-functionmesh/runner/broker/pulsar/entry"
	"github.com/functionmesh/terraform-provider-functionmesh/runner/broker/pulsar/publisher"
)

// Spoilt is how many messages each entry of Spoil is made of, before it is changed.
const Spoilt = 5

// Change makes another body of an entry's: what follows its metadata.
type Change func(body []byte) []byte

// Sound leaves an entry as it is.
func Sound(body []byte) []byte { return body }

// Short cuts the last message of an entry off in its middle.
func Short(body []byte) []byte { return body[:len(body)-3] }

// Wild makes nonsense of the framing of an entry's first message.
func Wild(body []byte) []byte {
	body[0] = 0x7f
	return body
}

// Spoil publishes one entry for each change, under a checksum that fits what it became.
// The values are as Fill's. Pulsar's own client writes nothing of that kind, so this goes
// through the entry path's.
func (s *Server) Spoil(t testing.TB, topic string, changes ...Change) {
	t.Helper()
	c, err := conn.New(s.Broker(), conn.Options{})
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = c.Close() }()
	p, err := publisher.Open(t.Context(), publisher.Options{Client: c, Topic: topic})
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = p.Close(t.Context()) }()
	for i, change := range changes {
		e, err := spoilt(p.Name(), i, change)
		if err != nil {
			t.Fatal(err)
		}
		r, err := p.Send(t.Context(), e)
		if err == nil {
			_, _, err = r.Wait(t.Context())
		}
		if err != nil {
			t.Fatal(err)
		}
	}
}

func spoilt(producer string, number int, change Change) (entry.Encoded, error) {
	var enc entry.Encoder
	enc.Begin(entry.Header{Producer: producer, Batched: true, PublishTime: 1, Sequence: uint64(number)}) //nolint:gosec // small
	for k := range Spoilt {
		enc.Append(&entry.Message{Value: fmt.Append(nil, number*Spoilt+k, "/0//")})
	}
	e, err := enc.Finish()
	if err != nil {
		return e, err
	}
	command := 8 + binary.BigEndian.Uint32(e.Frame[4:])
	meta := command + 10 + binary.BigEndian.Uint32(e.Frame[command+6:])
	frame := append(bytes.Clone(e.Frame[:meta]), change(bytes.Clone(e.Frame[meta:]))...)
	binary.BigEndian.PutUint32(frame, uint32(len(frame)-4)) //nolint:gosec // small
	binary.BigEndian.PutUint32(frame[command+2:], crc32.Checksum(frame[command+6:], crc32.MakeTable(crc32.Castagnoli)))
	e.Frame = frame
	return e, nil
}
