package natstest

import (
	"fmt"
	"net"
	"strconv"
	"testing"
	"time"

	"github.com/nats-io/nats-server/v2/server"

	"github.com/functionmesh/terraform-provider-functionmesh/internal/wire"
)

const readyTimeout = 20 * time.Second

// Every server here asks for them.
const (
	user     = "functionmesh"
	password = "not-a-secret"
)

// MaxPayload is the largest message of every server here.
const MaxPayload = 1 << 20

// Start runs a server with a file store inside the test and returns how to reach it.
func Start(t testing.TB) wire.Broker {
	t.Helper()
	s, err := start(t.TempDir(), server.RANDOM_PORT)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { s.Shutdown(); s.WaitForShutdown() })
	return broker(s.ClientURL())
}

func broker(url string) wire.Broker {
	return wire.Broker{Kind: "nats", URL: url, User: user, Password: password}
}

func start(dir string, port int) (*server.Server, error) {
	s, err := server.NewServer(&server.Options{
		Host: "127.0.0.1", Port: port,
		JetStream: true, StoreDir: dir,
		MaxPayload: MaxPayload,
		Username:   user, Password: password,
		NoLog: true, NoSigs: true,
	})
	if err != nil {
		return nil, err
	}
	s.Start()
	if !s.ReadyForConnections(readyTimeout) {
		s.Shutdown()
		return nil, fmt.Errorf("server on port %d is not ready", port)
	}
	return s, nil
}

// freePort is one that nobody listened on a moment ago.
func freePort() (int, error) {
	l, err := net.Listen("tcp", "127.0.0.1:0") //nolint:noctx // a test's own port
	if err != nil {
		return 0, err
	}
	return l.Addr().(*net.TCPAddr).Port, l.Close()
}

func localURL(port int) string {
	return "nats://" + net.JoinHostPort("127.0.0.1", strconv.Itoa(port))
}
