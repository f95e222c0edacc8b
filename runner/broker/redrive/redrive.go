package redrive

import (
	"context"
	"errors"
	"io"
	"maps"
	"strings"
	"sync"
	"time"

	"github.com/functionmesh/terraform-provider-functionmesh/runner/pipeline"
)

const (
	batchMessages = 500
	batchBytes    = 1 << 20
	// keepFor is how long the broker holds a letter back that stays: longer than a run.
	keepFor = 30 * time.Second
	// realTopic is the property in which Pulsar's own clients name the origin.
	realTopic = "REAL_TOPIC"
)

// deadly are the properties that a dead letter has beside the message's: our own by their
// prefix, those of Pulsar's clients by name.
func deadly(name, _ string) bool {
	switch name {
	case realTopic, "ORIGIN_MESSAGE_ID", "ORIGIN_MESSAGE_IDY_TIME", "RECONSUMETIMES", "DELAY_TIME":
		return true
	}
	return strings.HasPrefix(name, "Fm-")
}

// Options say what is sent where.
type Options struct {
	Source pipeline.Source // of the dead letters, by a subscription
	Sink   pipeline.Sink   // without a topic of its own
	To     string          // full name of the destination; "": where each letter came from
	Max    int             // letters at most; 0: all
	Idle   time.Duration   // a lane ends when no letter came for so long
	Begun  time.Time       // letters published later are left for the next run
}

// Counts is what became of the letters.
type Counts struct {
	Sent   map[string]int // by destination
	Kept   int            // stay in the subscription
	Reason error          // why the last of those stays
}

// run is one redrive.
type run struct {
	Options
	mu     sync.Mutex
	counts Counts
	left   int // of Max
}

// Run redrives until every lane is idle. It closes source and sink.
func Run(ctx context.Context, o Options) (counts Counts, err error) {
	r := &run{Options: o, counts: Counts{Sent: map[string]int{}}, left: o.Max}
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	defer func() {
		closing := context.WithoutCancel(ctx)
		err = errors.Join(err, o.Source.Close(closing), o.Sink.Close(closing))
	}()
	lanes, err := o.Source.Open(ctx)
	if err != nil {
		return r.counts, err
	}
	var working sync.WaitGroup
	for _, lane := range lanes {
		working.Go(func() {
			if err := r.lane(ctx, lane); err != nil {
				cancel(err)
			}
		})
	}
	working.Wait()
	return r.counts, context.Cause(ctx)
}

func (r *run) lane(ctx context.Context, lane pipeline.Lane) error {
	for {
		most := r.claim()
		if most == 0 {
			return nil
		}
		waiting, cancel := context.WithTimeout(ctx, r.Idle)
		batch, err := lane.Read(waiting, most, batchBytes)
		idle := waiting.Err() != nil && ctx.Err() == nil
		cancel()
		r.unclaim(most - len(batch.Messages))
		switch {
		case errors.Is(err, io.EOF), err != nil && idle:
			return nil
		case err != nil:
			return err
		}
		later, err := r.batch(ctx, lane, batch)
		if err != nil || later {
			return err
		}
	}
}

// claim takes a share of what may still be sent.
func (r *run) claim() int {
	if r.Max == 0 {
		return batchMessages
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	n := min(r.left, batchMessages)
	r.left -= n
	return n
}

func (r *run) unclaim(n int) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.left += n
}

// batch sends what can be sent of a batch and settles all of it. later reports that the
// lane has come to letters of after the beginning.
func (r *run) batch(ctx context.Context, lane pipeline.Lane, batch pipeline.Batch) (later bool, err error) {
	verdicts := make([]pipeline.Verdict, len(batch.Messages))
	for i := range batch.Messages {
		letter := &batch.Messages[i]
		if !r.Begun.IsZero() && letter.PublishTime > r.Begun.UnixMilli() {
			verdicts[i], later = stay(), true
			continue
		}
		kept, err := r.send(ctx, letter)
		if err != nil {
			// What was sent before is acknowledged, the rest comes again.
			return later, errors.Join(err, settle(ctx, lane, batch, verdicts[:i]))
		}
		if kept {
			verdicts[i] = stay()
		}
	}
	return later, settle(ctx, lane, batch, verdicts)
}

func settle(ctx context.Context, lane pipeline.Lane, batch pipeline.Batch, v []pipeline.Verdict) error {
	if len(v) == 0 {
		return nil
	}
	return lane.Settle(context.WithoutCancel(ctx), batch, v)
}

func stay() pipeline.Verdict { return pipeline.Verdict{Redeliver: true, Delay: keepFor} }

var errNoOrigin = errors.New("it names no topic that it came from")

// send stores one letter's message again; kept reports that it cannot be.
func (r *run) send(ctx context.Context, letter *pipeline.Message) (kept bool, err error) {
	out := Original(letter)
	if r.To != "" {
		out.Topic = r.To
	}
	if out.Topic == "" {
		r.kept(errNoOrigin)
		return true, nil
	}
	_, err = r.Sink.Write(ctx, []pipeline.Message{out})
	if _, refused := errors.AsType[*pipeline.MessageError](err); refused {
		r.kept(err)
		return true, nil
	}
	if err == nil {
		r.mu.Lock()
		r.counts.Sent[out.Topic]++
		r.mu.Unlock()
	}
	return false, err
}

func (r *run) kept(why error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.counts.Kept++
	r.counts.Reason = why
}

// Original is the message that a dead letter stands for, addressed to the topic that it
// came from; Topic is empty where the letter does not tell.
func Original(letter *pipeline.Message) pipeline.Message {
	m := pipeline.Message{Key: letter.Key, Value: letter.Value, EventTime: letter.EventTime}
	m.Properties = maps.Clone(letter.Properties)
	for _, name := range []string{pipeline.DeadTopic, realTopic} {
		if m.Topic == "" {
			m.Topic = letter.Properties[name]
		}
	}
	maps.DeleteFunc(m.Properties, deadly)
	return m
}
