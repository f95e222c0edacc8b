package conn

import (
	"sync"
	"time"
)

// When a search for a broker that goes on and on is told of: not of the short gaps of a
// restart, and then seldom.
const (
	troubleAfter = 2 * time.Second
	troubleEvery = 15 * time.Second
)

// trouble tells that no broker can be reached, for all that wait for one at once.
type trouble struct {
	mu   sync.Mutex
	last time.Time
}

// due says whether a search that began then is to be told of now.
func (t *trouble) due(began, now time.Time) bool {
	t.mu.Lock()
	defer t.mu.Unlock()
	if now.Sub(began) < troubleAfter || now.Sub(t.last) < troubleEvery {
		return false
	}
	t.last = now
	return true
}

// searching tells of a search that found nothing yet.
func (c *Client) searching(what string, began time.Time, err error) {
	if !c.trouble.due(began, time.Now()) {
		return
	}
	c.options.Logger.Warn("no broker can be reached, trying again", "what", what, "error", err)
	if c.options.Trouble != nil {
		c.options.Trouble(err)
	}
}
