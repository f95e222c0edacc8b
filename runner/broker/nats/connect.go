package nats

import (
	"context"
	"fmt"
	"log/slog"
	"net/url"
	"time"

	"github.com/cenkalti/backoff/v5"
	natsio "github.com/nats-io/nats.go"

	"github.com/functionmesh/terraform-provider-functionmesh/internal/wire"
)

const (
	dialTimeout    = 5 * time.Second
	pingInterval   = 5 * time.Second // a server that answers none of two is left
	pingsMissed    = 2
	requestTimeout = 5 * time.Second
	openTimeout    = 30 * time.Second // an instance that cannot open by then ends, and is started again
	reconnectMin   = 100 * time.Millisecond
	reconnectMax   = 2 * time.Second
)

// checkBroker refuses what cannot be connected to.
func checkBroker(name string, b wire.Broker) error {
	if b.Kind != "" && b.Kind != "nats" {
		return invalid("brokers[%q].kind: %q is not a NATS broker", name, b.Kind)
	}
	if b.URL == "" {
		return invalid("brokers[%q].url: missing", name)
	}
	if _, err := url.Parse(b.URL); err != nil {
		return invalid("brokers[%q].url: not a URL like nats://host:4222", name) // R9: the error quotes it, password and all
	}
	return nil
}

// dial connects once.
func dial(b wire.Broker, name string, more ...natsio.Option) (*natsio.Conn, error) {
	options := []natsio.Option{
		natsio.Name(name),
		natsio.Timeout(dialTimeout),
		natsio.PingInterval(pingInterval),
		natsio.MaxPingsOutstanding(pingsMissed),
		natsio.FlusherTimeout(dialTimeout),
		natsio.SkipSubjectValidation(), // subjects are ours or the server's
	}
	if b.User != "" {
		options = append(options, natsio.UserInfo(b.User, b.Password))
	}
	if b.CAFile != "" {
		options = append(options, natsio.RootCAs(b.CAFile))
	}
	return natsio.Connect(b.URL, append(options, more...)...)
}

// dialReading connects with backoff for at most openTimeout. The connection then comes
// back by itself, for as long as it takes.
func dialReading(ctx context.Context, b wire.Broker, name string, log *slog.Logger) (*natsio.Conn, error) {
	c, err := backoff.Retry(ctx, func() (*natsio.Conn, error) {
		return dial(b, name,
			natsio.MaxReconnects(-1),
			natsio.IgnoreAuthErrorAbort(), // a server that starts again may not know its users yet
			natsio.CustomReconnectDelay(reconnectDelay),
			natsio.DisconnectErrHandler(func(_ *natsio.Conn, err error) {
				if err != nil {
					log.Warn("lost the connection to the broker", "error", err)
				}
			}),
			natsio.ReconnectHandler(func(*natsio.Conn) { log.Info("connected to the broker again") }),
			natsio.ErrorHandler(func(_ *natsio.Conn, _ *natsio.Subscription, err error) {
				log.Warn("broker connection", "error", err)
			}))
	}, backoff.WithMaxElapsedTime(openTimeout))
	if err != nil {
		return nil, fmt.Errorf("connect to NATS at %s: %w", shown(b.URL), err)
	}
	return c, nil
}

// shown is a URL for messages.
func shown(address string) string {
	u, err := url.Parse(address)
	if err != nil {
		return "" // refused by checkBroker
	}
	return u.Redacted() // R9
}

func reconnectDelay(attempts int) time.Duration {
	return min(reconnectMin<<min(attempts, 10), reconnectMax)
}

func orDiscard(log *slog.Logger) *slog.Logger {
	if log == nil {
		return slog.New(slog.DiscardHandler)
	}
	return log
}
