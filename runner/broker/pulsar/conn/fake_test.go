package conn_test

import (
	"bufio"
	"crypto/tls"
	"encoding/binary"
	"errors"
	"io"
	"net"
	"sync"
	"testing"

	"google.golang.org/protobuf/proto"

	"github.com/functionmesh/terraform-provider-functionmesh/internal/wire"
	"github.com/functionmesh/terraform-provider-functionmesh/runner/broker/pulsar/conn"
	"github.com/functionmesh/terraform-provider-functionmesh/runner/broker/pulsar/conn/pulsarpb"
)

// fake is a broker that answers as its test says.
type fake struct {
	address string
	// answer gives what is sent for one command; nil after hang: the connection is closed.
	answer func(cmd *pulsarpb.BaseCommand) []*pulsarpb.BaseCommand

	mu    sync.Mutex
	seen  []*pulsarpb.BaseCommand
	conns []net.Conn
}

// serve starts a fake; config nil: without TLS.
func serve(t *testing.T, config *tls.Config, answer func(*pulsarpb.BaseCommand) []*pulsarpb.BaseCommand) *fake {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	if config != nil {
		l = tls.NewListener(l, config)
	}
	f := &fake{address: l.Addr().String(), answer: answer}
	var all sync.WaitGroup
	all.Go(func() {
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			f.mu.Lock()
			f.conns = append(f.conns, c)
			f.mu.Unlock()
			all.Go(func() { f.talk(c) })
		}
	})
	t.Cleanup(func() {
		_ = l.Close()
		f.hangUp()
		all.Wait()
	})
	return f
}

// hangUp closes all connections.
func (f *fake) hangUp() {
	f.mu.Lock()
	defer f.mu.Unlock()
	for _, c := range f.conns {
		_ = c.Close()
	}
}

// push sends a command on the last connection.
func (f *fake) push(t *testing.T, cmd *pulsarpb.BaseCommand) {
	t.Helper()
	f.mu.Lock()
	defer f.mu.Unlock()
	if _, err := f.conns[len(f.conns)-1].Write(encode(cmd)); err != nil {
		t.Error(err)
	}
}

func (f *fake) talk(c net.Conn) {
	defer c.Close()
	r := bufio.NewReader(c)
	for {
		cmd, err := decode(r)
		if err != nil {
			return
		}
		f.mu.Lock()
		f.seen = append(f.seen, cmd)
		f.mu.Unlock()
		for _, a := range f.answer(cmd) {
			if _, err := c.Write(encode(a)); err != nil {
				return
			}
		}
	}
}

// commands are those of a kind seen so far.
func (f *fake) commands(kind pulsarpb.Type) (all []*pulsarpb.BaseCommand) {
	f.mu.Lock()
	defer f.mu.Unlock()
	for _, cmd := range f.seen {
		if cmd.GetType() == kind {
			all = append(all, cmd)
		}
	}
	return all
}

func (f *fake) url() string { return "pulsar://" + f.address }

func encode(cmd *pulsarpb.BaseCommand) []byte {
	raw, err := proto.Marshal(cmd)
	if err != nil {
		panic(err)
	}
	head := binary.BigEndian.AppendUint32(nil, uint32(4+len(raw)))
	return append(binary.BigEndian.AppendUint32(head, uint32(len(raw))), raw...)
}

func decode(r io.Reader) (*pulsarpb.BaseCommand, error) {
	var head [8]byte
	if _, err := io.ReadFull(r, head[:]); err != nil {
		return nil, err
	}
	total, size := binary.BigEndian.Uint32(head[:]), binary.BigEndian.Uint32(head[4:])
	if total < 4 || size > total-4 {
		return nil, errors.New("malformed frame")
	}
	raw := make([]byte, total-4)
	if _, err := io.ReadFull(r, raw); err != nil {
		return nil, err
	}
	cmd := &pulsarpb.BaseCommand{}
	return cmd, proto.Unmarshal(raw[:size], cmd)
}

// one is a single answer.
func one(kind pulsarpb.Type, cmd *pulsarpb.BaseCommand) []*pulsarpb.BaseCommand {
	cmd.Type = kind.Enum()
	return []*pulsarpb.BaseCommand{cmd}
}

func connected() []*pulsarpb.BaseCommand {
	return one(pulsarpb.Type_CONNECTED, &pulsarpb.BaseCommand{Connected: &pulsarpb.Connected{ServerVersion: "fake", MaxMessageSize: 1 << 20}})
}

func refused(id uint64, code pulsarpb.Code, message string) []*pulsarpb.BaseCommand {
	return one(pulsarpb.Type_ERROR, &pulsarpb.BaseCommand{Error: &pulsarpb.Error{RequestId: id, Code: code, Message: message}})
}

// found answers a look-up.
func found(cmd *pulsarpb.BaseCommand, r *pulsarpb.LookupResponse) []*pulsarpb.BaseCommand {
	r.RequestId = cmd.Lookup.RequestId
	return one(pulsarpb.Type_LOOKUP_RESPONSE, &pulsarpb.BaseCommand{LookupResponse: r})
}

// polite answers what every broker answers alike; look-ups go to owner, pings to nobody.
func polite(lookup func(cmd *pulsarpb.BaseCommand) []*pulsarpb.BaseCommand) func(*pulsarpb.BaseCommand) []*pulsarpb.BaseCommand {
	return func(cmd *pulsarpb.BaseCommand) []*pulsarpb.BaseCommand {
		switch cmd.GetType() {
		case pulsarpb.Type_CONNECT:
			return connected()
		case pulsarpb.Type_PING:
			return one(pulsarpb.Type_PONG, &pulsarpb.BaseCommand{Pong: &pulsarpb.Pong{}})
		case pulsarpb.Type_LOOKUP:
			return lookup(cmd)
		default:
			return nil
		}
	}
}

// owns makes a look-up's answer that names an owner, which may be known only later.
func owns(owner **fake) func(*pulsarpb.BaseCommand) []*pulsarpb.BaseCommand {
	return func(cmd *pulsarpb.BaseCommand) []*pulsarpb.BaseCommand {
		return found(cmd, &pulsarpb.LookupResponse{BrokerUrl: (*owner).url(), Outcome: pulsarpb.LookupResponse_CONNECT, Authoritative: true})
	}
}

// self is a broker that owns every topic.
func self(t *testing.T) *fake {
	t.Helper()
	var f *fake
	f = serve(t, nil, polite(func(cmd *pulsarpb.BaseCommand) []*pulsarpb.BaseCommand { return owns(&f)(cmd) }))
	return f
}

// dead is an address that refuses connections.
func dead(t *testing.T) string {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	return l.Addr().String()
}

func plain(url string) wire.Broker { return wire.Broker{Kind: "pulsar", URL: url} }

const topic = "persistent://public/default/t"

// link connects to the owner of the topic.
func link(t *testing.T, c *conn.Client) *conn.Conn {
	t.Helper()
	l, err := c.Connect(t.Context(), topic)
	if err != nil {
		t.Fatal(err)
	}
	return l
}
