//go:build unix

package bench

import (
	"math"
	"math/rand/v2"
	"slices"
	"testing"
	"time"

	"github.com/benchfleet/benchfleet/core"
)

// BenchmarkMergedPercentiles compares percentiles of merged histograms with those
// of all samples, sorted: 20 workers whose latencies differ, 60 intervals each.
// Live is the merge of the intervals, final that of the workers.
func BenchmarkMergedPercentiles(b *testing.B) {
	quantiles := []float64{0.5, 0.9, 0.95, 0.99, 0.999}
	worst := 0.0
	for range b.N {
		random := rand.New(rand.NewPCG(1, 2))
		var samples []time.Duration
		var live, final core.Histogram
		for worker := range 20 {
			var whole core.Histogram
			for range 60 {
				var interval core.Histogram
				for range 200 {
					d := time.Duration(math.Exp(random.NormFloat64()*1.2+float64(worker%5)) * float64(100*time.Microsecond))
					samples = append(samples, d)
					interval.Record(d)
					whole.Record(d)
				}
				live.Merge(&interval)
			}
			final.Merge(&whole)
		}
		if !live.Equal(&final) {
			b.Fatal("live and final differ")
		}
		slices.Sort(samples)
		for _, q := range quantiles {
			exact := float64(samples[int(math.Ceil(q*float64(len(samples))))-1])
			worst = max(worst, math.Abs(float64(final.Quantile(q))-exact)/exact)
		}
	}
	b.ReportMetric(0, "ns/op")
	b.ReportMetric(100*worst, "worst-error-%")
	b.Log("promised: ≤ 0.5 % at p50 to p99.9, live equal to final")
}
