package instance

import (
	"context"
	"fmt"
	"log/slog"
	"strconv"
	"sync"
	"sync/atomic"
	"time"

	"github.com/functionmesh/terraform-provider-functionmesh/internal/wire"
	"github.com/functionmesh/terraform-provider-functionmesh/runner/pipeline"
	"github.com/functionmesh/terraform-provider-functionmesh/runner/runtime/frame"
)

const (
	logQueue = 4096 // records that wait for the broker; more are dropped and counted
	logBatch = 500  // records of one write
	logTries = 3    // of one write; then its records are dropped and counted
	logPause = time.Second
	logText  = 64 << 10 // bytes of one record; what is longer is cut
)

// Properties of the messages of a log topic, as Pulsar's own runtimes name them.
const (
	logLevelKey    = "loglevel"
	logInstanceKey = "instance"
	logFunctionKey = "fqn"
	logMessageKey  = "message_id" // of the input at work; ours
)

// logTopic publishes the log of user code. User code never waits for it: what the
// broker does not take in time is dropped, and how much, is said in the same topic and
// in the instance's log.
type logTopic struct {
	sink   pipeline.Sink
	name   string // of the function
	id     string // of the instance
	mask   func(string) string
	failed func(error)
	logger *slog.Logger

	queue   chan frame.LogRecord
	dropped atomic.Int64 // and not yet told
	stop    chan struct{}
	once    sync.Once
	cancel  context.CancelFunc
	done    chan struct{}
}

// newLogTopic starts publishing to sink.
func newLogTopic(ctx context.Context, l *logTopic) *logTopic {
	l.queue, l.stop, l.done = make(chan frame.LogRecord, logQueue), make(chan struct{}), make(chan struct{})
	ctx, l.cancel = context.WithCancel(ctx)
	go l.run(ctx)
	return l
}

// openLogTopic is nil where the function has none.
func (i *instance) openLogTopic(ctx context.Context) (*logTopic, error) {
	if i.file.LogTopic == nil {
		return nil, nil //nolint:nilnil // no log topic is the usual case
	}
	plain := *i // a log is neither numbered nor deduplicated
	plain.file.Delivery = wire.Delivery{Guarantee: "atleast_once", BackoffMs: i.file.Delivery.BackoffMs, MaxBackoffMs: i.file.Delivery.MaxBackoffMs}
	sink, err := plain.output(*i.file.LogTopic, false)
	if err != nil {
		return nil, err
	}
	return newLogTopic(ctx, &logTopic{
		sink: sink, name: i.name(), id: strconv.Itoa(i.file.Instance.ID), mask: i.masker.String, logger: i.logger,
		failed: func(err error) { i.probe.Failed(pipeline.System, err) },
	}), nil
}

// Log takes a record and never waits.
func (l *logTopic) Log(r frame.LogRecord) {
	select {
	case l.queue <- r:
	default:
		l.dropped.Add(1)
	}
}

// Close publishes what waits, until ctx ends, and closes the sink.
func (l *logTopic) Close(ctx context.Context) error {
	if l == nil {
		return nil
	}
	l.once.Do(func() { close(l.stop) })
	select {
	case <-l.done:
	case <-ctx.Done():
	}
	l.cancel()
	<-l.done
	return l.sink.Close(ctx)
}

func (l *logTopic) run(ctx context.Context) {
	defer close(l.done)
	for {
		select {
		case <-ctx.Done():
			return
		case r := <-l.queue:
			l.write(ctx, l.batch(r))
		case <-l.stop:
			for len(l.queue) > 0 && ctx.Err() == nil {
				l.write(ctx, l.batch(<-l.queue))
			}
			return
		}
	}
}

// batch is first and what came since.
func (l *logTopic) batch(first frame.LogRecord) []pipeline.Message {
	out := make([]pipeline.Message, 0, min(len(l.queue)+2, logBatch))
	if n := l.dropped.Swap(0); n > 0 {
		text := fmt.Sprintf("%d records of the log were dropped: they came faster than the log topic took them", n)
		l.logger.Warn(text)
		out = append(out, l.message(frame.LogRecord{Time: time.Now(), Level: frame.Warn, Text: text}))
	}
	out = append(out, l.message(first))
	for len(out) < logBatch {
		select {
		case r := <-l.queue:
			out = append(out, l.message(r))
		default:
			return out
		}
	}
	return out
}

func (l *logTopic) message(r frame.LogRecord) pipeline.Message {
	text := l.mask(r.Text) // R9
	if len(text) > logText {
		text = text[:logText] + " …"
	}
	m := pipeline.Message{Value: []byte(text), EventTime: r.Time.UnixMilli(), Properties: map[string]string{
		logLevelKey: r.Level.String(), logInstanceKey: l.id, logFunctionKey: l.name,
	}}
	if r.Message != "" {
		m.Properties[logMessageKey] = r.Message
	}
	return m
}

// write publishes a batch, or gives it up: a log must not pile up behind a broker that
// is away.
func (l *logTopic) write(ctx context.Context, out []pipeline.Message) {
	for attempt := 1; ; attempt++ {
		n, err := l.sink.Write(ctx, out)
		if out = out[n:]; err == nil || len(out) == 0 {
			return
		}
		if attempt == logTries || ctx.Err() != nil {
			l.dropped.Add(int64(len(out)))
			l.failed(fmt.Errorf("log topic: %d records dropped: %w", len(out), err))
			return
		}
		timer := time.NewTimer(logPause)
		select {
		case <-timer.C:
		case <-ctx.Done():
		}
		timer.Stop()
	}
}
