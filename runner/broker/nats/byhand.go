package nats

import (
	"context"
	"fmt"
	"time"

	"github.com/functionmesh/terraform-provider-functionmesh/runner/pipeline"
)

// keep remembers where messages are acknowledged that user code decides over by itself.
// They do not come again while this instance has them: the heartbeat is for them too.
func (l *sharedLane) keep(token *sharedBatch, v []pipeline.Verdict) {
	l.mu.Lock()
	defer l.mu.Unlock()
	for i := range v {
		if v[i].Keep {
			at := token.settled + i
			n, _ := token.messages[at].Position.Number()
			l.kept[n] = token.replies[at]
		}
	}
}

// Acknowledge implements pipeline.ByHand.
func (l *sharedLane) Acknowledge(ctx context.Context, acks []pipeline.Ack) error {
	var replies []string
	var numbers []int64
	var v []pipeline.Verdict
	l.mu.Lock()
	for _, a := range acks {
		n, _ := a.Position.Number()
		if reply, ok := l.kept[n]; ok {
			replies, numbers = append(replies, reply), append(numbers, n)
			v = append(v, pipeline.Verdict{Redeliver: a.Nack})
		}
	}
	l.mu.Unlock()
	if err := l.tell(ctx, replies, v); err != nil {
		return fmt.Errorf("acknowledge %s: %w", l.topic, err)
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	for _, n := range numbers {
		delete(l.kept, n)
	}
	return nil
}

// Unacknowledged implements pipeline.ByHand.
func (l *sharedLane) Unacknowledged() int {
	l.mu.Lock()
	defer l.mu.Unlock()
	return len(l.kept)
}

// nackDelay is how long a message that was refused stays away.
func nackDelay(ms int64) time.Duration { return time.Duration(ms) * time.Millisecond }
