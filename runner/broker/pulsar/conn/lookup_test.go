package conn_test

import (
	"context"
	"errors"
	"sync/atomic"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/functionmesh/terraform-provider-functionmesh/runner/broker/pulsar/conn"
	"github.com/functionmesh/terraform-provider-functionmesh/runner/broker/pulsar/conn/pulsarpb"
)

func TestRedirectsHandTheFlagOn(t *testing.T) {
	var owner *fake
	redirect := func(to **fake, authoritative bool) func(*pulsarpb.BaseCommand) []*pulsarpb.BaseCommand {
		return polite(func(cmd *pulsarpb.BaseCommand) []*pulsarpb.BaseCommand {
			return found(cmd, &pulsarpb.LookupResponse{BrokerUrl: (*to).url(), Outcome: pulsarpb.LookupResponse_REDIRECT, Authoritative: authoritative})
		})
	}
	owner = self(t)
	leader := serve(t, nil, redirect(&owner, true))
	asked := serve(t, nil, redirect(&leader, false))
	l := link(t, newClient(t, plain(asked.url()), conn.Options{}))
	if l.Broker() != owner.address {
		t.Errorf("connected to %s, want %s", l.Broker(), owner.address)
	}
	if l.MaxMessage() != 1<<20 {
		t.Errorf("largest message %d", l.MaxMessage())
	}
	var flags []bool
	for _, f := range []*fake{asked, leader, owner} {
		for _, cmd := range f.commands(pulsarpb.Type_LOOKUP) {
			flags = append(flags, cmd.Lookup.Authoritative)
		}
	}
	if diff := cmp.Diff([]bool{false, false, true}, flags); diff != "" {
		t.Errorf("flags (-want +got):\n%s", diff)
	}
}

func TestRedirectLoopEnds(t *testing.T) {
	var a, b *fake
	to := func(f **fake) func(*pulsarpb.BaseCommand) []*pulsarpb.BaseCommand {
		return polite(func(cmd *pulsarpb.BaseCommand) []*pulsarpb.BaseCommand {
			return found(cmd, &pulsarpb.LookupResponse{BrokerUrl: (*f).url(), Outcome: pulsarpb.LookupResponse_REDIRECT})
		})
	}
	a = serve(t, nil, to(&b))
	b = serve(t, nil, to(&a))
	_, err := newClient(t, plain(a.url()), conn.Options{Patience: time.Millisecond}).Connect(t.Context(), topic)
	if !errors.Is(err, conn.ErrRedirects) {
		t.Errorf("connect: %v", err)
	}
}

func TestDeadAndFrozenHostsAreLeftOut(t *testing.T) {
	alive := self(t)
	frozen := serve(t, nil, func(*pulsarpb.BaseCommand) []*pulsarpb.BaseCommand { return nil })
	for name, hosts := range map[string]string{
		"FirstRefuses":   dead(t) + "," + alive.address,
		"LastRefuses":    alive.address + "," + dead(t),
		"FirstIsFrozen":  frozen.address + "," + alive.address,
		"OnlyOneAnswers": dead(t) + "," + frozen.address + "," + dead(t) + "," + alive.address,
	} {
		t.Run(name, func(t *testing.T) {
			if got := link(t, newClient(t, plain("pulsar://"+hosts), conn.Options{})).Broker(); got != alive.address {
				t.Errorf("connected to %s", got)
			}
		})
	}
}

// A survivor names a dead owner until the dead one's session ends.
func TestDeadOwnerIsLookedUpAgain(t *testing.T) {
	gone := dead(t)
	var asked atomic.Int32
	var survivor *fake
	survivor = serve(t, nil, polite(func(cmd *pulsarpb.BaseCommand) []*pulsarpb.BaseCommand {
		if asked.Add(1) <= 5 {
			return found(cmd, &pulsarpb.LookupResponse{BrokerUrl: "pulsar://" + gone, Outcome: pulsarpb.LookupResponse_CONNECT, Authoritative: true})
		}
		return owns(&survivor)(cmd)
	}))
	l := link(t, newClient(t, plain("pulsar://"+gone+","+survivor.address), conn.Options{}))
	if l.Broker() != survivor.address {
		t.Errorf("connected to %s", l.Broker())
	}
}

func TestConnectEnds(t *testing.T) {
	refuse := func(code pulsarpb.Code) string {
		return serve(t, nil, polite(func(cmd *pulsarpb.BaseCommand) []*pulsarpb.BaseCommand {
			return found(cmd, &pulsarpb.LookupResponse{Outcome: pulsarpb.LookupResponse_FAILED, Code: code, Message: "no"})
		})).address
	}
	nowhere := serve(t, nil, polite(func(cmd *pulsarpb.BaseCommand) []*pulsarpb.BaseCommand {
		return found(cmd, &pulsarpb.LookupResponse{Outcome: pulsarpb.LookupResponse_CONNECT, BrokerUrlTls: "pulsar+ssl://h:1"})
	})).address
	for name, tc := range map[string]struct {
		hosts  string
		reason string // "": not terminal
	}{
		"NoRight":       {refuse(pulsarpb.Code_AUTHORIZATION_ERROR), "AuthorizationRefused"},
		"NoTopic":       {refuse(pulsarpb.Code_TOPIC_NOT_FOUND), "TopicNotFound"},
		"NotReady":      {refuse(pulsarpb.Code_SERVICE_NOT_READY), ""},
		"NobodyListens": {dead(t), ""},
		"NoAddress":     {nowhere, ""},
	} {
		t.Run(name, func(t *testing.T) {
			_, err := newClient(t, plain("pulsar://"+tc.hosts), conn.Options{Patience: 50 * time.Millisecond}).Connect(t.Context(), topic)
			reason, terminal := conn.Terminal(err)
			if err == nil || reason != tc.reason || terminal != (tc.reason != "") {
				t.Errorf("%v: terminal %t %q", err, terminal, reason)
			}
		})
	}
}

func TestConnectObeysItsContext(t *testing.T) {
	frozen := serve(t, nil, func(*pulsarpb.BaseCommand) []*pulsarpb.BaseCommand { return nil })
	c := newClient(t, plain(frozen.url()), conn.Options{})
	ctx, cancel := context.WithTimeoutCause(t.Context(), 20*time.Millisecond, errTest)
	defer cancel()
	if _, err := c.Connect(ctx, topic); !errors.Is(err, errTest) {
		t.Errorf("connect: %v", err)
	}
}

var errTest = errors.New("ended by the test")

func TestProxyIsDialledAgainForTheBroker(t *testing.T) {
	proxy := serve(t, nil, polite(func(cmd *pulsarpb.BaseCommand) []*pulsarpb.BaseCommand {
		return found(cmd, &pulsarpb.LookupResponse{
			BrokerUrl: "pulsar://broker-1:6650", BrokerUrlTls: "pulsar://broker-1:6650", Outcome: pulsarpb.LookupResponse_CONNECT, Proxy: true,
		})
	}))
	l := link(t, newClient(t, plain(proxy.url()), conn.Options{}))
	if l.Broker() != "broker-1:6650" {
		t.Errorf("connected to %s", l.Broker())
	}
	var asked []string
	for _, cmd := range proxy.commands(pulsarpb.Type_CONNECT) {
		asked = append(asked, cmd.Connect.ProxyToBrokerUrl)
	}
	if diff := cmp.Diff([]string{"", "broker-1:6650"}, asked); diff != "" {
		t.Errorf("proxied (-want +got):\n%s", diff)
	}
}

func TestConnectionsAreShared(t *testing.T) {
	broker := self(t)
	c := newClient(t, plain(broker.url()), conn.Options{})
	links := make(chan *conn.Conn)
	for range 8 {
		go func() {
			l, err := c.Connect(t.Context(), topic)
			if err != nil {
				t.Error(err)
			}
			links <- l
		}()
	}
	first := <-links
	for range 7 {
		if l := <-links; l != first {
			t.Error("another connection to the same broker")
		}
	}
	broker.hangUp()
	<-first.Done()
	if again := link(t, c); again == first {
		t.Error("a connection that ended is handed out")
	}
}
