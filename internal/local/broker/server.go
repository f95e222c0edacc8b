package broker

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"strings"
	"sync"
	"time"

	"github.com/nats-io/nats-server/v2/server"
	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"

	"github.com/functionmesh/terraform-provider-functionmesh/internal/engine"
	"github.com/functionmesh/terraform-provider-functionmesh/internal/local/process"
	"github.com/functionmesh/terraform-provider-functionmesh/internal/spec"
	"github.com/functionmesh/terraform-provider-functionmesh/internal/wire"
)

const (
	// SyncInterval is how much of the newest data the loss of power may cost; a
	// killed process loses nothing.
	SyncInterval = 2 * time.Second
	// MaxMessage bounds one message with its headers.
	MaxMessage = 8 << 20

	// roomWithoutEnd keeps the server from counting the size limits of topics that
	// nobody reads as taken: a few dozen of those would use up any disk. What is full
	// is for the disk to say.
	roomWithoutEnd = 1 << 60

	startWithin = 30 * time.Second
	callWithin  = 15 * time.Second
)

// Options say where the broker keeps its data and how it listens.
type Options struct {
	Dir      string
	Port     int // 0, or one that is taken meanwhile: any free port
	User     string
	Password spec.Secret
	Platform string // the platform's id
	Log      *slog.Logger
}

// Broker is the running server with a connection of our own.
type Broker struct {
	options   Options
	server    *server.Server
	conn      *nats.Conn
	js        jetstream.JetStream
	positions jetstream.KeyValue

	// cursors orders changes to the subscriptions and the partitions of topics.
	cursors sync.Mutex
	purged  map[string]uint64 // by subject: how far it is purged already
}

// Start runs the broker inside this process and returns once it serves.
func Start(ctx context.Context, o Options) (*Broker, error) {
	port := o.Port
	if port == 0 || !free(ctx, port) {
		port = server.RANDOM_PORT
	}
	srv, err := server.NewServer(&server.Options{
		ServerName: "functionmesh-" + o.Platform,
		Host:       "127.0.0.1", Port: port,
		Username: o.User, Password: o.Password.Reveal(),
		JetStream: true, StoreDir: o.Dir, SyncInterval: SyncInterval, JetStreamMaxStore: roomWithoutEnd,
		MaxPayload: MaxMessage, MaxPending: 8 * MaxMessage,
		NoSigs: true, DisableJetStreamBanner: true,
	})
	if err != nil {
		return nil, fmt.Errorf("embedded broker: %w", err)
	}
	srv.SetLoggerV2(journal{o.Log.With("part", "broker")}, false, false, false)
	b := &Broker{options: o, server: srv, purged: map[string]uint64{}}
	srv.Start()
	if err := b.connect(ctx); err != nil {
		b.Close()
		return nil, err
	}
	return b, nil
}

func free(ctx context.Context, port int) bool {
	l, err := (&net.ListenConfig{}).Listen(ctx, "tcp", fmt.Sprintf("127.0.0.1:%d", port))
	if err != nil {
		return false
	}
	return l.Close() == nil
}

func (b *Broker) connect(ctx context.Context) error {
	if !b.server.ReadyForConnections(startWithin) {
		return b.full(engine.New(engine.Unavailable, errors.New("the embedded broker did not start")))
	}
	if err := b.Err(); err != nil {
		return err
	}
	conn, err := nats.Connect("", nats.InProcessServer(b.server), nats.Name("platform"),
		nats.UserInfo(b.options.User, b.options.Password.Reveal()), nats.MaxReconnects(-1), nats.ReconnectWait(100*time.Millisecond))
	if err != nil {
		return fmt.Errorf("embedded broker: %w", err)
	}
	b.conn = conn
	if b.js, err = jetstream.New(conn, jetstream.WithDefaultTimeout(callWithin)); err != nil {
		return fmt.Errorf("embedded broker: %w", err)
	}
	b.positions, err = b.js.CreateOrUpdateKeyValue(ctx, jetstream.KeyValueConfig{
		Bucket: wire.PositionsBucket, Description: "positions of failover subscriptions", History: 1, Storage: jetstream.FileStorage,
	})
	return b.full(err)
}

// Address is how anybody on this machine who knows the password reaches the broker.
func (b *Broker) Address() wire.Broker {
	return wire.Broker{Kind: "nats", URL: fmt.Sprintf("nats://127.0.0.1:%d", b.Port()), User: b.options.User, Password: b.options.Password.Reveal()}
}

// Port is the loopback port in use.
func (b *Broker) Port() int {
	if a, ok := b.server.Addr().(*net.TCPAddr); ok {
		return a.Port
	}
	return 0
}

// Err says why the broker cannot keep messages; nil when it can.
func (b *Broker) Err() error {
	if b.server.JetStreamEnabled() {
		return nil
	}
	return &engine.Error{
		Class: engine.Unavailable, Hint: "Free space: it goes on by itself",
		Err: errors.New("the embedded broker has stopped keeping messages, usually because the disk of the data directory is full"),
	}
}

// Recover starts keeping messages again after the disk was full. It does nothing
// while all is well, and fails while there is no space.
func (b *Broker) Recover() error {
	switch {
	case b.Err() != nil:
	case process.Full(b.options.Dir) || !b.refuses():
		return nil
	default:
		// A stream that failed to write once takes nothing more until it is opened anew.
		if err := b.server.ShutdownJetStream(); err != nil {
			return b.full(fmt.Errorf("restart after a failed write: %w", err))
		}
	}
	if err := b.server.EnableJetStream(&server.JetStreamConfig{StoreDir: b.options.Dir, SyncInterval: SyncInterval, MaxStore: roomWithoutEnd}); err != nil {
		return b.full(fmt.Errorf("restart after a full disk: %w", err))
	}
	return nil
}

// full gives a failed call its class. That its disk is full the server says in words,
// if at all.
func (b *Broker) full(err error) error {
	if err == nil || engine.ClassOf(err) != "" {
		return err
	}
	if process.NoSpace(err) || process.Full(b.options.Dir) || saysFull(err.Error()) {
		return &engine.Error{
			Class: engine.Unavailable, Hint: "Free space on the disk of the data directory and repeat",
			Err: fmt.Errorf("embedded broker: %w", err),
		}
	}
	if down := b.Err(); down != nil {
		return errors.Join(down, err)
	}
	if errors.Is(err, context.DeadlineExceeded) || errors.Is(err, nats.ErrTimeout) || errors.Is(err, nats.ErrNoResponders) {
		return engine.New(engine.Unavailable, fmt.Errorf("embedded broker: %w", err))
	}
	return fmt.Errorf("embedded broker: %w", err)
}

func saysFull(text string) bool {
	return strings.Contains(text, "no space left") || strings.Contains(text, "insufficient storage") || strings.Contains(text, "insufficient resources")
}

// Close stops the broker; what it confirmed is on disk. It is safe to call twice.
func (b *Broker) Close() {
	if b.conn != nil {
		b.conn.Close()
	}
	b.server.Shutdown()
	b.server.WaitForShutdown()
}

// journal hands the server's lines to the daemon's log.
type journal struct{ log *slog.Logger }

func (j journal) Noticef(format string, v ...any) { j.log.Debug(fmt.Sprintf(format, v...)) }
func (j journal) Warnf(format string, v ...any)   { j.log.Warn(fmt.Sprintf(format, v...)) }
func (j journal) Fatalf(format string, v ...any)  { j.log.Error(fmt.Sprintf(format, v...)) }
func (j journal) Errorf(format string, v ...any)  { j.log.Error(fmt.Sprintf(format, v...)) }
func (j journal) Debugf(format string, v ...any)  { j.log.Debug(fmt.Sprintf(format, v...)) }
func (j journal) Tracef(format string, v ...any)  { j.log.Debug(fmt.Sprintf(format, v...)) }
