package local

import (
	"context"
	"fmt"
	"net/http"
	"net/url"

	"github.com/go-chi/chi/v5"

	"github.com/functionmesh/terraform-provider-functionmesh/internal/engine"
	"github.com/functionmesh/terraform-provider-functionmesh/internal/local/connection"
	"github.com/functionmesh/terraform-provider-functionmesh/internal/spec"
	"github.com/functionmesh/terraform-provider-functionmesh/internal/wire"
)

// Connection is how to reach one Pulsar: addresses, files, and at most one way to
// authenticate. Key is a digest of what is no secret in it, and Check tells what is wrong
// with it.
type Connection = connection.Connection

// OAuth2 is the client-credentials flow of a Connection.
type OAuth2 = wire.OAuth2

// ConnectionInfo is a connection as the daemon lists it: never with a token.
type ConnectionInfo struct {
	Key        string   `json:"key"`
	Components []string `json:"components"` // that use it, as kind tenant/namespace/name
	Connection
}

// connectionRequest is a connection on its way to the daemon, its token included: the
// socket is the user's own.
type connectionRequest struct {
	Connection
	Secret string `json:"token,omitempty"`
}

// PutConnections leaves connections with the daemon, by the caller's names for them, and
// returns the daemon's key of each. Running instances that use one connect with the new
// token from then on. Connections that no component uses are forgotten after a while.
func (c *Client) PutConnections(ctx context.Context, by map[string]Connection) (map[string]string, error) {
	request := make(map[string]connectionRequest, len(by))
	for name, connection := range by {
		request[name] = connectionRequest{Connection: connection, Secret: connection.Token.Reveal()}
	}
	var keys map[string]string
	err := c.call(ctx, http.MethodPut, "/connections", request, &keys)
	return keys, err
}

// Connections lists what the daemon keeps, in the order of the keys.
func (c *Client) Connections(ctx context.Context) ([]ConnectionInfo, error) {
	var all []ConnectionInfo
	err := c.call(ctx, http.MethodGet, "/connections", nil, &all)
	return all, err
}

// DeleteConnection forgets a connection and its token: Conflict while a component uses
// it; an absent one is no error.
func (c *Client) DeleteConnection(ctx context.Context, key string) error {
	return c.call(ctx, http.MethodDelete, "/connections/"+url.PathEscape(key), nil, nil)
}

func (d *daemon) putConnections(r *http.Request) (any, error) {
	var request map[string]connectionRequest
	if err := decode(r, &request); err != nil {
		return nil, err
	}
	for _, name := range spec.SortedKeys(request) {
		if problems := request[name].opened().Check(); len(problems) > 0 {
			p := problems[0]
			return nil, &engine.Error{
				Class: engine.Invalid, Path: string(connectionPath(name)) + "." + p.Field, Hint: p.Hint, Err: fmt.Errorf("%s", p.Message), //nolint:err113 // it is told to people only
			}
		}
	}
	keys := make(map[string]string, len(request))
	for _, name := range spec.SortedKeys(request) {
		key, err := d.platform.Connections.Put(request[name].opened())
		if err != nil {
			return nil, err
		}
		keys[name] = key
	}
	return keys, nil
}

func (q connectionRequest) opened() Connection {
	c := q.Connection
	c.Token = spec.NewSecret(q.Secret)
	return c
}

// connectionPath is where a provider's block has a connection.
func connectionPath(name string) spec.Path {
	if name == "" {
		return "pulsar"
	}
	return spec.Path("connections").Key(name)
}

func (d *daemon) getConnections(*http.Request) (any, error) {
	kept, err := d.platform.Connections.All()
	if err != nil {
		return nil, err
	}
	users, err := d.platform.ConnectionUsers()
	all := make([]ConnectionInfo, len(kept))
	for i, k := range kept {
		all[i] = ConnectionInfo{Key: k.Key, Components: users[k.Key], Connection: k.Connection}
	}
	return all, err
}

func (d *daemon) deleteConnection(r *http.Request) (any, error) {
	return nil, d.platform.DeleteConnection(chi.URLParam(r, "key"))
}
