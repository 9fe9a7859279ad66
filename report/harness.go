package report

import (
	"fmt"

	"github.com/benchfleet/benchfleet/core"
)

// OverheadDocument is what null operations measured beside the load: they ask
// nothing of the target, so what they take is the load generator's own.
type OverheadDocument struct {
	NullOperations uint64 `json:"null_operations"`
	// Service is the load generator's own time for one operation, Response counts
	// from the time at which a null operation was to start.
	Service  *LatencyDocument `json:"service"`
	Response *LatencyDocument `json:"response"`
	// OfMedianPercent is the median of Service in percent of the median latency of
	// the same operations; null when nothing succeeded.
	OfMedianPercent *float64 `json:"of_median_percent"`
}

// StrainDocument is what the Go runtime of the load generator has taken from the
// load, in the measurement.
type StrainDocument struct {
	ObservedSeconds float64          `json:"observed_seconds"` // of all processes
	GCPercent       float64          `json:"gc_cpu_percent"`   // of the processor time
	PausedPercent   float64          `json:"gc_paused_percent"`
	GCPauses        *LatencyDocument `json:"gc_pauses"` // null when there was none
	// ProcessorWaits are how long what could run waited for a processor.
	ProcessorWaits *LatencyDocument `json:"processor_waits"`
}

func overheadDocument(r *core.Rollup) *OverheadDocument {
	o := r.Overhead
	if o == nil || o.Service.Count() == 0 {
		return nil
	}
	d := &OverheadDocument{NullOperations: o.Service.Count(), Service: latencyDocument(&o.Service), Response: latencyDocument(&o.Response)}
	if part, known := ofMedian(r); known {
		part *= 100
		d.OfMedianPercent = &part
	}
	return d
}

func strainDocument(s *core.Strain) *StrainDocument {
	if s == nil || s.Seconds <= 0 {
		return nil
	}
	return &StrainDocument{
		ObservedSeconds: s.Seconds, GCPercent: 100 * s.GCShare(), PausedPercent: 100 * s.PausedShare(),
		GCPauses: latencyDocument(&s.Pauses), ProcessorWaits: latencyDocument(&s.Waits),
	}
}

// ofMedian is what the load generator's own time is of the median latency.
func ofMedian(r *core.Rollup) (part float64, known bool) {
	total := core.Total(r.Kinds)
	median := total.Latency().Quantile(0.5)
	if median <= 0 {
		return 0, false
	}
	return float64(r.Overhead.Service.Quantile(0.5)) / float64(median), true
}

// harnessText is what the load generator costs and delays, in one line; empty
// when it was not measured.
func harnessText(r *core.Rollup) string {
	o := r.Overhead
	if o == nil || o.Service.Count() == 0 {
		return ""
	}
	text := fmt.Sprintf("%s  p50 %s  p99 %s", plural(o.Service.Count(), "null operation"), Latency(o.Service.Quantile(0.5)), Latency(o.Service.Quantile(0.99)))
	if part, known := ofMedian(r); known {
		text += " (" + percent(part) + " of the median)"
	}
	return text + fmt.Sprintf("; from when each was to start  p50 %s  p99 %s", Latency(o.Response.Quantile(0.5)), Latency(o.Response.Quantile(0.99)))
}

// strainText is what the Go runtime took; empty when it is not known.
func strainText(s *core.Strain) string {
	if s == nil || s.Seconds <= 0 {
		return ""
	}
	text := "garbage collection " + percent(s.GCShare()) + " of the processors"
	if s.Pauses.Count() > 0 {
		text += fmt.Sprintf(", %s of up to %s", plural(s.Pauses.Count(), "pause"), Latency(s.Pauses.Max()))
	}
	if s.Waits.Count() > 0 {
		text += fmt.Sprintf("; waits for a processor  p99 %s  max %s", Latency(s.Waits.Quantile(0.99)), Latency(s.Waits.Max()))
	}
	return text
}

// harness writes what the load generator did, below the latencies.
func (p *page) harness(r *core.Rollup) {
	if text := harnessText(r); text != "" {
		p.prose("harness  ", text)
	}
	if text := strainText(r.Strain); text != "" {
		p.prose("runtime  ", text)
	}
}

// harnessTable is what the load generator of each worker did, and all together.
func harnessTable(parent *core.Rollup, children []core.Rollup) table {
	t := table{
		head:  []string{"worker", "null operations", "p50", "p99", "max", "of the median", "response p99", "response max", "GC", "pauses", "longest", "processor wait p99"},
		right: "lrrrrrrrrrrr", minimum: 10,
	}
	row := func(name string, r *core.Rollup) {
		cells := []string{name, "-", "-", "-", "-", "-", "-", "-", "-", "-", "-", "-"}
		if o := r.Overhead; o != nil && o.Service.Count() > 0 {
			cells[1] = Count(o.Service.Count())
			cells[2], cells[3], cells[4] = Latency(o.Service.Quantile(0.5)), Latency(o.Service.Quantile(0.99)), Latency(o.Service.Max())
			if part, known := ofMedian(r); known {
				cells[5] = percent(part)
			}
			cells[6], cells[7] = Latency(o.Response.Quantile(0.99)), Latency(o.Response.Max())
		}
		if s := r.Strain; s != nil && s.Seconds > 0 {
			cells[8], cells[9], cells[10], cells[11] = percent(s.GCShare()), Count(s.Pauses.Count()), Latency(s.Pauses.Max()), Latency(s.Waits.Quantile(0.99))
		}
		t.add(cells...)
	}
	if parent.Overhead == nil && parent.Strain == nil {
		return t
	}
	for i := range children {
		row(Clean(children[i].WorkerID), &children[i])
	}
	row("TOTAL", parent)
	return t
}

// harnessBlocks are the section of documents about the load generator.
func harnessBlocks(parent *core.Rollup, children []core.Rollup) []block {
	t := harnessTable(parent, children)
	if len(t.rows) == 0 {
		return nil
	}
	return []block{
		prose(neutral, "Null operations take the whole path of an operation beside the load, and ask nothing of the target: what they take is the load generator's own. "+
			"They are in none of the other numbers. The response counts from when one was to start."),
		tableBlock(t),
	}
}

// csvOfHarness are the rows of a result's null operations: of the run, or of a
// worker.
func csvOfHarness(name string, r *core.Rollup) (rows []csvRow) {
	if r.Overhead == nil || r.Overhead.Service.Count() == 0 {
		return nil
	}
	for _, part := range []struct {
		name string
		of   *core.Histogram
	}{{"service", &r.Overhead.Service}, {"response", &r.Overhead.Response}} {
		row := csvRow{"scope": "HARNESS", "name": csvText(name + "/" + part.name), "phase": string(core.Measurement)}
		row["ok"] = fmt.Sprint(part.of.Count())
		row.latency(latencyDocument(part.of))
		rows = append(rows, row)
	}
	return rows
}
