package conn

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/cenkalti/backoff/v5"

	"github.com/functionmesh/terraform-provider-functionmesh/runner/broker/pulsar/conn/pulsarpb"
)

// maxRedirects is how often one look-up is sent on; two in a row are normal.
const maxRedirects = 10

// The pause after a full round of hosts, doubled up to the larger.
const (
	firstPause = 50 * time.Millisecond
	lastPause  = time.Second
)

// hedge is how long a host has before the next one is asked as well: a frozen broker
// takes connections and answers nothing.
const hedge = time.Second

// attempt is one try at one host.
type attempt func(ctx context.Context, host string) error

// rounds tries all hosts, pauses, and tries again, until one succeeds, the context or
// the patience ends, or an error is terminal.
func (c *Client) rounds(ctx context.Context, what string, try attempt) error {
	pauses := backoff.NewExponentialBackOff()
	pauses.InitialInterval, pauses.MaxInterval, pauses.Multiplier = firstPause, lastPause, 2
	began := time.Now()
	until := began.Add(c.options.Patience)
	for {
		err := c.round(ctx, try)
		if err == nil {
			return nil
		}
		if _, terminal := Terminal(err); terminal || ctx.Err() != nil || errors.Is(err, ErrClosed) {
			return fmt.Errorf("%s: %w", what, err)
		}
		pause := pauses.NextBackOff()
		if time.Now().Add(pause).After(until) {
			return fmt.Errorf("%s: no success in %s: %w", what, c.options.Patience, err)
		}
		c.searching(what, began, err)
		select {
		case <-time.After(pause):
		case <-ctx.Done():
			return fmt.Errorf("%s: %w; last: %w", what, context.Cause(ctx), err)
		case <-c.context.Done():
			return ErrClosed
		}
	}
}

// round asks the hosts one after the other, the next at once when one failed and as well
// when it takes long. The first success ends it; all that were asked have ended then.
func (c *Client) round(ctx context.Context, try attempt) error {
	ctx, cancel := context.WithCancel(ctx)
	var asked sync.WaitGroup
	defer asked.Wait()
	defer cancel()

	type outcome struct {
		host string
		err  error
	}
	hosts := c.ordered()
	outcomes := make(chan outcome, len(hosts))
	var errs []error
	for next, open := 0, 0; next < len(hosts) || open > 0; {
		var patience <-chan time.Time
		if next < len(hosts) {
			host := hosts[next]
			asked.Go(func() { outcomes <- outcome{host, try(ctx, host)} })
			next, open = next+1, open+1
			patience = time.After(hedge)
		}
		select {
		case o := <-outcomes:
			open--
			if o.err == nil {
				c.prefer(o.host)
				return nil
			}
			if _, terminal := Terminal(o.err); terminal {
				return o.err
			}
			errs = append(errs, o.err)
		case <-patience:
		case <-ctx.Done():
			return context.Cause(ctx)
		}
	}
	return joined(errs)
}

// joined is one line of several errors, each once.
func joined(errs []error) error {
	var texts []string
	errs = slices.DeleteFunc(errs, func(err error) bool {
		known := slices.Contains(texts, err.Error())
		texts = append(texts, err.Error())
		return known
	})
	if len(errs) == 1 {
		return errs[0]
	}
	return &roundError{errs: errs}
}

// roundError is what each host of a round said.
type roundError struct{ errs []error }

// Error joins with semicolons, in one line.
func (e *roundError) Error() string {
	texts := make([]string, 0, len(e.errs))
	for _, err := range e.errs {
		texts = append(texts, err.Error())
	}
	return strings.Join(texts, "; ")
}

// Unwrap gives them all.
func (e *roundError) Unwrap() []error { return e.errs }

// ordered lists the hosts, the one that answered last first.
func (c *Client) ordered() []string {
	c.mu.Lock()
	defer c.mu.Unlock()
	hosts := c.service.hosts
	return slices.Concat(hosts[c.preferred:], hosts[:c.preferred])
}

func (c *Client) prefer(host string) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.preferred = max(0, slices.Index(c.service.hosts, host))
}

// owner asks one host for the owner of a topic and connects to it. Every broker names a
// dead owner for as long as the dead one's session lasts, so a failed dial here is only
// this host's failure.
func (c *Client) owner(ctx context.Context, host, topic string) (*Conn, error) {
	at, authoritative := host, false
	for range maxRedirects {
		conn, err := c.connection(ctx, target{host: at})
		if err != nil {
			return nil, err
		}
		// The flag is handed on as it came: set without need it would pull the topic to
		// whoever is asked.
		answer, err := conn.Request(ctx, &pulsarpb.BaseCommand{Lookup: &pulsarpb.Lookup{
			Topic: topic, Authoritative: authoritative, ListenerName: c.broker.ListenerName,
		}})
		if err != nil {
			return nil, err
		}
		found := answer.LookupResponse
		if found == nil {
			return nil, fmt.Errorf("broker %s: %w: %s to a LOOKUP", at, ErrProtocol, answer.GetType())
		}
		named, err := c.address(found)
		if err != nil {
			return nil, fmt.Errorf("broker %s: %w", at, err)
		}
		switch {
		case found.Outcome == pulsarpb.LookupResponse_REDIRECT:
			at, authoritative = named, found.Authoritative
		case found.Proxy:
			return c.connection(ctx, target{host: at, proxied: named})
		default:
			return c.connection(ctx, target{host: named})
		}
	}
	return nil, fmt.Errorf("topic %s: %w, the last was %s", topic, ErrRedirects, at)
}

// address is the host:port of the broker that a look-up named.
func (c *Client) address(found *pulsarpb.LookupResponse) (string, error) {
	url, scheme, port := found.BrokerUrl, plainScheme, plainPort
	if c.service.secure {
		url, scheme, port = found.BrokerUrlTls, secureScheme, securePort
	}
	if url == "" {
		return "", fmt.Errorf("%w: the look-up names no %s address of the owner", errAddress, scheme)
	}
	address, err := parseHost(strings.TrimSuffix(strings.TrimPrefix(url, scheme), "/"), port)
	if err != nil {
		return "", fmt.Errorf("%w: the look-up names %q", errAddress, url)
	}
	return address, nil
}

var errAddress = errors.New("the owner of the topic has no usable address")
