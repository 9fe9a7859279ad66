package core_test

import (
	"fmt"
	"math"
	"math/rand/v2"
	"slices"
	"testing"
	"time"

	"github.com/HdrHistogram/hdrhistogram-go"
	"github.com/matryer/is"

	"github.com/benchfleet/benchfleet/core"
)

const longest = time.Duration(math.MaxInt64)

// Two workers each report their own histogram. The percentile of the run is
// that of the merged one, not the mean of two percentiles.
func ExampleHistogram_Merge() {
	var first, second core.Histogram
	first.RecordN(2*time.Millisecond, 900)
	second.RecordN(2*time.Millisecond, 80)
	second.RecordN(250*time.Millisecond, 20)

	var all core.Histogram
	all.Merge(&first)
	all.Merge(&second)
	fmt.Println(all.Count(), "operations, mean", all.Mean())
	for _, q := range []float64{0.50, 0.98, 0.99, 1} {
		fmt.Printf("p%g %v\n", q*100, all.Quantile(q).Round(100*time.Microsecond))
	}
	// Output:
	// 1000 operations, mean 6.96ms
	// p50 2ms
	// p98 2ms
	// p99 250ms
	// p100 250ms
}

// samples are 100k durations of each shape, from a fixed seed.
func samples() map[string][]time.Duration {
	r := rand.New(rand.NewPCG(1, 2))
	draw := func(f func() float64) []time.Duration {
		ds := make([]time.Duration, 100_000)
		for i := range ds {
			ds[i] = time.Duration(f())
		}
		return ds
	}
	return map[string][]time.Duration{
		"uniform":    draw(func() float64 { return r.Float64() * 1e7 }),
		"short":      draw(func() float64 { return r.Float64() * 400 }),
		"lognormal":  draw(func() float64 { return 1e6 * math.Exp(0.8*r.NormFloat64()) }),
		"heavy tail": draw(func() float64 { return min(5e4/math.Pow(1-r.Float64(), 1/0.7), 4e12) }),
		"bimodal": draw(func() float64 {
			if r.IntN(10) == 0 {
				return 8e7 + 5e6*r.NormFloat64()
			}
			return 3e5 + 2e4*r.NormFloat64()
		}),
	}
}

func record(ds []time.Duration) *core.Histogram {
	var h core.Histogram
	for _, d := range ds {
		h.Record(d)
	}
	return &h
}

func TestHistogramAgainstExactSamples(t *testing.T) {
	for name, ds := range samples() {
		t.Run(name, func(t *testing.T) {
			is := is.New(t)
			h := record(ds)
			sorted := slices.Sorted(slices.Values(ds))
			var sum time.Duration
			for _, d := range ds {
				sum += d
			}
			is.Equal(h.Count(), uint64(len(ds)))
			is.Equal(h.Sum(), sum)
			is.Equal(h.Mean(), sum/time.Duration(len(ds)))
			is.Equal(h.Min(), sorted[0])
			is.Equal(h.Max(), sorted[len(sorted)-1])
			for _, q := range []float64{0.001, 0.01, 0.1, 0.5, 0.9, 0.95, 0.99, 0.999, 0.9999} {
				exact := float64(sorted[int(math.Round(q*float64(len(ds))))-1])
				got := float64(h.Quantile(q))
				if math.Abs(got-exact) > 0.004*exact {
					t.Errorf("p%g = %v, exactly %v", q*100, time.Duration(got), time.Duration(exact))
				}
			}
		})
	}
}

func TestHistogramMergeOfPartsIsTheWhole(t *testing.T) {
	for name, ds := range samples() {
		t.Run(name, func(t *testing.T) {
			is := is.New(t)
			whole := record(ds)
			var forward, backward core.Histogram
			const parts = 7
			for i := range parts {
				forward.Merge(record(ds[len(ds)*i/parts : len(ds)*(i+1)/parts]))
				j := parts - 1 - i
				backward.Merge(record(ds[len(ds)*j/parts : len(ds)*(j+1)/parts]))
			}
			is.True(forward.Equal(whole))
			is.True(backward.Equal(whole))
			is.Equal(encoded(t, &forward), encoded(t, whole))
		})
	}
	t.Run("nil and empty add nothing", func(t *testing.T) {
		is := is.New(t)
		var h, empty core.Histogram
		h.Record(time.Second)
		before := h.Clone()
		h.Merge(nil)
		h.Merge(&empty)
		is.True(h.Equal(&before))
		empty.Merge(&h)
		is.True(empty.Equal(&h))
	})
	t.Run("what was reset takes no memory", func(t *testing.T) {
		is := is.New(t)
		reset := record([]time.Duration{1, time.Second, time.Hour})
		reset.Reset()
		is.Equal(testing.AllocsPerRun(10, func() {
			var h core.Histogram
			h.Merge(reset)
			is.True(h.Equal(reset))
		}), 0.0)
	})
	t.Run("with itself doubles", func(t *testing.T) {
		is := is.New(t)
		var h, twice core.Histogram
		h.Record(time.Second)
		h.Merge(&h)
		twice.RecordN(time.Second, 2)
		is.True(h.Equal(&twice))
	})
}

// Every value must fall in a bucket whose midpoint is within 0.4 %, buckets
// must be contiguous and in order: checked at every power of two and between.
func TestHistogramBucketEdges(t *testing.T) {
	is := is.New(t)
	var values []time.Duration
	for bit := range 42 {
		for _, offset := range []int64{-2, -1, 0, 1, 2, 1 << bit / 3, 1<<bit - 3} {
			if v := int64(1)<<bit + offset; v >= 0 && v < 1<<42 {
				values = append(values, time.Duration(v))
			}
		}
	}
	slices.Sort(values)
	previous := time.Duration(-1)
	for _, v := range slices.Compact(values) {
		var h core.Histogram
		h.RecordN(0, 1)
		h.RecordN(v, 3)
		h.RecordN(longest, 1)
		middle := h.Quantile(0.6)
		is.True(math.Abs(float64(middle-v)) <= 0.004*float64(v))
		if v < 256 {
			is.Equal(middle, v) // exact below 256 ns
		}
		is.True(middle >= previous)
		previous = middle
		if v > 0 && v < 1<<42-1<<34 { // below the last bucket
			upper := slices.Collect(func(yield func(time.Duration) bool) {
				for bound := range h.Buckets() {
					if !yield(bound) {
						return
					}
				}
			})
			is.Equal(len(upper), 3)
			is.Equal(upper[0], time.Duration(0))
			is.True(upper[1] >= v && float64(upper[1]-v) <= 0.008*float64(v))
			is.Equal(upper[2], longest)
		}
	}
}

func TestHistogramEmpty(t *testing.T) {
	is := is.New(t)
	var h core.Histogram
	is.Equal(h.Count(), uint64(0))
	is.Equal(h.Sum(), time.Duration(0))
	is.Equal(h.Mean(), time.Duration(0))
	is.Equal(h.Min(), time.Duration(0))
	is.Equal(h.Max(), time.Duration(0))
	is.Equal(h.Quantile(0.5), time.Duration(0))
	is.Equal(h.CountAtOrBelow(longest), uint64(0))
	for range h.Buckets() {
		t.Error("an empty histogram has a bucket")
	}
	is.True(h.Equal(nil))
	is.True(h.Equal(&core.Histogram{}))
	h.RecordN(time.Second, 0)
	is.True(h.Equal(nil)) // zero times is not at all
}

func TestHistogramExtremes(t *testing.T) {
	t.Run("negative is recorded as 0", func(t *testing.T) {
		is := is.New(t)
		var h, zero core.Histogram
		h.Record(-time.Second)
		h.RecordN(math.MinInt64, 2)
		zero.RecordN(0, 3)
		is.True(h.Equal(&zero))
		is.Equal(h.Count(), uint64(3))
	})
	t.Run("beyond the range", func(t *testing.T) {
		is := is.New(t)
		var h core.Histogram
		for _, d := range []time.Duration{2 * time.Hour, 3 * time.Hour, 4 * time.Hour} {
			h.Record(d)
		}
		is.Equal(h.Min(), 2*time.Hour)
		is.Equal(h.Max(), 4*time.Hour)
		is.Equal(h.Sum(), 9*time.Hour)
		is.Equal(h.Quantile(0.5), 2*time.Hour) // unresolved, but within [Min, Max]
		is.Equal(h.CountAtOrBelow(time.Hour), uint64(0))
		is.Equal(h.CountAtOrBelow(4*time.Hour), uint64(3))
	})
	t.Run("the sum saturates, in any order", func(t *testing.T) {
		is := is.New(t)
		var a, b, c core.Histogram
		a.RecordN(longest, math.MaxUint64/2)
		b.Record(time.Second)
		c.Record(longest)
		c.Record(longest)
		c.Record(longest)
		is.Equal(a.Sum(), longest)
		is.Equal(c.Sum(), longest)
		ab, ba := a.Clone(), b.Clone()
		ab.Merge(&b)
		ba.Merge(&a)
		is.True(ab.Equal(&ba))
		is.Equal(c.Quantile(0.5), longest)
		is.Equal(c.Mean(), time.Duration(uint64(math.MaxUint64)/3))
	})
}

func TestHistogramQuantileRanks(t *testing.T) {
	is := is.New(t)
	var h core.Histogram
	for i := range 100 {
		h.Record(time.Duration(i + 1)) // exact below 256 ns
	}
	for i := 1; i <= 100; i++ {
		q := float64(i) / 100
		is.Equal(h.Quantile(q), time.Duration(i))                   // the nearest rank itself
		is.Equal(h.Quantile(q-0.001), time.Duration(i))             // rounds up
		is.Equal(h.Quantile(q+0.001), time.Duration(min(i+1, 100))) // rounds up
	}
	for _, q := range []float64{0, -1, math.Inf(-1), math.NaN()} {
		is.Equal(h.Quantile(q), time.Duration(1))
	}
	for _, q := range []float64{1, 2, math.Inf(1)} {
		is.Equal(h.Quantile(q), time.Duration(100))
	}
	var two core.Histogram
	two.Record(1_000_003)
	two.Record(9_000_007)
	is.Equal(two.Quantile(0.5), time.Duration(1_000_003)) // lowest and highest rank are exact
	is.Equal(two.Quantile(0.51), time.Duration(9_000_007))
}

func TestHistogramCountAtOrBelow(t *testing.T) {
	for name, ds := range samples() {
		t.Run(name, func(t *testing.T) {
			is := is.New(t)
			h := record(ds)
			sorted := slices.Sorted(slices.Values(ds))
			for _, i := range []int{0, 10, 1000, 50_000, 99_000, 99_998} {
				at, _ := slices.BinarySearch(sorted, sorted[i]+1)
				wide, _ := slices.BinarySearch(sorted, sorted[i]+sorted[i]/127+1)
				got := int(h.CountAtOrBelow(sorted[i]))
				is.True(at <= got && got <= wide) // at most the rest of one bucket too many
			}
			is.Equal(h.CountAtOrBelow(h.Max()), h.Count())
			is.Equal(h.CountAtOrBelow(h.Min()-1), uint64(0))
			var below uint64
			for bound, n := range h.Buckets() {
				below += n
				is.Equal(h.CountAtOrBelow(bound), below)
			}
			is.Equal(below, h.Count())
		})
	}
}

func TestHistogramBucketsStopsWhenAsked(t *testing.T) {
	is := is.New(t)
	h := record([]time.Duration{1, 1000, 1_000_000})
	seen := 0
	for range h.Buckets() {
		seen++
		if seen == 2 {
			break
		}
	}
	is.Equal(seen, 2)
}

func TestHistogramResetAndClone(t *testing.T) {
	is := is.New(t)
	h := record([]time.Duration{5, time.Millisecond, time.Hour})
	c := h.Clone()
	is.True(c.Equal(h))
	h.Reset()
	is.True(h.Equal(nil))
	is.True(new(core.Histogram).Equal(h)) // kept chunks do not count
	is.Equal(encoded(t, h), encoded(t, &core.Histogram{}))
	is.Equal(c.Count(), uint64(3)) // the clone shares nothing
	h.Record(7)
	is.Equal(h.Min(), time.Duration(7))
	is.True(!c.Equal(h) && !h.Equal(&c))
}

func TestHistogramEqualSeesEveryBucket(t *testing.T) {
	is := is.New(t)
	// The same count, sum, minimum and maximum in different buckets.
	a := record([]time.Duration{1, 10, 30, 100})
	b := record([]time.Duration{1, 20, 20, 100})
	is.True(!a.Equal(b))
	c := record([]time.Duration{0, 3000, 5000, 9000})
	d := record([]time.Duration{0, 1000, 7000, 9000})
	is.True(!c.Equal(d) && !d.Equal(c))
}

// Counts are kept in two halves of 32 bits.
func TestHistogramCountsBeyondTheLowerHalf(t *testing.T) {
	const half = 1 << 32
	const d, other = 1000, 5 * time.Second
	counts := func(h *core.Histogram) (list []uint64) {
		for _, n := range h.Buckets() {
			list = append(list, n)
		}
		return list
	}
	a := new(core.Histogram)
	a.RecordN(d, half-1)
	a.RecordN(other, 3*half+7)
	b := a.Clone()
	b.Record(d)
	twice, itself := a.Clone(), a.Clone()
	twice.Merge(a)
	itself.Merge(&itself)
	fresh := new(core.Histogram)
	fresh.RecordN(d, half)
	decoded := new(core.Histogram)
	is.New(t).NoErr(decoded.UnmarshalText([]byte(encoded(t, &b))))
	for _, tt := range []struct {
		name string
		h    *core.Histogram
		want []uint64
	}{
		{"below", a, []uint64{half - 1, 3*half + 7}},
		{"one more carries", &b, []uint64{half, 3*half + 7}},
		{"merge", &twice, []uint64{2*half - 2, 6*half + 14}},
		{"merge with itself", &itself, []uint64{2*half - 2, 6*half + 14}},
		{"a lower half of zero", fresh, []uint64{half}},
		{"decoded", decoded, []uint64{half, 3*half + 7}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			is := is.New(t)
			is.Equal(counts(tt.h), tt.want)
			var sum uint64
			for _, n := range tt.want {
				sum += n
			}
			is.Equal(tt.h.Count(), sum)
			c := tt.h.Clone()
			is.True(c.Equal(tt.h))
			c.Reset()
			is.True(c.Equal(nil))
			is.Equal(counts(&c), []uint64(nil))
		})
	}
	is := is.New(t)
	is.True(twice.Equal(&itself))
	is.True(!a.Equal(&b) && !b.Equal(a))
	upper := new(core.Histogram) // differs from fresh in the upper half alone
	upper.RecordN(d, half)
	upper.RecordN(d, 2*half)
	is.True(!upper.Equal(fresh) && !fresh.Equal(upper))
	is.Equal(a.CountAtOrBelow(d), uint64(half-1))
	is.True(a.Quantile(0.2) < d+4 && a.Quantile(0.9) > other/2) // d's bucket ends there
}

func TestHistogramAllocatesNothingOnceWarm(t *testing.T) {
	is := is.New(t)
	ds := samples()["lognormal"][:1000]
	h, o := record(ds), record(ds)
	is.Equal(testing.AllocsPerRun(10, func() {
		h.Reset()
		for _, d := range ds {
			h.Record(d)
			h.RecordN(d, 3)
		}
		h.Merge(o)
		_ = h.Quantile(0.99)
		_ = h.CountAtOrBelow(time.Millisecond)
		if !h.Equal(h) {
			t.Error("not equal to itself")
		}
	}), 0.0)
}

// The named peer is the standard Go HDR histogram, at two significant digits:
// the same number of buckets to a power of two.
func BenchmarkHistogramRecord(b *testing.B) {
	ds := samples()["lognormal"][:1024]
	b.Run("benchfleet", func(b *testing.B) {
		h := record(ds)
		b.ReportAllocs()
		for i := 0; b.Loop(); i++ {
			h.Record(ds[i&1023])
		}
	})
	b.Run("hdrhistogram-go", func(b *testing.B) {
		h := hdrhistogram.New(1, 1<<42-1, 2)
		b.ReportAllocs()
		for i := 0; b.Loop(); i++ {
			if err := h.RecordValue(int64(ds[i&1023])); err != nil {
				b.Fatal(err)
			}
		}
	})
}

func BenchmarkHistogramMerge(b *testing.B) {
	h, o := record(samples()["lognormal"]), record(samples()["lognormal"])
	b.ReportAllocs()
	for b.Loop() {
		h.Merge(o)
	}
}

func BenchmarkHistogramQuantile(b *testing.B) {
	h := record(samples()["lognormal"])
	for b.Loop() {
		_ = h.Quantile(0.99)
	}
}
