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
	c.counters(out, p.minute.past, "_1min", prometheus.GaugeValue)
	if !p.invoked.IsZero() {
		c.value(out, "last_invocation", prometheus.GaugeValue, float64(p.invoked.UnixMilli()))
	}
	c.summary(out, "process_latency_ms", nil, digest{p.latency, uint64(p.total.processed), milliseconds(p.total.took)}) //nolint:gosec // never negative
	for name, m := range p.user {
		c.summary(out, "user_metric_", prometheus.Labels{"metric": name}, digest{m.summary, uint64(m.count), m.sum}) //nolint:gosec // never negative
	}
	for class, name := range map[pipeline.FailureClass]string{
		pipeline.User: "user_exception", pipeline.System: "system_exception",
		pipeline.SourceFailure: "source_exception", pipeline.SinkFailure: "sink_exception",
	} {
		at := map[string]int64{}
		for _, e := range p.latest[class].ring {
			at[e.Message] = e.AtMs
		}
		for text, ms := range at {
			c.send(out, prometheus.NewDesc(c.prefix+name, "Time of an exception.", nil, c.with(prometheus.Labels{"error": text})), prometheus.GaugeValue, float64(ms))
		}
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
	if kind == prometheus.CounterValue {
		c.value(out, "dead_lettered"+suffix, kind, float64(n.deadLettered))
		return
	}
	c.value(out, "process_latency_ms"+suffix, kind, average(n))
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
	var fed dto.Metric
	if err := d.summary.Write(&fed); err != nil {
		out <- prometheus.NewInvalidMetric(desc, err)
		return
	}
	quantiles := map[float64]float64{}
	for _, q := range fed.GetSummary().GetQuantile() {
		quantiles[q.GetQuantile()] = q.GetValue()
	}
	m, err := prometheus.NewConstSummary(desc, d.count, d.sum, quantiles)
	if err != nil {
		m = prometheus.NewInvalidMetric(desc, err)
	}
	out <- m
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
