package pipeline

import (
	"log/slog"
	"sync"
	"time"
)

// tellEvery is how seldom failures of user code reach the log: there may be one for each
// message, and the observer counts them all.
const tellEvery = 10 * time.Second

// told writes the first failure of user code to the log, and the first dead letter, and
// then one in a while with how many there were. Lanes share it.
type told struct {
	mu    sync.Mutex
	last  time.Time
	since int // failures that got no line

	buried time.Time
	dead   int // letters that got no line
}

func (t *told) failure(now time.Time, logger *slog.Logger, lane string, err error) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if !t.last.IsZero() && now.Sub(t.last) < tellEvery {
		t.since++
		return
	}
	logger.Warn("user code failed", "lane", lane, "error", err, "not_shown", t.since)
	t.last, t.since = now, 0
}

// deadLetters tells of messages given up, in the same way.
func (t *told) deadLetters(now time.Time, logger *slog.Logger, lane string, letters []Message) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.dead += len(letters)
	if !t.buried.IsZero() && now.Sub(t.buried) < tellEvery {
		return
	}
	logger.Warn("messages became dead letters after their last retry", "lane", lane, "messages", t.dead, "reason", letters[len(letters)-1].Properties[DeadReason])
	t.buried, t.dead = now, 0
}
