package probe

import (
	"maps"
	"strconv"

	"github.com/prometheus/client_golang/prometheus"
	dto "github.com/prometheus/client_model/go"

	"github.com/functionmesh/terraform-provider-functionmesh/runner/pipeline"
)

// collector turns the counts into metrics with the names and labels that Pulsar's own
// instances use, so that its dashboards work.
type collector struct {
	probe  *Probe
	prefix string
	labels prometheus.Labels
}

var _ prometheus.Collector = (*collector)(nil)

func newCollector(p *Probe) *collector {
	c, i := p.opts.Component, p.opts.Instance
	return &collector{
		probe: p, prefix: "pulsar_" + c.Kind + "_",
		labels: prometheus.Labels{
			"tenant": c.Tenant, "namespace": c.Tenant + "/" + c.Namespace, "name": c.Name,
			"instance_id": strconv.Itoa(i.ID), "cluster": i.Platform, "fqfn": c.Tenant + "/" + c.Namespace + "/" + c.Name,
		},
	}
}

// Describe sends nothing: which user metrics there will be is not known.
func (c *collector) Describe(chan<- *prometheus.Desc) {}

// Collect sends everything in one consistent picture.
func (c *collector) Collect(out chan<- prometheus.Metric) {
	p := c.probe
	p.mu.Lock()
	defer p.mu.Unlock()
	p.roll()
	c.counters(out, p.total, "_total", prometheus.CounterValue)
	c.counters(out, p.minute.counts, "_1min_total", prometheus.CounterValue) // the name that Pulsar's instances expose
	c.counters(out, p.minute.counts, "_1min", prometheus.GaugeValue)         // the one that its documentation and older ones have
	c.own(out)
	if !p.invoked.IsZero() {
		c.value(out, "last_invocation", prometheus.GaugeValue, float64(p.invoked.UnixMilli()))
	}
	c.summary(out, "process_latency_ms", nil, digest{p.latency, uint64(p.total.processed), milliseconds(p.total.took)})               //nolint:gosec // never negative
	c.summary(out, "process_latency_ms_1min", nil, digest{p.minute.latency, uint64(p.minute.processed), milliseconds(p.minute.took)}) //nolint:gosec // never negative
	for name, m := range p.user {
		c.summary(out, "user_metric_", prometheus.Labels{"metric": name}, digest{m.summary, uint64(m.count), m.sum}) //nolint:gosec // never negative
	}
	for class, name := range map[pipeline.FailureClass]string{
		pipeline.User: "user_exception", pipeline.System: "system_exception",
		pipeline.SourceFailure: "source_exception", pipeline.SinkFailure: "sink_exception",
	} {
		texts := map[string]bool{}
		for _, e := range p.shown[class].ring {
			texts[e.Message] = true
		}
		for text := range texts {
			c.send(out, prometheus.NewDesc(c.prefix+name, "Exceptions, one series each.", nil, c.with(prometheus.Labels{"error": text})), prometheus.GaugeValue, 1)
		}
	}
}

// own sends what Pulsar's instances do not count.
func (c *collector) own(out chan<- prometheus.Metric) {
	p := c.probe
	c.value(out, "dead_lettered_total", prometheus.CounterValue, float64(p.total.deadLettered))
	c.value(out, "repeats_dropped_total", prometheus.CounterValue, float64(p.total.repeats))
	for defect, n := range p.defects {
		desc := prometheus.NewDesc(c.prefix+"malformed_total", "Broker entries that could not be opened.", nil, c.with(prometheus.Labels{"defect": defect}))
		c.send(out, desc, prometheus.CounterValue, float64(n))
	}
	if path := string(p.opts.Path); path != "" {
		c.send(out, prometheus.NewDesc(c.prefix+"data_path", "By which messages move.", nil, c.with(prometheus.Labels{"path": path})), prometheus.GaugeValue, 1)
	}
}

// counters sends what functions, sources and sinks count. Only the names differ.
func (c *collector) counters(out chan<- prometheus.Metric, n counts, suffix string, kind prometheus.ValueType) {
	processed := "processed_successfully"
	if c.probe.opts.Component.Kind != "function" {
		processed = "written"
	}
	for name, value := range map[string]int64{
		"received": n.received, processed: n.processed,
		"user_exceptions": n.failed[pipeline.User], "system_exceptions": n.failed[pipeline.System],
		"source_exceptions": n.failed[pipeline.SourceFailure], "sink_exceptions": n.failed[pipeline.SinkFailure],
	} {
		c.value(out, name+suffix, kind, float64(value))
	}
}

func (c *collector) value(out chan<- prometheus.Metric, name string, kind prometheus.ValueType, v float64) {
	c.send(out, prometheus.NewDesc(c.prefix+name, "As Pulsar's instances report it.", nil, c.labels), kind, v)
}

func (c *collector) send(out chan<- prometheus.Metric, desc *prometheus.Desc, kind prometheus.ValueType, v float64) {
	m, err := prometheus.NewConstMetric(desc, kind, v)
	if err != nil {
		m = prometheus.NewInvalidMetric(desc, err)
	}
	out <- m
}

// digest is a summary whose count and sum are of messages, while its quantiles were
// fed once per batch.
type digest struct {
	summary prometheus.Summary
	count   uint64
	sum     float64
}

func (c *collector) summary(out chan<- prometheus.Metric, name string, more prometheus.Labels, d digest) {
	desc := prometheus.NewDesc(c.prefix+name, "As Pulsar's instances report it.", nil, c.with(more))
	m, err := prometheus.NewConstSummary(desc, d.count, d.sum, quantiles(d.summary))
	if err != nil {
		m = prometheus.NewInvalidMetric(desc, err)
	}
	out <- m
}

// quantiles are those of what a summary was fed; none before that.
func quantiles(s prometheus.Summary) map[float64]float64 {
	var fed dto.Metric
	found := map[float64]float64{}
	if err := s.Write(&fed); err != nil {
		return found
	}
	for _, q := range fed.GetSummary().GetQuantile() {
		found[q.GetQuantile()] = q.GetValue()
	}
	return found
}

func (c *collector) with(more prometheus.Labels) prometheus.Labels {
	if len(more) == 0 {
		return c.labels
	}
	all := prometheus.Labels{}
	for _, from := range []prometheus.Labels{c.labels, more} {
		maps.Copy(all, from)
	}
	return all
}
