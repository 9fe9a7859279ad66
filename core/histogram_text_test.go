package core_test

import (
	"encoding/base64"
	"encoding/json"
	"errors"
	"math"
	"strings"
	"testing"
	"time"

	"github.com/matryer/is"

	"github.com/benchfleet/benchfleet/core"
)

func encoded(t testing.TB, h *core.Histogram) string {
	t.Helper()
	text, err := h.MarshalText()
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

func TestHistogramTextRoundTrip(t *testing.T) {
	cases := map[string]*core.Histogram{"empty": {}, "zero": record([]time.Duration{0})}
	for name, ds := range samples() {
		cases[name] = record(ds)
	}
	full := &core.Histogram{}
	for v := int64(1); v < 1<<43; v += 1 + v>>8 {
		full.RecordN(time.Duration(v), math.MaxUint64/100_000)
	}
	full.Record(longest)
	cases["every bucket"] = full
	for name, h := range cases {
		t.Run(name, func(t *testing.T) {
			is := is.New(t)
			text := encoded(t, h)
			back := record([]time.Duration{time.Hour}) // replaced by decoding
			is.NoErr(back.UnmarshalText([]byte(text)))
			is.True(back.Equal(h))
			is.Equal(encoded(t, back), text)
		})
	}
	t.Run("stable", func(t *testing.T) { // version 1 must stay readable
		is := is.New(t)
		is.Equal(encoded(t, &core.Histogram{}), "AQ==")
		is.Equal(encoded(t, record([]time.Duration{3, 3, 300})), "AbICA6kCAwKSAgE=")
	})
	t.Run("as a JSON field, also of a copy", func(t *testing.T) {
		is := is.New(t)
		type beat struct{ Latency core.Histogram }
		b := beat{*record([]time.Duration{3, 3, 300})}
		text, err := json.Marshal(b)
		is.NoErr(err)
		is.Equal(string(text), `{"Latency":"AbICA6kCAwKSAgE="}`)
		var back beat
		is.NoErr(json.Unmarshal(text, &back))
		is.True(back.Latency.Equal(&b.Latency))
	})
}

func TestHistogramRejectsMalformedText(t *testing.T) {
	raw := func(data ...byte) string { return base64.StdEncoding.EncodeToString(data) }
	cases := map[string]struct{ text, want string }{
		"nothing":              {"", "no version byte"},
		"not base64":           {"A!==", "illegal base64"},
		"base64 without pad":   {"AQ", "illegal base64"},
		"base64 spare bits":    {"AR==", "illegal base64"},
		"line break":           {"AQ\n==", "line break at byte 2"},
		"version":              {raw(9), "version 9"},
		"cut short in header":  {raw(1, 5), "min is cut short"},
		"cut short in buckets": {raw(1, 5, 5, 0), "bucket is cut short"},
		"bucket without count": {raw(1, 5, 5, 0, 5), "bucket count is cut short"},
		"long varint":          {raw(1, 0x85, 0, 5, 0, 5, 1), "sum is cut short, too large or not in its shortest form"},
		"min out of range":     {raw(1, 5, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 1, 0, 5, 1), "do not fit a duration"},
		"max out of range":     {raw(1, 5, 1, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x7f, 5, 1), "do not fit a duration"},
		"bucket beyond last":   {raw(1, 5, 5, 0, 0x80, 0x24, 1), "bucket 4608 is beyond the last, 4607"},
		"second beyond last":   {raw(1, 5, 5, 0, 5, 1, 0xfa, 0x23, 1), "bucket 4608 is beyond the last, 4607"},
		"empty bucket":         {raw(1, 5, 5, 0, 5, 0), "bucket 5 is stored but empty"},
		"min elsewhere":        {raw(1, 5, 4, 1, 5, 1), "min 4 ns is not in the first bucket, 5"},
		"max elsewhere":        {raw(1, 5, 5, 1, 5, 1), "max 6 ns is not in the last bucket, 5"},
		"sum too small":        {raw(1, 9, 5, 0, 5, 2), "sum 9 ns is not within 10 to 10 ns"},
		"sum too large":        {raw(1, 11, 5, 0, 5, 2), "sum 11 ns is not within 10 to 10 ns"},
		"counts overflow": {raw(1, 9, 5, 1, 5, 1, 0, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 1),
			"counts overflow at bucket 6"},
		"too long": {strings.Repeat("A", 1<<20), "1048576 bytes of text, at most"},
	}
	for name, c := range cases {
		t.Run(name, func(t *testing.T) {
			is := is.New(t)
			h := record([]time.Duration{time.Second})
			before := h.Clone()
			err := h.UnmarshalText([]byte(c.text))
			is.True(errors.Is(err, core.ErrInvalid))
			is.True(strings.Contains(err.Error(), c.want)) // says what is wrong
			is.True(h.Equal(&before))                      // and leaves the histogram alone
		})
	}
}

// Any text either fails or decodes to a consistent histogram that encodes to
// the same text again.
func FuzzHistogramDecode(f *testing.F) {
	f.Add([]byte("AQ=="))
	f.Add([]byte("AbICA6kCAwKSAgE="))
	for _, ds := range samples() {
		f.Add([]byte(encoded(f, record(ds[:50]))))
	}
	f.Add([]byte(encoded(f, record([]time.Duration{0, time.Hour, longest}))))
	f.Fuzz(func(t *testing.T, text []byte) {
		var h core.Histogram
		if err := h.UnmarshalText(text); err != nil {
			if !errors.Is(err, core.ErrInvalid) || !h.Equal(nil) {
				t.Fatal(err)
			}
			return
		}
		if got := encoded(t, &h); got != string(text) {
			t.Fatalf("%q encodes again as %q", text, got)
		}
		var total uint64
		last := time.Duration(-1)
		for bound, n := range h.Buckets() {
			if bound <= last || n == 0 {
				t.Fatalf("bucket %v of %d after %v", bound, n, last)
			}
			last = bound
			total += n
		}
		if total != h.Count() || (total > 0 && last < h.Max()) || h.Min() > h.Max() {
			t.Fatalf("%d of %d counted, last bound %v, min %v, max %v", total, h.Count(), last, h.Min(), h.Max())
		}
		for _, q := range []float64{0, 0.5, 0.999, 1} {
			if d := h.Quantile(q); d < h.Min() || d > h.Max() {
				t.Fatalf("p%g %v is not within %v to %v", q*100, d, h.Min(), h.Max())
			}
		}
	})
}

func BenchmarkHistogramMarshalText(b *testing.B) {
	h := record(samples()["lognormal"])
	b.ReportMetric(float64(len(encoded(b, h))), "bytes")
	for b.Loop() {
		_ = encoded(b, h)
	}
}
