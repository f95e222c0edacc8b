package probe

import (
	"maps"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/functionmesh/terraform-provider-functionmesh/internal/wire"
	"github.com/functionmesh/terraform-provider-functionmesh/runner/pipeline"
)

const (
	lastKept     = 10
	maxException = 4 << 10
	// maxMetricNames bounds what user code can make us remember.
	maxMetricNames = 1000
	maxDefects     = 100
	// shownPerMinute exceptions of a class become metrics.
	shownPerMinute = 5
)

// Options say whose probe it is.
type Options struct {
	Component wire.Component
	Instance  wire.Instance
	Masker    *Masker      // nil: nothing is masked
	InFlight  func() int64 // bytes held by the pipeline; nil: not told
	Path      wire.Path    // by which messages move; "": there is one only
	PathNote  string       // why that one
}

// Probe observes one pipeline.
type Probe struct {
	opts  Options
	ready atomic.Bool

	mu      sync.Mutex
	total   counts
	minute  minute
	latest  map[pipeline.FailureClass]*last
	invoked time.Time
	latency prometheus.Summary
	user    map[string]*userMetric
	shown   map[pipeline.FailureClass]*last // texts among the metrics
	defects map[string]int64
}

// counts are what is counted in total and over the last minute.
type counts struct {
	received, processed, deadLettered, repeats int64

	failed map[pipeline.FailureClass]int64
	took   time.Duration
}

// userMetric is what user code observed under one name.
type userMetric struct {
	summary       prometheus.Summary
	count         int64
	sum, min, max float64
}

var _ pipeline.Observer = (*Probe)(nil)

// New makes a probe that is not ready.
func New(o Options) *Probe {
	if o.Masker == nil {
		o.Masker = NewMasker()
	}
	p := &Probe{
		opts:    o,
		total:   newCounts(),
		minute:  newMinute(),
		latest:  map[pipeline.FailureClass]*last{},
		shown:   map[pipeline.FailureClass]*last{},
		defects: map[string]int64{},
		latency: prometheus.NewSummary(summaryOpts("latency")),
		user:    map[string]*userMetric{},
	}
	for _, c := range classes() {
		p.latest[c], p.shown[c] = &last{}, &last{}
	}
	return p
}

func newCounts() counts { return counts{failed: map[pipeline.FailureClass]int64{}} }

func classes() []pipeline.FailureClass {
	return []pipeline.FailureClass{pipeline.User, pipeline.System, pipeline.SourceFailure, pipeline.SinkFailure}
}

func summaryOpts(name string) prometheus.SummaryOpts {
	return prometheus.SummaryOpts{Name: name, Objectives: map[float64]float64{.5: .01, .9: .01, .99: .001, .999: .0001}}
}

// SetReady says whether the instance does its work.
func (p *Probe) SetReady(ready bool) { p.ready.Store(ready) }

// Received counts messages that were read.
func (p *Probe) Received(n int) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.roll()
	p.total.received += int64(n)
	p.minute.received += int64(n)
}

// Processed counts messages that user code handled; took is the time for all of them.
func (p *Probe) Processed(n int, took time.Duration) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.roll()
	p.invoked = time.Now()
	for _, c := range []*counts{&p.total, &p.minute.counts} {
		c.processed += int64(n)
		c.took += took
	}
	if n > 0 {
		each := milliseconds(took) / float64(n)
		p.latency.Observe(each)
		p.minute.latency.Observe(each)
	}
}

// Failed counts a failure and keeps its text.
func (p *Probe) Failed(class pipeline.FailureClass, err error) {
	text := p.opts.Masker.String(strings.ToValidUTF8(err.Error(), "�"))
	if len(text) > maxException {
		text = strings.ToValidUTF8(text[:maxException-3], "") + "..."
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	p.roll()
	p.total.failed[class]++
	p.minute.failed[class]++
	l, ok := p.latest[class]
	if !ok {
		return
	}
	e := wire.Exception{Message: text, AtMs: time.Now().UnixMilli()}
	l.add(e)
	// Each text is a time series of its own: few of them are let in.
	if p.minute.shown[class] < shownPerMinute {
		p.minute.shown[class]++
		p.shown[class].add(e)
	}
}

// Repeated counts outputs that the broker had stored before and dropped.
func (p *Probe) Repeated(n int) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.total.repeats += int64(n)
}

// Malformed counts broker entries that could not be opened, by what was wrong.
func (p *Probe) Malformed(defect string, entries int) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if _, ok := p.defects[defect]; ok || len(p.defects) < maxDefects {
		p.defects[defect] += int64(entries)
	}
}

// DeadLettered counts messages that were given up.
func (p *Probe) DeadLettered(n int) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.total.deadLettered += int64(n)
}

// Metric keeps an observation of user code. Names beyond the bound are dropped.
func (p *Probe) Metric(name string, value float64) {
	name = p.opts.Masker.String(strings.ToValidUTF8(name, "�"))
	p.mu.Lock()
	defer p.mu.Unlock()
	m, ok := p.user[name]
	if !ok {
		if len(p.user) == maxMetricNames {
			return
		}
		m = &userMetric{summary: prometheus.NewSummary(summaryOpts("user")), min: value, max: value}
		p.user[name] = m
	}
	m.summary.Observe(value)
	m.count++
	m.sum += value
	m.min, m.max = min(m.min, value), max(m.max, value)
}

// Status is what GET /status answers.
func (p *Probe) Status() wire.Status {
	p.mu.Lock()
	defer p.mu.Unlock()
	s := wire.Status{
		Ready: p.ready.Load(), Received: p.total.received, Processed: p.total.processed, DeadLettered: p.total.deadLettered,
		UserExceptions: p.total.failed[pipeline.User], SystemExceptions: p.total.failed[pipeline.System],
		SourceExceptions: p.total.failed[pipeline.SourceFailure], SinkExceptions: p.total.failed[pipeline.SinkFailure],
		LatestUser: p.latest[pipeline.User].list(), LatestSystem: p.latest[pipeline.System].list(),
		LatestSource: p.latest[pipeline.SourceFailure].list(), LatestSink: p.latest[pipeline.SinkFailure].list(),
		AverageLatencyMs: average(p.total),
		Path:             p.opts.Path, PathNote: p.opts.PathNote, Repeats: p.total.repeats,
	}
	if len(p.defects) > 0 {
		s.Malformed = maps.Clone(p.defects)
	}
	if !p.invoked.IsZero() {
		s.LastInvocationMs = p.invoked.UnixMilli()
	}
	if p.opts.InFlight != nil {
		s.InFlightBytes = p.opts.InFlight()
	}
	if len(p.user) > 0 {
		s.UserMetrics = make(map[string]float64, 4*len(p.user))
	}
	for name, m := range p.user {
		s.UserMetrics[name+"_count"], s.UserMetrics[name+"_sum"] = float64(m.count), m.sum
		s.UserMetrics[name+"_min"], s.UserMetrics[name+"_max"] = m.min, m.max
	}
	return s
}

func average(c counts) float64 {
	if c.processed == 0 {
		return 0
	}
	return milliseconds(c.took) / float64(c.processed)
}

func milliseconds(d time.Duration) float64 { return float64(d) / float64(time.Millisecond) }

// minute is what was counted since the minute that runs began, as Pulsar's one-minute
// metrics are.
type minute struct {
	counts
	start   time.Time
	latency prometheus.Summary
	shown   map[pipeline.FailureClass]int
}

func newMinute() minute {
	return minute{counts: newCounts(), start: time.Now(), latency: prometheus.NewSummary(summaryOpts("minute")), shown: map[pipeline.FailureClass]int{}}
}

// roll begins a new minute when one is over.
func (p *Probe) roll() {
	if since := time.Since(p.minute.start); since >= time.Minute {
		start := p.minute.start.Add(since.Truncate(time.Minute))
		p.minute = newMinute()
		p.minute.start = start
	}
}

// last keeps the newest exceptions of one class.
type last struct{ ring []wire.Exception }

func (l *last) add(e wire.Exception) {
	if len(l.ring) == lastKept {
		l.ring = append(l.ring[:0], l.ring[1:]...)
	}
	l.ring = append(l.ring, e)
}

func (l *last) list() []wire.Exception { return append([]wire.Exception(nil), l.ring...) }
