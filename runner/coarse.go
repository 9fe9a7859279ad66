package runner

import (
	"context"
	"time"

	"github.com/benchfleet/benchfleet/core"
	"github.com/benchfleet/benchfleet/ports"
)

// A worker that is not acknowledged for long merges its oldest intervals into a
// coarse one, and cannot know which of them are stored: an owner that dies
// between storing intervals and committing that it has leaves such. What is
// stored one by one is taken off the coarse interval, so that the time series
// counts every operation once.

// refine takes what is known one by one off the coarse intervals of a batch.
func refine(ctx context.Context, results ports.ResultStore, b *batch) error {
	for i := range b.workers {
		w := &b.workers[i]
		if !w.Interval.Coarse {
			continue
		}
		known, err := storedWithin(ctx, results, *w)
		if err != nil {
			return err
		}
		for _, other := range b.workers {
			known = appendWithin(known, other, *w)
		}
		for _, k := range known {
			w.Interval = without(w.Interval, k.Interval)
		}
	}
	return nil
}

// rounding is more seconds than a stored offset may be off.
const rounding = 0.002

// storedWithin reads the stored intervals that a coarse one covers.
func storedWithin(ctx context.Context, results ports.ResultStore, coarse ports.WorkerInterval) (known []ports.WorkerInterval, err error) {
	end := coarse.Interval.Offset
	rows, err := results.Aggregates(ctx, coarse.RunID, max(0, end-coarse.Interval.Seconds-1)-rounding, 0)
	if err != nil {
		return nil, err
	}
	for i := range rows {
		if rows[i].Phase != coarse.Interval.Phase || rows[i].Offset > end {
			continue
		}
		stored, err := results.WorkerIntervals(ctx, coarse.RunID, rows[i].Offset)
		if err != nil {
			return nil, err
		}
		for _, w := range stored {
			known = appendWithin(known, w, coarse)
		}
	}
	return known, nil
}

// appendWithin appends an interval that a coarse one covers, once: one of the
// same worker and phase that ended before it and began within it.
func appendWithin(known []ports.WorkerInterval, w, coarse ports.WorkerInterval) []ports.WorkerInterval {
	one, all := &w.Interval, &coarse.Interval
	if w.WorkerID != coarse.WorkerID || one.Phase != all.Phase || one.Sequence >= all.Sequence {
		return known
	}
	middle := one.Start.Add(time.Duration(one.Seconds / 2 * float64(time.Second)))
	if middle.Before(all.Start.Add(-time.Millisecond)) { // stores round times
		return known
	}
	for i := range known {
		if same(known[i], w) {
			return known
		}
	}
	return append(known, w)
}

// without is what a coarse interval holds beside a part of it. Its counts are
// exact, its latencies as exact as the buckets of a histogram.
func without(coarse, part core.Interval) core.Interval {
	if end := part.Start.Add(time.Duration(part.Seconds * float64(time.Second))); end.After(coarse.Start) {
		coarse.Start = end
	}
	coarse.Seconds = max(0, coarse.Seconds-part.Seconds)
	kinds := make([]core.KindMetrics, len(coarse.Kinds))
	for i := range coarse.Kinds {
		kinds[i] = coarse.Kinds[i]
		for j := range part.Kinds {
			if part.Kinds[j].Kind == kinds[i].Kind {
				kinds[i] = kindWithout(&coarse.Kinds[i], &part.Kinds[j])
			}
		}
	}
	coarse.Kinds = kinds
	return coarse
}

func kindWithout(all, part *core.KindMetrics) core.KindMetrics {
	k := core.KindMetrics{Kind: all.Kind, Access: all.Access, Service: histogramWithout(&all.Service, &part.Service)}
	for _, c := range []struct {
		to        *uint64
		all, part uint64
	}{
		{&k.Scheduled, all.Scheduled, part.Scheduled}, {&k.Skipped, all.Skipped, part.Skipped}, {&k.Unserved, all.Unserved, part.Unserved},
		{&k.Started, all.Started, part.Started}, {&k.OK, all.OK, part.OK}, {&k.Errors, all.Errors, part.Errors},
		{&k.Aborted, all.Aborted, part.Aborted}, {&k.Lost, all.Lost, part.Lost}, {&k.Rows, all.Rows, part.Rows},
		{&k.Late, all.Late, part.Late}, {&k.Overslept, all.Overslept, part.Overslept},
	} {
		*c.to = c.all - min(c.all, c.part)
	}
	if all.Response != nil {
		response := histogramWithout(all.Response, part.Latency())
		k.Response = &response
	}
	for _, s := range all.Statements {
		for i := range part.Statements {
			if part.Statements[i].Name == s.Name {
				s.Service = histogramWithout(&s.Service, &part.Statements[i].Service)
			}
		}
		k.Statements = append(k.Statements, s)
	}
	for _, f := range all.Failures {
		for _, p := range part.Failures {
			if p.Class == f.Class {
				f.Count -= min(f.Count, p.Count)
			}
		}
		if f.Count > 0 {
			k.Failures = append(k.Failures, f)
		}
	}
	return k
}

func histogramWithout(all, part *core.Histogram) (rest core.Histogram) {
	known := map[time.Duration]uint64{}
	for bound, n := range part.Buckets() {
		known[bound] = n
	}
	for bound, n := range all.Buckets() {
		rest.RecordN(min(bound, all.Max()), n-min(n, known[bound]))
	}
	return rest
}
