package local

import (
	"context"
	"errors"
	"io"
	"log/slog"

	"github.com/functionmesh/terraform-provider-functionmesh/internal/engine"
	"github.com/functionmesh/terraform-provider-functionmesh/internal/spec"
	"github.com/functionmesh/terraform-provider-functionmesh/internal/wire"
)

// Client speaks with one running daemon. It is safe for concurrent use.
type Client struct {
	socket string
	hello  Handshake
}

var errNotBuilt = engine.New(engine.Unavailable, errors.New("the local platform is not part of this build"))

// Ensure returns a client of the daemon, starting or replacing the daemon when needed.
func Ensure(_ context.Context, _ Options) (*Client, error) { return nil, errNotBuilt }

// Dial returns a client of a running daemon, or an Unavailable error.
func Dial(_ context.Context, _ Options) (*Client, error) { return nil, errNotBuilt }

// Serve is the daemon. It returns when ctx ends or a client asks it to.
func Serve(_ context.Context, _ Options, _ *slog.Logger) error { return errNotBuilt }

// Reset removes the data directory's content.
func Reset(_ context.Context, _ Options) error { return errNotBuilt }

// Handshake is what the daemon said when the client connected.
func (c *Client) Handshake() Handshake { return c.hello }

// AdminURL is the REST API's address, unix://…, for internal/admin.
func (c *Client) AdminURL() string { return "unix://" + c.socket }

// Broker is how to reach the embedded broker.
func (c *Client) Broker(_ context.Context) (wire.Broker, error) { return wire.Broker{}, errNotBuilt }

// Drain stops all instances; they start again with the next daemon.
func (c *Client) Drain(_ context.Context) error { return errNotBuilt }

// Shutdown drains and ends the daemon, and returns once it has gone.
func (c *Client) Shutdown(_ context.Context) error { return errNotBuilt }

// Logs returns the log of a component's instances. The caller closes it.
func (c *Client) Logs(_ context.Context, _ LogQuery) (io.ReadCloser, error) { return nil, errNotBuilt }

// PutSecret stores one value.
func (c *Client) PutSecret(_ context.Context, _, _ string, _ spec.Secret) error { return errNotBuilt }

// DeleteSecret removes one value; it is idempotent.
func (c *Client) DeleteSecret(_ context.Context, _, _ string) error { return errNotBuilt }

// Secrets lists the keys of each secret, never the values.
func (c *Client) Secrets(_ context.Context) (map[string][]string, error) { return nil, errNotBuilt }

// Wire makes the file that runs one component outside the supervisor, with its topics
// and subscription in place.
func (c *Client) Wire(_ context.Context, _ spec.Component) (wire.File, error) {
	return wire.File{}, errNotBuilt
}
