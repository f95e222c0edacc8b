package conn

import (
	"bufio"
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"net"
	"strings"
	"time"

	"github.com/functionmesh/terraform-provider-functionmesh/runner/broker/pulsar/conn/pulsarpb"
)

// What CONNECT says of us. Version 20 knows everything the runner uses.
const (
	clientVersion   = "functionmesh-runner"
	protocolVersion = 20
)

// readSize is the reader's buffer; larger frames are read past it.
const readSize = 64 << 10

// target names one connection of the pool: the host to dial, and the broker to ask a
// proxy there for ("": the host itself).
type target struct {
	host    string
	proxied string
}

// broker is whom the connection speaks to in the end.
func (t target) broker() string {
	if t.proxied != "" {
		return t.proxied
	}
	return t.host
}

// dial makes one connection, handshakes included, and starts its goroutines.
func (c *Client) dial(ctx context.Context, t target) (*Conn, error) {
	ctx, cancel := context.WithTimeout(ctx, c.options.DialTimeout)
	defer cancel()
	network, err := c.dialNetwork(ctx, t.host)
	if err != nil {
		return nil, fmt.Errorf("connect to %s: %w", t.broker(), explain(err, c.service.secure))
	}
	// Whatever blocks below ends with the context.
	stop := context.AfterFunc(ctx, func() { _ = network.SetDeadline(time.Unix(1, 0)) })
	conn := newConn(c, t.broker(), network)
	err = conn.handshake(t.proxied)
	if !stop() && err == nil {
		err = context.Cause(ctx)
	}
	if err != nil {
		_ = network.Close()
		var server *ServerError
		switch {
		case errors.As(err, &server):
			return nil, err
		case ctx.Err() != nil:
			err = fmt.Errorf("%w within %s", ErrSilent, c.options.DialTimeout)
		case !c.service.secure:
			err = hungUp(err, false)
		}
		return nil, fmt.Errorf("connect to %s: %w", t.broker(), explain(err, c.service.secure))
	}
	c.accepted.Store(true)
	conn.start()
	return conn, nil
}

func (c *Client) dialNetwork(ctx context.Context, address string) (net.Conn, error) {
	dialer := net.Dialer{KeepAliveConfig: net.KeepAliveConfig{Enable: true}}
	network, err := dialer.DialContext(ctx, "tcp", address)
	if err != nil || !c.service.secure {
		return network, err
	}
	host, _, err := net.SplitHostPort(address)
	if err != nil {
		_ = network.Close()
		return nil, err
	}
	config, err := c.secrets.tlsConfig(host)
	if err != nil {
		_ = network.Close()
		return nil, c.unread(err)
	}
	secure := tls.Client(network, config)
	if err := secure.HandshakeContext(ctx); err != nil {
		_ = network.Close()
		return nil, hungUp(err, true)
	}
	return secure, nil
}

// unread is the error of what authenticates us. Before a broker was ever reached it is a
// wrong setting, unless the issuer is away; later a file is being rotated.
func (c *Client) unread(err error) error {
	if c.accepted.Load() || errors.Is(err, ErrIssuer) {
		return err
	}
	return fmt.Errorf("%w: %w", ErrSetting, err)
}

// handshake sends CONNECT and reads until CONNECTED, before any goroutine runs.
func (c *Conn) handshake(proxied string) error {
	method, data, err := c.client.secrets.credentials()
	if err != nil {
		return c.client.unread(err)
	}
	connect := &pulsarpb.BaseCommand{Connect: &pulsarpb.Connect{
		ClientVersion: clientVersion, ProtocolVersion: protocolVersion,
		AuthMethodName: method, AuthData: data, ProxyToBrokerUrl: proxied,
		FeatureFlags: &pulsarpb.FeatureFlags{AuthRefresh: true},
	}}
	if err := c.writeNow(connect); err != nil {
		return err
	}
	c.frames = frameReader{r: bufio.NewReaderSize(pulse{c.network, &c.beat}, readSize), pool: &c.client.buffers, limit: defaultMaxMessage + frameSlack}
	for {
		answer, err := c.readNow()
		if err != nil {
			return err
		}
		switch {
		case answer.Connected != nil:
			return c.connected(answer.Connected)
		case answer.AuthChallenge != nil:
			response, err := c.authResponse()
			if err != nil {
				return err
			}
			if err := c.writeNow(response); err != nil {
				return err
			}
		case answer.Error != nil:
			return c.refusedConnect(refusal(answer), connect, string(data))
		default:
			return fmt.Errorf("%w: %s before CONNECTED", ErrProtocol, answer.GetType())
		}
	}
}

func (c *Conn) connected(answer *pulsarpb.Connected) error {
	c.maxMessage = defaultMaxMessage
	if answer.MaxMessageSize > 0 {
		c.maxMessage = int(answer.MaxMessageSize)
	}
	c.frames.limit = c.maxMessage + frameSlack
	return nil
}

// refusedConnect makes sure that a broker that repeats the token does not put it into
// our error.
func (c *Conn) refusedConnect(e *ServerError, connect *pulsarpb.BaseCommand, token string) error {
	if token != "" {
		e.Message = strings.ReplaceAll(e.Message, token, "***")
	}
	e.accepted = c.client.accepted.Load()
	return refusedBy(e, c.broker, connect)
}

// authResponse answers AUTH_CHALLENGE with what the files hold now.
func (c *Conn) authResponse() (*pulsarpb.BaseCommand, error) {
	method, data, err := c.client.secrets.credentials()
	if err != nil {
		return nil, err
	}
	return &pulsarpb.BaseCommand{AuthResponse: &pulsarpb.AuthResponse{
		ClientVersion: clientVersion, ProtocolVersion: protocolVersion,
		Response: &pulsarpb.AuthData{AuthMethodName: method, AuthData: data},
	}}, nil
}

func (c *Conn) writeNow(cmd *pulsarpb.BaseCommand) error {
	frame, err := encodeCommand(cmd)
	if err != nil {
		return err
	}
	_, err = c.network.Write(frame)
	return err
}

func (c *Conn) readNow() (*pulsarpb.BaseCommand, error) {
	f, err := c.frames.next()
	if err != nil {
		return nil, err
	}
	defer f.buffer.release()
	return decodeCommand(f.command)
}
