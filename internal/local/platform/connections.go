package platform

import (
	"fmt"
	"slices"
	"time"

	"github.com/functionmesh/terraform-provider-functionmesh/internal/engine"
)

// forgetAfter is how long a connection is kept that no component uses: longer than a
// run needs from bringing it to creating what uses it, because a run brings it again
// every few minutes.
const forgetAfter = 30 * time.Minute

// ConnectionUsers lists who uses each connection, by key, as kind tenant/namespace/name.
func (p *Platform) ConnectionUsers() (map[string][]string, error) {
	all, err := p.Store.Components.All("")
	if err != nil {
		return nil, err
	}
	users := map[string][]string{}
	for _, r := range all {
		for _, key := range connectionsOf(r) {
			user := fmt.Sprintf("%s %s", r.Kind, keyOf(r))
			if !slices.Contains(users[key], user) {
				users[key] = append(users[key], user)
			}
		}
	}
	return users, nil
}

// DeleteConnection forgets a connection that no component uses.
func (p *Platform) DeleteConnection(key string) error {
	users, err := p.ConnectionUsers()
	if err != nil {
		return err
	}
	if used := users[key]; len(used) > 0 {
		return &engine.Error{Class: engine.Conflict, Hint: "Delete that first", Err: fmt.Errorf("%s uses the connection", used[0])}
	}
	return p.Connections.Delete(key)
}

// collectConnections removes those that nobody uses and nobody has brought for a while.
func (p *Platform) collectConnections() error {
	users, err := p.ConnectionUsers()
	if err != nil {
		return err
	}
	used := map[string]bool{}
	for key := range users {
		used[key] = true
	}
	return p.Connections.Collect(used, forgetAfter)
}
