package core_test

import (
	"maps"
	"math"
	"slices"
	"testing"
	"time"

	"github.com/matryer/is"

	"github.com/benchfleet/benchfleet/core"
)

// TestStreamParameters makes many values of each type.
func TestStreamParameters(t *testing.T) {
	const n = 20_000
	values := func(p core.Parameter) []any {
		stream := measured(one(t, p, 3), 1)
		var made []any
		hashes := map[any]uint64{}
		for range n {
			stream.Next()
			v := stream.Args(0)[0]
			if h, ok := hashes[v]; ok && h != stream.Hash() {
				t.Fatalf("%v: the hash of %v differs", p.Type, v)
			}
			hashes[v] = stream.Hash()
			made = append(made, v)
		}
		if distinct := map[uint64]bool{}; true {
			for _, h := range hashes {
				distinct[h] = true
			}
			if len(distinct) != len(hashes) {
				t.Fatalf("%v: %d values have %d hashes", p.Type, len(hashes), len(distinct))
			}
		}
		return made
	}
	t.Run("key", func(t *testing.T) {
		is := is.New(t)
		for _, d := range core.Distributions() {
			for _, v := range values(core.Parameter{Type: core.ParamKey, Distribution: d}) {
				is.True(v.(int64) >= 0 && v.(int64) < 100)
			}
		}
	})
	t.Run("insert_key", func(t *testing.T) {
		is := is.New(t)
		for i, v := range values(core.Parameter{Type: core.ParamInsertKey}) {
			is.Equal(v.(int64), streamBase+int64(3*i+1))
		}
	})
	t.Run("inserted_key", func(t *testing.T) {
		is := is.New(t)
		is.Equal(values(core.Parameter{Type: core.ParamInsertedKey})[0], streamBase-1) // nothing inserts
	})
	t.Run("int", func(t *testing.T) {
		is := is.New(t)
		seen := map[int64]int{}
		for _, v := range values(core.Parameter{Type: core.ParamInt, Min: -2, Max: 2}) {
			seen[v.(int64)]++
		}
		is.Equal(slices.Sorted(maps.Keys(seen)), []int64{-2, -1, 0, 1, 2})
		for _, count := range seen {
			is.True(math.Abs(float64(count)-n/5) < 5*math.Sqrt(n/5))
		}
		is.Equal(values(core.Parameter{Type: core.ParamInt, Min: 7, Max: 7})[0], int64(7))
		for _, v := range values(core.Parameter{Type: core.ParamInt, Min: -1 << 53, Max: 1 << 53}) {
			is.True(v.(int64) >= -1<<53 && v.(int64) <= 1<<53)
		}
	})
	t.Run("float", func(t *testing.T) {
		is := is.New(t)
		sum := 0.0
		for _, v := range values(core.Parameter{Type: core.ParamFloat, Min: 1.5, Max: 2.5}) {
			is.True(v.(float64) >= 1.5 && v.(float64) < 2.5)
			sum += v.(float64)
		}
		is.True(math.Abs(sum/n-2) < 0.02)
		is.Equal(values(core.Parameter{Type: core.ParamFloat, Min: 3, Max: 3})[0], 3.0)
		for _, v := range values(core.Parameter{Type: core.ParamFloat, Min: -1e300, Max: math.Nextafter(-1e300, 0)}) {
			is.Equal(v, -1e300) // the end is never reached
		}
	})
	t.Run("string", func(t *testing.T) {
		is := is.New(t)
		distinct := map[string]bool{}
		for _, v := range values(core.Parameter{Type: core.ParamString, Length: 23}) {
			is.Equal(len(v.(string)), 23)
			for _, r := range v.(string) {
				is.True(r >= '0' && r <= '9' || r >= 'A' && r <= 'Z' || r >= 'a' && r <= 'z')
			}
			distinct[v.(string)] = true
		}
		is.Equal(len(distinct), n)
	})
	t.Run("bool", func(t *testing.T) {
		is := is.New(t)
		yes := 0
		for _, v := range values(core.Parameter{Type: core.ParamBool}) {
			if v.(bool) {
				yes++
			}
		}
		is.True(math.Abs(float64(yes)-n/2) < 500)
	})
	t.Run("timestamp", func(t *testing.T) {
		is := is.New(t)
		end := time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)
		earliest, latest := end, end.Add(-time.Hour)
		for _, v := range values(core.Parameter{Type: core.ParamTimestamp, Within: core.Duration(time.Hour)}) {
			at := v.(time.Time)
			is.True(at.Before(end) && !at.Before(end.Add(-time.Hour)))
			is.Equal(at.Location(), time.UTC)
			is.Equal(at.Nanosecond()%1000, 0)
			if at.Before(earliest) {
				earliest = at
			}
			if at.After(latest) {
				latest = at
			}
		}
		is.True(latest.Sub(earliest) > 59*time.Minute)
	})
	t.Run("choice", func(t *testing.T) {
		is := is.New(t)
		seen := map[any]int{}
		for _, v := range values(core.Parameter{Type: core.ParamChoice, Values: []any{"a", 1, 1.5, true, false, nil, "1"}}) {
			seen[v]++
		}
		is.Equal(len(seen), 7)
		is.True(seen[int64(1)] > 0 && seen[nil] > 0 && seen["1"] > 0 && seen[true] > 0)
	})
	t.Run("literal", func(t *testing.T) {
		is := is.New(t)
		is.Equal(values(core.Parameter{Type: core.ParamLiteral, Value: 5.0})[n-1], int64(5))
	})
}

// TestStreamHashForgetsInsertBase: what is derived from inserted keys counts by
// its offset in the run's range, so that a benchmark can be run again.
func TestStreamHashForgetsInsertBase(t *testing.T) {
	is := is.New(t)
	run := func(base, add int64) (sum uint64, last int64) {
		stream := measured(generator(t, core.Scenario{
			Load: core.ScenarioLoad{Connections: 2, Seed: 1}, Table: core.TemplateTable{Rows: 10}, InsertBase: base,
			Operations: []core.Operation{{Kind: "X", Weight: core.MixTotal, Statements: []core.Statement{{Bind: []int{0, 1, 2, 3}}}, Parameters: []core.Parameter{
				{Name: "new", Type: core.ParamInsertKey}, {Name: "old", Type: core.ParamInsertedKey},
				{Name: "next", Type: core.ParamOffset, Of: "new", Add: add}, {Name: "far", Type: core.ParamOffset, Of: "next", Add: 5},
			}}},
		}), 1)
		for range 100 {
			stream.Next()
			sum += stream.Hash()
		}
		args := stream.Args(0)
		is.Equal(args, []any{base + 199, base + 197, base + 199 + add, base + 204 + add})
		return sum, args[3].(int64)
	}
	one, oneKey := run(streamBase, 1)
	again, againKey := run(99*core.InsertRange, 1)
	other, _ := run(streamBase, 2)
	is.Equal(one, again)
	is.True(oneKey != againKey)
	is.True(one != other)
}

func BenchmarkStream(b *testing.B) {
	run := func(b *testing.B, stream *core.Stream, hash bool) {
		stream.Measure()
		var sum uint64
		b.ReportAllocs()
		for b.Loop() {
			stream.Next()
			_ = stream.Args(0)
			if hash {
				sum += stream.Hash()
			}
		}
		_ = sum
	}
	lookup := func(b *testing.B, d core.Distribution) *core.Stream {
		s := streamScenario(b, 12)
		_, parameters := core.DefaultStatement(core.PointLookup)
		parameters[0].Distribution = d
		s.Table.Rows = 100_000
		s.Operations = []core.Operation{{Weight: core.MixTotal, Parameters: parameters, Statements: []core.Statement{{Bind: []int{0}}}}}
		return generator(b, s).Connection(3)
	}
	b.Run("POINT_LOOKUP", func(b *testing.B) { run(b, lookup(b, core.Uniform), false) })
	b.Run("POINT_LOOKUP/hash", func(b *testing.B) { run(b, lookup(b, core.Uniform), true) })
	b.Run("POINT_LOOKUP/zipfian", func(b *testing.B) { run(b, lookup(b, core.Zipfian), true) })
	b.Run("INSERT", func(b *testing.B) {
		s := streamScenario(b, 12)
		s.Operations = s.Operations[2:3]
		s.Operations[0].Weight = core.MixTotal
		run(b, generator(b, s).Connection(3), true)
	})
	b.Run("mix", func(b *testing.B) { run(b, generator(b, streamScenario(b, 12)).Connection(3), true) })
}
