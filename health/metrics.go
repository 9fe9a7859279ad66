package health

import (
	"fmt"
	"slices"
	"time"

	"github.com/benchfleet/benchfleet/core"
	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/collectors"
)

// Metrics are the values that /metrics shows beside those of every process. What
// is nil is not shown.
type Metrics struct {
	Worker *Worker
	// Orchestrators are one for each run that is driven, of which no two are the same.
	Orchestrators []*Orchestrator
}

// newRegistry registers everything of one role in a registry of its own, so that
// many can be served by one process.
func newRegistry(o Options, now func() time.Time) (*prometheus.Registry, error) {
	registry := prometheus.NewRegistry()
	build := prometheus.NewGauge(prometheus.GaugeOpts{
		Name: "benchfleet_build_info", Help: "Always 1; the labels are the identity of the binary.",
		ConstLabels: prometheus.Labels{"role": o.Role, "version": o.Build.ID, "go_version": o.Build.GoVersion, "platform": o.Build.Platform},
	})
	build.Set(1)
	list := []prometheus.Collector{build, collectors.NewGoCollector(), collectors.NewProcessCollector(collectors.ProcessCollectorOpts{})}
	if o.Metrics != nil {
		list = append(list, newCollector(o.Metrics, now))
	}
	for _, c := range list {
		if err := registry.Register(c); err != nil {
			return nil, fmt.Errorf("%w: health metrics: %w", core.ErrInternal, err)
		}
	}
	return registry, nil
}

// collector turns the newest values into metrics when it is asked; it keeps none.
type collector struct {
	read   func() Metrics
	now    func() time.Time
	book   book
	worker workerMetrics
	run    runMetrics
}

func newCollector(read func() Metrics, now func() time.Time) *collector {
	c := &collector{read: read, now: now}
	c.worker = newWorkerMetrics(&c.book)
	c.run = newRunMetrics(&c.book)
	return c
}

// Describe sends every description, whether or not there are values.
func (c *collector) Describe(to chan<- *prometheus.Desc) {
	for _, d := range c.book.descs {
		to <- d
	}
}

// Collect sends the newest values.
func (c *collector) Collect(to chan<- prometheus.Metric) {
	m, now := c.read(), c.now()
	if m.Worker != nil {
		c.worker.collect(to, m.Worker, now)
	}
	for _, o := range m.Orchestrators {
		if o != nil {
			c.run.collect(to, o, now)
		}
	}
}

// book keeps the descriptions of all metrics that are made with it.
type book struct{ descs []*prometheus.Desc }

func (b *book) add(name, help string, labels []string) *prometheus.Desc {
	d := prometheus.NewDesc("benchfleet_"+name, help, labels, nil)
	b.descs = append(b.descs, d)
	return d
}

func (b *book) gauge(name, help string, labels ...string) metric {
	return metric{typ: prometheus.GaugeValue, desc: b.add(name, help, labels)}
}

func (b *book) counter(name, help string, labels ...string) metric {
	return metric{typ: prometheus.CounterValue, desc: b.add(name, help, labels)}
}

func (b *book) histogram(name, help string, labels ...string) histogram {
	return histogram{b.add(name, help, labels)}
}

// metric is one gauge or counter without its values.
type metric struct {
	typ   prometheus.ValueType
	desc  *prometheus.Desc
	first []string // labels of every value
}

// histogram is one histogram without its values.
type histogram struct{ desc *prometheus.Desc }

// send sends one value.
func (m metric) send(to chan<- prometheus.Metric, value float64, labels ...string) {
	sent, err := prometheus.NewConstMetric(m.desc, m.typ, value, slices.Concat(m.first, labels)...)
	if err != nil {
		sent = prometheus.NewInvalidMetric(m.desc, err) // the scrape fails and says so
	}
	to <- sent
}

// sendSet sends 1 for the state that is, and 0 for all others.
func sendSet[S ~string](to chan<- prometheus.Metric, m metric, all []S, is S) {
	for _, s := range all {
		value := 0.0
		if s == is {
			value = 1
		}
		m.send(to, value, string(s))
	}
}

// sendCounts sends what became of the operations of one kind and phase. Those in
// flight are in none of the outcomes.
func (m metric) sendCounts(to chan<- prometheus.Metric, kind, phase string, c core.Counts) {
	m.send(to, float64(c.OK), kind, phase, "ok")
	m.send(to, float64(c.Errors), kind, phase, "error")
	m.send(to, float64(c.Aborted), kind, phase, "aborted")
	m.send(to, float64(c.Lost), kind, phase, "lost")
	m.send(to, float64(c.Skipped), kind, phase, "skipped")
	m.send(to, float64(c.Unserved), kind, phase, "unserved")
}

// sendErrors sends errors by class. AddError has bounded the classes.
func (m metric) sendErrors(to chan<- prometheus.Metric, list []core.ErrorCount) {
	for _, e := range list {
		m.send(to, float64(e.Count), e.Class)
	}
}

// latencyBounds are the upper bounds of the latency buckets, from what an
// embedded database takes to what a warehouse does.
func latencyBounds() []time.Duration {
	return []time.Duration{
		10 * time.Microsecond, 25 * time.Microsecond, 50 * time.Microsecond,
		100 * time.Microsecond, 250 * time.Microsecond, 500 * time.Microsecond,
		time.Millisecond, 2500 * time.Microsecond, 5 * time.Millisecond,
		10 * time.Millisecond, 25 * time.Millisecond, 50 * time.Millisecond,
		100 * time.Millisecond, 250 * time.Millisecond, 500 * time.Millisecond,
		time.Second, 2500 * time.Millisecond, 5 * time.Second, 10 * time.Second, 30 * time.Second, time.Minute,
	}
}

// send sends a histogram in seconds. Count and sum are exact; a bucket counts
// those durations too that share the histogram's own bucket with its bound: less
// than 0.8 % above it.
func (m histogram) send(to chan<- prometheus.Metric, h *core.Histogram, labels ...string) {
	bounds := latencyBounds()
	buckets := make(map[float64]uint64, len(bounds))
	for _, bound := range bounds {
		buckets[bound.Seconds()] = h.CountAtOrBelow(bound)
	}
	sent, err := prometheus.NewConstHistogram(m.desc, h.Count(), h.Sum().Seconds(), buckets, labels...)
	if err != nil {
		sent = prometheus.NewInvalidMetric(m.desc, err)
	}
	to <- sent
}
