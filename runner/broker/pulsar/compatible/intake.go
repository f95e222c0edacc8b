package compatible

import (
	"context"
	"fmt"
	"time"

	pulsario "github.com/apache/pulsar-client-go/pulsar"

	"github.com/functionmesh/terraform-provider-functionmesh/runner/pipeline"
)

// next is the message that is there, or, when there is to be one, the next to come.
func (l *lane) next(ctx context.Context, wait bool) (*pulsario.ConsumerMessage, error) {
	if err := l.usable(ctx, wait); err != nil {
		return nil, err
	}
	if m := l.held; m != nil {
		l.held = nil
		return m, nil
	}
	m, err := l.ready(ctx)
	if m == nil && wait && !l.once() {
		l.pass(place{}) // nothing follows at once, so the entry has no more
	}
	for m == nil && err == nil && wait {
		m, err = l.await(ctx)
	}
	return m, err
}

// usable makes sure, before a batch, that messages come from a session that goes on.
func (l *lane) usable(ctx context.Context, before bool) error {
	switch {
	case l.mine.Err() != nil:
		return fmt.Errorf("read %s: %w", l.topic, pipeline.ErrFenced)
	case before && l.present().ended():
		return l.restart(ctx)
	}
	return nil
}

// restart goes on with another session. What was not taken of the one before comes again,
// in its place.
func (l *lane) restart(ctx context.Context) error {
	l.held = nil
	return l.renew(ctx)
}

// await waits for the next message; nil without an error: look again.
func (l *lane) await(ctx context.Context) (*pulsario.ConsumerMessage, error) {
	now := l.present()
	var starves <-chan time.Time
	if l.leaking {
		starves = time.After(starving)
	}
	select {
	case m := <-now.messages:
		return &m, nil
	case <-now.gone:
		return nil, l.restart(ctx)
	case <-l.leaks:
		l.leaking = true
		return nil, nil //nolint:nilnil // see above
	case <-starves:
		return nil, l.renew(ctx)
	case <-l.shut:
		return nil, l.refusal()
	case <-l.mine.Done():
		return nil, fmt.Errorf("read %s: %w", l.topic, pipeline.ErrFenced)
	case <-ctx.Done():
		return nil, context.Cause(ctx)
	}
}

// linger is how long the client has to hand over the next message of its queue: it does
// so from a goroutine of its own, one by one. The rest of an entry that is to be read as a
// whole has longer; it never comes when a compaction took it away.
const (
	linger   = 200 * time.Microsecond
	lingerOn = time.Second
)

func (l *lane) ready(ctx context.Context) (*pulsario.ConsumerMessage, error) {
	messages := l.present().messages
	select {
	case m := <-messages:
		return &m, nil
	default:
	}
	wait := linger
	if l.within() {
		wait = lingerOn
	}
	select {
	case m := <-messages:
		return &m, nil
	case <-time.After(wait):
		return nil, nil //nolint:nilnil // nothing is there
	case <-ctx.Done():
		return nil, context.Cause(ctx)
	}
}
