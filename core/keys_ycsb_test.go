package core_test

import (
	"encoding/binary"
	"hash/fnv"
	"math"
	"testing"

	"github.com/matryer/is"

	"github.com/benchfleet/benchfleet/core"
)

// ycsbReference is ZipfianGenerator.nextLong and Utils.fnvhash64 of YCSB 0.17,
// written down again with the functions of package math and hash/fnv.
func ycsbReference(u float64, rows int64) int64 {
	const items, zetan, theta = 10_000_000_001.0, 26.46902820178302, 0.99
	alpha, zeta2 := 1/(1-theta), 1+math.Pow(2, -theta)
	eta := (1 - math.Pow(2/items, 1-theta)) / (1 - zeta2/zetan)
	uz := u * zetan
	item := int64(items * math.Pow(eta*u-eta+1, alpha))
	switch {
	case uz < 1:
		item = 0
	case uz < 1+math.Pow(0.5, theta):
		item = 1
	}
	h := fnv.New64a()
	_ = binary.Write(h, binary.LittleEndian, item)
	key := int64(h.Sum64())
	if key < 0 {
		key = -key
	}
	return key % rows
}

// The keys are those of YCSB for the same random numbers. Where the item is large
// the last bit of a power decides about it, and math.Pow may differ from Java's as
// well: the share of such items is bounded.
func TestScrambledIsYCSBs(t *testing.T) {
	is := is.New(t)
	const draws = 200_000
	k := newKeys(t, core.Scrambled, 100_000, 0)
	other := 0
	for n := range uint64(draws) {
		r := core.NewRand(5, 1, n)
		u := core.NewRand(5, 1, n)
		if k.Key(&r, 0, 1, 0) != ycsbReference(u.Float64(), 100_000) {
			other++
		}
	}
	t.Logf("%d of %d keys differ by a rounding", other, draws)
	is.True(other < draws/50)
}

// The frequent keys come as often as the law says: item k with 1/k^0.99 over
// YCSB's sum, so the first one in 3.78 % of all choices, whatever the rows are.
func TestScrambledLaw(t *testing.T) {
	const draws = 400_000
	for _, rows := range []int64{1000, 1 << 40} {
		k := newKeys(t, core.Scrambled, rows, 0)
		counts := map[int64]int{}
		for n := range uint64(draws) {
			r := core.NewRand(3, 2, n)
			counts[k.Key(&r, 0, 1, 0)]++
		}
		for item, p := range []float64{1 / 26.46902820178302, math.Pow(0.5, 0.99) / 26.46902820178302} {
			h := fnv.New64a()
			_ = binary.Write(h, binary.LittleEndian, int64(item))
			key := int64(h.Sum64())
			key = max(key, -key) % rows
			expected := draws * p
			more := 0.0 // what other items add to the key by their hash
			if rows == 1000 {
				more = draws / 1000
			}
			if got := float64(counts[key]); got < expected-5*math.Sqrt(expected) || got > expected+more+5*math.Sqrt(expected+more) {
				t.Errorf("%d rows, item %d: %v choices, %v expected", rows, item, got, expected)
			}
		}
	}
}

// Reads of recent rows choose among the newest ones of their own connection and the
// last of the table, the newest most often.
func TestRecentKeys(t *testing.T) {
	is := is.New(t)
	const rows, connections = 50, 3
	statement := func(kind string, weight int, p core.ParameterType) core.Operation {
		return core.Operation{Kind: kind, Weight: weight, Parameters: []core.Parameter{{Type: p, Theta: 0.99}},
			Statements: []core.Statement{{SQL: "SELECT ?", Bind: []int{0}}}}
	}
	scenario := core.Scenario{
		Load: core.ScenarioLoad{Connections: connections, Seed: 1}, Table: core.TemplateTable{Rows: rows}, InsertBase: streamBase,
		Operations: []core.Operation{statement("R", 8000, core.ParamRecentKey), statement("I", 2000, core.ParamInsertKey)},
	}
	g := generator(t, scenario)
	elsewhere := scenario
	elsewhere.InsertBase += core.InsertRange
	other := generator(t, elsewhere)
	for connection := range int64(connections) {
		s, o := measured(g, connection), measured(other, connection)
		var inserted []int64
		newest, hits := 0, 0
		for range 2000 {
			operation := s.Next()
			is.Equal(o.Next(), operation)
			is.Equal(o.Hash(), s.Hash()) // whatever the base is
			key := s.Args(0)[0].(int64)
			if operation == 1 {
				inserted = append(inserted, key)
				continue
			}
			window := inserted[max(0, len(inserted)-rows):]
			switch {
			case len(window) > 0 && key == window[len(window)-1]:
				newest++
			case key >= streamBase:
				hits++
				found := false
				for _, k := range window {
					found = found || k == key
				}
				is.True(found) // of its own, and not too old
			default:
				is.True(key >= int64(len(inserted)) && key < rows) // the last of the table
			}
		}
		is.True(newest > 250 && newest < 450) // 1 / the sum of k^-0.99 to 50 is 22 % of 1600
		is.True(hits > 900)
	}
}
