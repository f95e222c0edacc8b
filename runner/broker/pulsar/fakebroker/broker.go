//nolint:gosec // two's complement is the protocol's encoding
package fakebroker

import (
	"bufio"
	"encoding/binary"
	"io"
	"net"
	"slices"
	"sync"
	"testing"

	"google.golang.org/protobuf/proto"

	"github.com/functionmesh/terraform-provider-functionmesh/internal/wire"
	"github.com/functionmesh/terraform-provider-functionmesh/runner/broker/pulsar/conn/pulsarpb"
)

// Broker listens until the test ends. Set On before anybody connects.
type Broker struct {
	// On sees every command first; true: it was answered, or is not to be. It is called
	// from the goroutine of the connection.
	On func(c *Conn, cmd *pulsarpb.BaseCommand, rest []byte) bool

	t        testing.TB
	listener net.Listener
	all      sync.WaitGroup
	mu       sync.Mutex
	conns    []*Conn
	commands []*pulsarpb.BaseCommand
	entries  int64
}

// New starts one.
func New(t testing.TB) *Broker {
	t.Helper()
	var config net.ListenConfig
	l, err := config.Listen(t.Context(), "tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	b := &Broker{t: t, listener: l}
	b.all.Go(b.accept)
	t.Cleanup(func() {
		_ = l.Close()
		b.Drop()
		b.all.Wait()
	})
	return b
}

// Settings are those of a connection to it.
func (b *Broker) Settings() wire.Broker {
	return wire.Broker{Kind: "pulsar", URL: "pulsar://" + b.listener.Addr().String()}
}

// Drop ends all connections.
func (b *Broker) Drop() {
	b.mu.Lock()
	defer b.mu.Unlock()
	for _, c := range b.conns {
		_ = c.network.Close()
	}
	b.conns = nil
}

// Commands are those received so far of the given types, in order.
func (b *Broker) Commands(types ...pulsarpb.Type) []*pulsarpb.BaseCommand {
	b.mu.Lock()
	defer b.mu.Unlock()
	var out []*pulsarpb.BaseCommand
	for _, c := range b.commands {
		if slices.Contains(types, c.GetType()) {
			out = append(out, c)
		}
	}
	return out
}

func (b *Broker) accept() {
	for {
		network, err := b.listener.Accept()
		if err != nil {
			return
		}
		c := &Conn{broker: b, network: network}
		b.mu.Lock()
		b.conns = append(b.conns, c)
		b.mu.Unlock()
		b.all.Go(c.serve)
	}
}

// Conn is a client's connection.
type Conn struct {
	broker  *Broker
	network net.Conn
	mu      sync.Mutex
}

// Close ends it.
func (c *Conn) Close() { _ = c.network.Close() }

// Write sends a command, and behind it what belongs to an entry.
func (c *Conn) Write(t pulsarpb.Type, cmd *pulsarpb.BaseCommand, rest []byte) {
	cmd.Type = &t
	data, err := proto.Marshal(cmd)
	if err != nil {
		c.broker.t.Error(err)
		return
	}
	frame := binary.BigEndian.AppendUint32(nil, uint32(4+len(data)+len(rest)))
	frame = binary.BigEndian.AppendUint32(frame, uint32(len(data)))
	c.mu.Lock()
	defer c.mu.Unlock()
	_, _ = c.network.Write(append(append(frame, data...), rest...))
}

func (c *Conn) serve() {
	defer c.Close()
	r := bufio.NewReader(c.network)
	for {
		cmd, rest, err := read(r)
		if err != nil {
			return
		}
		b := c.broker
		b.mu.Lock()
		b.commands = append(b.commands, cmd)
		b.mu.Unlock()
		if b.On == nil || !b.On(c, cmd, rest) {
			c.Accept(cmd)
		}
	}
}

func read(r io.Reader) (*pulsarpb.BaseCommand, []byte, error) {
	var head [8]byte
	if _, err := io.ReadFull(r, head[:]); err != nil {
		return nil, nil, err
	}
	body := make([]byte, binary.BigEndian.Uint32(head[:4])-4)
	if _, err := io.ReadFull(r, body); err != nil {
		return nil, nil, err
	}
	n := binary.BigEndian.Uint32(head[4:])
	cmd := &pulsarpb.BaseCommand{}
	return cmd, body[n:], proto.Unmarshal(body[:n], cmd)
}
