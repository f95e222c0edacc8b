package local

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"strconv"
	"time"

	"github.com/functionmesh/terraform-provider-functionmesh/internal/engine"
	"github.com/functionmesh/terraform-provider-functionmesh/internal/local/home"
	"github.com/functionmesh/terraform-provider-functionmesh/internal/spec"
	"github.com/functionmesh/terraform-provider-functionmesh/internal/wire"
)

const (
	sidePath    = "/functionmesh/v1"
	callWithin  = 15 * time.Second
	drainWithin = 5 * time.Minute
	answerLimit = 64 << 20
)

// Client speaks with one running daemon. It is safe for concurrent use.
type Client struct {
	dir    home.Dir
	socket string
	http   *http.Client
	hello  Handshake
}

func newClient(dir home.Dir, r home.Record) *Client {
	base := &http.Transport{
		IdleConnTimeout: 30 * time.Second, MaxIdleConnsPerHost: 16,
		DialContext: func(ctx context.Context, _, _ string) (net.Conn, error) {
			return (&net.Dialer{}).DialContext(ctx, "unix", r.Socket)
		},
	}
	return &Client{dir: dir, socket: r.Socket, http: &http.Client{
		Transport: &listener{
			base: base, dir: dir, socket: r.Socket, pid: r.PID, every: askEvery, answer: handshakeLimit, limit: silentAfter,
		},
	}}
}

// Handshake is what the daemon said when the client connected.
func (c *Client) Handshake() Handshake { return c.hello }

// AdminURL is the REST API's address, unix://…, for internal/admin.
func (c *Client) AdminURL() string { return "unix://" + c.socket }

// Transport carries requests to AdminURL, for internal/admin. It gives up on a daemon
// that answers nothing, however long a request may take of one that lives.
func (c *Client) Transport() http.RoundTripper { return c.http.Transport }

// TokenFile holds the bearer token of the daemon's TCP listener.
func (c *Client) TokenFile() string { return c.dir.Path(tokenFile) }

// Refresh asks for the handshake again: what is declared and what runs now.
func (c *Client) Refresh(ctx context.Context) (Handshake, error) {
	var h Handshake
	err := c.call(ctx, http.MethodGet, "/handshake", nil, &h)
	return h, err
}

// Broker is how to reach the embedded broker.
func (c *Client) Broker(ctx context.Context) (wire.Broker, error) {
	var b wire.Broker
	err := c.call(ctx, http.MethodGet, "/broker", nil, &b)
	return b, err
}

type drainRequest struct {
	Exit bool `json:"exit"`
}

// Drain stops all instances; they start again with the next daemon.
func (c *Client) Drain(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, drainWithin)
	defer cancel()
	return c.call(ctx, http.MethodPost, "/drain", drainRequest{}, nil)
}

// Shutdown drains and ends the daemon, and returns once it has gone.
func (c *Client) Shutdown(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, drainWithin)
	defer cancel()
	if err := c.call(ctx, http.MethodPost, "/drain", drainRequest{Exit: true}, nil); err != nil {
		return err
	}
	c.http.CloseIdleConnections()
	return c.dir.WaitStopped(ctx)
}

// Logs returns the log of a component's instances. The caller closes it.
func (c *Client) Logs(ctx context.Context, q LogQuery) (io.ReadCloser, error) {
	args := url.Values{"instance": {strconv.Itoa(q.Instance)}, "follow": {strconv.FormatBool(q.Follow)}}
	if q.Tail != 0 {
		args.Set("tail", strconv.Itoa(q.Tail))
	}
	path := "/logs/" + string(q.Kind) + "/" + url.PathEscape(q.Tenant) + "/" + url.PathEscape(q.Namespace) + "/" + url.PathEscape(q.Name)
	res, err := c.send(ctx, http.MethodGet, path+"?"+args.Encode(), nil)
	if err != nil {
		return nil, err
	}
	return res.Body, nil
}

type secretRequest struct {
	Value string `json:"value"`
}

// PutSecret stores one value; components that use it take it up.
func (c *Client) PutSecret(ctx context.Context, name, key string, value spec.Secret) error {
	return c.call(ctx, http.MethodPut, secretPath(name, key), secretRequest{Value: value.Reveal()}, nil)
}

// DeleteSecret removes one value, or with an empty key the whole secret; it is
// idempotent.
func (c *Client) DeleteSecret(ctx context.Context, name, key string) error {
	return c.call(ctx, http.MethodDelete, secretPath(name, key), nil, nil)
}

func secretPath(name, key string) string {
	p := "/secrets/" + url.PathEscape(name)
	if key != "" {
		p += "/" + url.PathEscape(key)
	}
	return p
}

// Secrets lists the keys of each secret, never the values.
func (c *Client) Secrets(ctx context.Context) (map[string][]string, error) {
	var names map[string][]string
	err := c.call(ctx, http.MethodGet, "/secrets", nil, &names)
	return names, err
}

type wireRequest struct {
	Kind      spec.Kind      `json:"kind"`
	Component spec.Component `json:"component"`
}

// Wire makes the file that runs one component outside the supervisor, with its topics
// and subscription in place. Probe is the caller's to fill in.
func (c *Client) Wire(ctx context.Context, component spec.Component) (wire.File, error) {
	var f wire.File
	err := c.call(ctx, http.MethodPost, "/wire", wireRequest{Kind: component.Kind, Component: component}, &f)
	return f, err
}

// call is one request with JSON both ways. Without a deadline of the caller's it ends
// after callWithin: a frozen daemon is an error, not a wait.
func (c *Client) call(ctx context.Context, method, path string, in, out any) error {
	if _, ok := ctx.Deadline(); !ok {
		var cancel context.CancelFunc
		ctx, cancel = context.WithTimeout(ctx, callWithin)
		defer cancel()
	}
	res, err := c.send(ctx, method, path, in)
	if err != nil {
		return err
	}
	defer res.Body.Close()
	if out == nil {
		return nil
	}
	if err := json.NewDecoder(io.LimitReader(res.Body, answerLimit)).Decode(out); err != nil {
		return engine.New(engine.Unavailable, fmt.Errorf("answer of the local platform: %w", err))
	}
	return nil
}

func (c *Client) send(ctx context.Context, method, path string, in any) (*http.Response, error) {
	var body io.Reader = http.NoBody
	if in != nil {
		text, err := json.Marshal(in)
		if err != nil {
			return nil, err
		}
		body = bytes.NewReader(text)
	}
	req, err := http.NewRequestWithContext(ctx, method, "http://local"+sidePath+path, body)
	if err != nil {
		return nil, err
	}
	res, err := c.http.Do(req)
	if silent, ok := errors.AsType[*engine.Error](err); ok {
		return nil, silent
	}
	if err != nil {
		return nil, &engine.Error{
			Class: engine.Unavailable, Hint: "See " + c.dir.Path(logName),
			Err: fmt.Errorf("the local platform in %s does not answer: %w", c.dir, err),
		}
	}
	if res.StatusCode/100 == 2 {
		return res, nil
	}
	defer res.Body.Close()
	return nil, failure(res)
}

// fault is an error on its way over the socket.
type fault struct {
	Class   engine.Class `json:"class,omitempty"`
	Kind    string       `json:"kind,omitempty"`
	Path    string       `json:"path,omitempty"`
	Hint    string       `json:"hint,omitempty"`
	Message string       `json:"message"`
}

func failure(res *http.Response) error {
	var f fault
	err := json.NewDecoder(io.LimitReader(res.Body, answerLimit)).Decode(&f)
	if err != nil || f.Message == "" {
		return engine.New(engine.Unavailable, fmt.Errorf("the local platform answers %s", res.Status))
	}
	if f.Class == "" {
		return errors.New(f.Message)
	}
	return &engine.Error{Class: f.Class, Path: f.Path, Hint: f.Hint, Err: errors.New(f.Message)}
}
