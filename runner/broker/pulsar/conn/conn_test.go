package conn_test

import (
	"context"
	"errors"
	"net"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/functionmesh/terraform-provider-functionmesh/internal/wire"
	"github.com/functionmesh/terraform-provider-functionmesh/runner/broker/pulsar/conn"
	"github.com/functionmesh/terraform-provider-functionmesh/runner/broker/pulsar/conn/pulsarpb"
)

func TestNewRefuses(t *testing.T) {
	for name, b := range map[string]wire.Broker{
		"NoScheme":     {URL: "localhost:6650"},
		"HTTP":         {URL: "http://localhost:8080"},
		"NoHost":       {URL: "pulsar://"},
		"EmptyHost":    {URL: "pulsar://a,,b"},
		"Path":         {URL: "pulsar://a:1/x"},
		"User":         {URL: "pulsar://u:p@a:1"},
		"BareIPv6":     {URL: "pulsar://::1"},
		"OtherKind":    {Kind: "nats", URL: "pulsar://a"},
		"OAuth2":       {URL: "pulsar://a", OAuth2: &wire.OAuth2{}},
		"Password":     {URL: "pulsar://a", Password: "p"},
		"TwoTokens":    {URL: "pulsar://a", Token: "t", TokenFile: "f"},
		"CertNoKey":    {URL: "pulsar://a", CertFile: "f"},
		"KeyNoCert":    {URL: "pulsar://a", KeyFile: "f"},
		"NothingAtAll": {},
	} {
		t.Run(name, func(t *testing.T) {
			_, err := conn.New(b, conn.Options{})
			if reason, terminal := conn.Terminal(err); !errors.Is(err, conn.ErrSetting) || !terminal || reason != "InvalidConfig" {
				t.Errorf("%v: %q", err, reason)
			}
		})
	}
}

func TestAnswersBelongToTheirRequests(t *testing.T) {
	var held []*pulsarpb.BaseCommand
	var mu sync.Mutex
	broker := self(t)
	lookups := broker.answer
	broker.answer = func(cmd *pulsarpb.BaseCommand) []*pulsarpb.BaseCommand {
		if cmd.PartitionMetadata == nil {
			return lookups(cmd)
		}
		mu.Lock()
		defer mu.Unlock()
		n, _ := map[string]uint32{"a": 1, "b": 2, "c": 3}[cmd.PartitionMetadata.Topic]
		held = append(held, one(pulsarpb.Type_PARTITIONED_METADATA_RESPONSE, &pulsarpb.BaseCommand{
			PartitionMetadataResponse: &pulsarpb.PartitionMetadataResponse{RequestId: cmd.PartitionMetadata.RequestId, Partitions: n},
		})...)
		if len(held) < 3 {
			return nil
		}
		slices.Reverse(held)
		return held
	}
	c := newClient(t, plain(broker.url()), conn.Options{})
	var all sync.WaitGroup
	for topic, want := range map[string]int{"a": 1, "b": 2, "c": 3} {
		all.Go(func() {
			if n, err := c.Partitions(t.Context(), topic); err != nil || n != want {
				t.Errorf("%s: %d, %v", topic, n, err)
			}
		})
	}
	all.Wait()
}

func TestRequestEnds(t *testing.T) {
	t.Run("WithItsContext", func(t *testing.T) {
		l := link(t, newClient(t, plain(self(t).url()), conn.Options{}))
		ctx, cancel := context.WithCancelCause(t.Context())
		cancel(errTest)
		if _, err := l.Request(ctx, getSchema()); !errors.Is(err, errTest) {
			t.Error(err)
		}
	})
	t.Run("WithItsPatience", func(t *testing.T) {
		broker := self(t)
		l := link(t, newClient(t, plain(broker.url()), conn.Options{RequestTimeout: 200 * time.Millisecond}))
		if _, err := l.Request(t.Context(), getSchema()); !errors.Is(err, conn.ErrSilent) {
			t.Error(err)
		}
	})
	t.Run("WithTheConnection", func(t *testing.T) {
		broker := self(t)
		l := link(t, newClient(t, plain(broker.url()), conn.Options{}))
		h := newConsumer()
		if err := l.AddConsumer(l.NextID(), h); err != nil {
			t.Fatal(err)
		}
		broker.hangUp()
		if _, err := l.Request(t.Context(), getSchema()); err == nil || !errors.Is(err, l.Err()) {
			t.Error(err)
		}
		<-h.lost
		<-l.Done()
		if err := l.AddConsumer(l.NextID(), h); err == nil {
			t.Error("a handler is added after the end")
		}
		if err := l.Send(t.Context(), getSchema()); err == nil {
			t.Error("a command is taken after the end")
		}
	})
}

func getSchema() *pulsarpb.BaseCommand {
	return &pulsarpb.BaseCommand{GetSchema: &pulsarpb.GetSchema{Topic: topic}}
}

func TestKeepAlive(t *testing.T) {
	t.Run("PingsAreAnswered", func(t *testing.T) {
		broker := self(t)
		l := link(t, newClient(t, plain(broker.url()), conn.Options{}))
		broker.push(t, one(pulsarpb.Type_PING, &pulsarpb.BaseCommand{Ping: &pulsarpb.Ping{}})[0])
		for len(broker.commands(pulsarpb.Type_PONG)) == 0 {
			if l.Err() != nil {
				t.Fatal(l.Err())
			}
			time.Sleep(time.Millisecond)
		}
	})
	t.Run("ABrokerThatAnswersStays", func(t *testing.T) {
		broker := self(t)
		l := link(t, newClient(t, plain(broker.url()), conn.Options{KeepAlive: 100 * time.Millisecond}))
		for len(broker.commands(pulsarpb.Type_PING)) < 5 && l.Err() == nil {
			time.Sleep(time.Millisecond)
		}
		if l.Err() != nil {
			t.Error(l.Err())
		}
	})
	t.Run("ASilentBrokerIsLeft", func(t *testing.T) {
		broker := self(t)
		polite := broker.answer
		broker.answer = func(cmd *pulsarpb.BaseCommand) []*pulsarpb.BaseCommand {
			if cmd.Ping != nil {
				return nil
			}
			return polite(cmd)
		}
		l := link(t, newClient(t, plain(broker.url()), conn.Options{KeepAlive: 200 * time.Millisecond}))
		<-l.Done()
		if !errors.Is(l.Err(), conn.ErrFrozen) {
			t.Error(l.Err())
		}
		if n := len(broker.commands(pulsarpb.Type_PING)); n != 2 {
			t.Errorf("%d PINGs, want the second to be the last", n)
		}
	})
}

func TestGarbageEndsTheConnection(t *testing.T) {
	for name, garbage := range map[string]string{
		"HTTP":        "HTTP/1.1 400 Bad Request\r\n\r\n",
		"TLSAlert":    "\x15\x03\x01\x00\x02\x02\x46",
		"Zeros":       strings.Repeat("\x00", 64),
		"HugeFrame":   "\x7f\xff\xff\xff\x00\x00\x00\x04abcd",
		"HugeCommand": "\x00\x00\x00\x08\x00\x00\x00\x05abcd",
		"BadCommand":  "\x00\x00\x00\x08\x00\x00\x00\x04\x08\x09\x0a\xff",
		"HalfAFrame":  "\x00\x00\x00\x08\x00\x00\x00\x04ab",
	} {
		t.Run(name, func(t *testing.T) {
			l, err := net.Listen("tcp", "127.0.0.1:0")
			if err != nil {
				t.Fatal(err)
			}
			defer l.Close()
			go func() {
				for {
					c, err := l.Accept()
					if err != nil {
						return
					}
					_, _ = c.Write([]byte(garbage))
					_ = c.(*net.TCPConn).CloseWrite()
					_, _ = c.Read(make([]byte, 1<<10))
					_ = c.Close()
				}
			}()
			c := newClient(t, plain("pulsar://"+l.Addr().String()), conn.Options{Patience: time.Millisecond})
			if _, err := c.Connect(t.Context(), topic); err == nil {
				t.Error("connected to garbage")
			}
		})
	}
}

func TestToken(t *testing.T) {
	file := filepath.Join(t.TempDir(), "token")
	write := func(token string) {
		if err := os.WriteFile(file, []byte(token+"\n"), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	write("first-token")
	broker := self(t)
	polite := broker.answer
	broker.answer = func(cmd *pulsarpb.BaseCommand) []*pulsarpb.BaseCommand {
		switch {
		case cmd.Connect != nil && string(cmd.Connect.AuthData) == "first-token":
			return one(pulsarpb.Type_AUTH_CHALLENGE, &pulsarpb.BaseCommand{AuthChallenge: &pulsarpb.AuthChallenge{}})
		case cmd.Connect != nil:
			return refused(0, pulsarpb.Code_AUTHENTICATION_ERROR, "bad token "+string(cmd.Connect.AuthData))
		case cmd.AuthResponse != nil && len(broker.commands(pulsarpb.Type_AUTH_RESPONSE)) == 1:
			return connected()
		default:
			return polite(cmd)
		}
	}
	c := newClient(t, wire.Broker{URL: broker.url(), TokenFile: file}, conn.Options{Patience: 20 * time.Millisecond})
	l := link(t, c)
	write("second-token")
	broker.push(t, one(pulsarpb.Type_AUTH_CHALLENGE, &pulsarpb.BaseCommand{AuthChallenge: &pulsarpb.AuthChallenge{}})[0])
	for len(broker.commands(pulsarpb.Type_AUTH_RESPONSE)) < 2 && l.Err() == nil {
		time.Sleep(time.Millisecond)
	}
	for i, want := range []string{"first-token", "second-token"} {
		got := broker.commands(pulsarpb.Type_AUTH_RESPONSE)[i].AuthResponse.Response
		if got.AuthMethodName != "token" || string(got.AuthData) != want {
			t.Errorf("challenge %d was answered with %v", i, got)
		}
	}
	broker.hangUp()
	<-l.Done()
	_, err := c.Connect(t.Context(), topic)
	if _, terminal := conn.Terminal(err); err == nil || terminal {
		t.Errorf("credentials that were accepted once: %v, terminal %t", err, terminal)
	}
	if strings.Contains(err.Error(), "second-token") {
		t.Errorf("the error holds the token: %v", err)
	}
	_, err = newClient(t, wire.Broker{URL: broker.url(), Token: "wrong"}, conn.Options{}).Connect(t.Context(), topic)
	if reason, _ := conn.Terminal(err); reason != "AuthenticationRefused" {
		t.Errorf("wrong token: %v", err)
	}
	_, err = newClient(t, wire.Broker{URL: broker.url(), TokenFile: file + ".absent"}, conn.Options{}).Connect(t.Context(), topic)
	if reason, _ := conn.Terminal(err); reason != "InvalidConfig" {
		t.Errorf("no token file: %v", err)
	}
}

// Frames of many writers arrive whole and in each writer's order.
func TestWritesKeepTheirOrder(t *testing.T) {
	broker := self(t)
	l := link(t, newClient(t, plain(broker.url()), conn.Options{}))
	const writers, each = 8, 200
	var all sync.WaitGroup
	for w := range uint64(writers) {
		all.Go(func() {
			for i := range uint32(each) {
				props := []*pulsarpb.KeyValue{{Key: new("pad"), Value: new(strings.Repeat("x", int(i)*37))}}
				frame := encode(&pulsarpb.BaseCommand{
					Type:     pulsarpb.Type_PRODUCER.Enum(),
					Producer: &pulsarpb.Producer{Topic: topic, ProducerId: &w, Epoch: uint64(i) + 1, Metadata: props},
				})
				if err := l.Write(t.Context(), net.Buffers{frame[:5], frame[5:9], frame[9:]}); err != nil {
					t.Error(err)
				}
			}
		})
	}
	all.Wait()
	for len(broker.commands(pulsarpb.Type_PRODUCER)) < writers*each {
		if l.Err() != nil {
			t.Fatal(l.Err())
		}
		time.Sleep(time.Millisecond)
	}
	last := map[uint64]uint64{}
	for _, cmd := range broker.commands(pulsarpb.Type_PRODUCER) {
		id := cmd.Producer.GetProducerId()
		if cmd.Producer.Epoch != last[id]+1 || len(cmd.Producer.Metadata[0].GetValue()) != int(last[id])*37 {
			t.Fatalf("writer %d: frame %d after %d", id, cmd.Producer.Epoch, last[id])
		}
		last[id]++
	}
}

func TestClientCloses(t *testing.T) {
	broker := self(t)
	c := newClient(t, plain(broker.url()), conn.Options{})
	l := link(t, c)
	for range 2 {
		if err := c.Close(); err != nil {
			t.Error(err)
		}
	}
	<-l.Done()
	if _, err := c.Connect(t.Context(), topic); !errors.Is(err, conn.ErrClosed) {
		t.Errorf("connect after close: %v", err)
	}
}
