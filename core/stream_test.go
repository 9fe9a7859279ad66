package core_test

import (
	"fmt"
	"maps"
	"testing"

	"github.com/matryer/is"

	"github.com/benchfleet/benchfleet/core"
)

const streamBase = 7 * core.InsertRange

// streamScenario is the scenario of resolvable with a number of connections.
func streamScenario(t testing.TB, connections int) core.Scenario {
	t.Helper()
	s, err := resolvable().Resolve(core.Resolution{})
	if err != nil {
		t.Fatal(err)
	}
	s.Load.Connections = connections
	s.InsertBase = streamBase
	return s
}

func generator(t testing.TB, s core.Scenario) *core.Generator {
	t.Helper()
	g, err := core.NewGenerator(s)
	if err != nil {
		t.Fatal(err)
	}
	return g
}

// measured is a connection's stream at the beginning of the measurement.
func measured(g *core.Generator, connection int64) *core.Stream {
	s := g.Connection(connection)
	s.Measure()
	return s
}

// one is a generator of a single operation, of one statement with one parameter.
func one(t testing.TB, p core.Parameter, connections int) *core.Generator {
	t.Helper()
	return generator(t, core.Scenario{
		Load: core.ScenarioLoad{Connections: connections, Seed: 1}, Table: core.TemplateTable{Rows: 100}, InsertBase: streamBase,
		Operations: []core.Operation{{Kind: "X", Weight: core.MixTotal, Parameters: []core.Parameter{p}, Statements: []core.Statement{{SQL: "SELECT ?", Bind: []int{0}}}}},
	})
}

func ExampleGenerator() {
	template := core.Template{
		Name: "lookups", Target: core.TemplateTarget{Kind: "sqlite"}, Table: core.TemplateTable{Name: "BENCH", Rows: 1000},
		Load: core.TemplateLoad{Workers: 2, Connections: 1},
		Mix:  []core.TemplateOp{{Kind: core.PointLookup, Weight: 75}, {Kind: core.Insert, Weight: 25}},
	}
	scenario, err := template.Resolve(core.Resolution{})
	if err != nil {
		fmt.Println(err)
		return
	}
	scenario.InsertBase = core.InsertRange
	generator, err := core.NewGenerator(scenario)
	if err != nil {
		fmt.Println(err)
		return
	}
	stream := generator.Connection(0)
	stream.Measure()
	for range 4 {
		operation := stream.Next()
		fmt.Println(scenario.Operations[operation].Kind, stream.Args(0)[0])
	}
	// Output:
	// INSERT 8589934592
	// POINT_LOOKUP 974
	// POINT_LOOKUP 644
	// POINT_LOOKUP 143
}

// TestStreamIsTheSameForAnyWorkers is the promise of deterministic work: the
// operations of a run do not depend on how its connections are spread.
func TestStreamIsTheSameForAnyWorkers(t *testing.T) {
	const connections, operations = 15, 10_007
	type result struct {
		hash   uint64
		counts map[uint64]int
	}
	run := func(workers int) result {
		r := result{counts: map[uint64]int{}}
		s := streamScenario(t, connections)
		for w := range workers {
			g := generator(t, s) // each worker makes its own
			first, count := core.Connections(connections, workers, w)
			for c := first; c < first+count; c++ {
				stream := g.Connection(int64(c))
				for range w * 3 { // workers warm up for different lengths
					stream.Next()
				}
				stream.Measure()
				for range core.Quota(operations, connections, int64(c)) {
					stream.Next()
					r.hash += stream.Hash()
					r.counts[stream.Hash()]++
				}
			}
		}
		return r
	}
	is := is.New(t)
	alone := run(1)
	total := 0
	for _, n := range alone.counts {
		total += n
	}
	is.Equal(total, operations)
	is.True(len(alone.counts) > 4000)                // a hash that says nothing would be equal too
	is.Equal(alone.hash, uint64(0x983b25aaa28e37ac)) // on every platform, in every version
	for _, workers := range []int{2, 3, 5, 15, 20} {
		spread := run(workers)
		is.Equal(spread.hash, alone.hash)
		is.True(maps.Equal(spread.counts, alone.counts))
	}
}

func TestStreamSharesAreExact(t *testing.T) {
	is := is.New(t)
	s := streamScenario(t, 4)
	stream := measured(generator(t, s), 2)
	counts := make([]int, len(s.Operations))
	for range core.MixTotal {
		counts[stream.Next()]++
	}
	for i, op := range s.Operations {
		is.Equal(counts[i], op.Weight)
	}
	is.Equal(stream.N(), int64(core.MixTotal))
}

func TestStreamDependsOnEachInput(t *testing.T) {
	is := is.New(t)
	hash := func(change func(*core.Scenario), connection int64) (sum uint64) {
		s := streamScenario(t, 4)
		change(&s)
		stream := measured(generator(t, s), connection)
		for range 500 {
			stream.Next()
			sum += stream.Hash()
		}
		return sum
	}
	same := func(*core.Scenario) {}
	plain := hash(same, 0)
	is.Equal(plain, hash(same, 0))
	is.True(plain != hash(same, 1))
	is.True(plain != hash(func(s *core.Scenario) { s.Load.Seed = 2 }, 0))
	is.True(plain != hash(func(s *core.Scenario) { s.Table.Rows = 1001 }, 0))
	is.True(plain != hash(func(s *core.Scenario) { s.Operations[0].Parameters[0].Theta = 1.2 }, 0))
	is.True(plain != hash(func(s *core.Scenario) { s.Operations[6].Parameters[1].Add = 2 }, 0))
	// What must not count: where the run's keys begin, and SQL text.
	is.Equal(plain, hash(func(s *core.Scenario) { s.InsertBase = 99 * core.InsertRange }, 0))
	is.Equal(plain, hash(func(s *core.Scenario) { s.Operations[0].Statements[0].SQL = "SELECT 1 FROM t WHERE id = ?" }, 0))
}

// TestStreamKeys follows inserted and deleted keys through warm-up and
// measurement of several connections.
func TestStreamKeys(t *testing.T) {
	is := is.New(t)
	const connections, insert, remove = 5, 2, 4
	s := streamScenario(t, connections)
	g := generator(t, s)
	mix := mixOf(t, s)
	seen := map[int64]bool{}
	for c := range int64(connections) {
		stream := g.Connection(c)
		for _, phase := range []struct{ from, to int64 }{{streamBase + core.InsertRange/2, streamBase + core.InsertRange}, {streamBase, streamBase + core.InsertRange/2}} {
			var ops []int
			inserted, removed := map[int]int64{}, map[int]int64{} // by n: the key
			for n := range 3000 {
				ops = append(ops, stream.Next())
				switch ops[n] {
				case insert:
					key := stream.Args(0)[0].(int64)
					is.True(key >= phase.from && key < phase.to)
					is.True(!seen[key]) // no connection, no phase inserts a key again
					seen[key], inserted[n] = true, key
				case remove:
					removed[n] = stream.Args(0)[0].(int64)
				}
			}
			start := startOf(mix, ops)
			for n, key := range removed {
				back, ok := mix.Previous(start+uint64(n), insert)
				is.True(ok)
				want := int64(streamBase - 1) // nothing was inserted yet: a key that never exists
				if back <= n {
					want = inserted[n-back]
				}
				is.Equal(key, want)
			}
			is.Equal(len(removed), 150)
			stream.Measure()
			is.Equal(stream.N() == 0, phase.from != streamBase) // the second time nothing changes
		}
	}
	// Keys lie close together: a phase of c connections with i inserts each ends at c·i.
	for key := range seen {
		is.True((key-streamBase)%(core.InsertRange/2) < 301*connections)
	}
}

func mixOf(t testing.TB, s core.Scenario) core.Mix {
	t.Helper()
	var weights []int
	for _, op := range s.Operations {
		weights = append(weights, op.Weight)
	}
	mix, err := core.NewMix(weights)
	if err != nil {
		t.Fatal(err)
	}
	return mix
}

// startOf is the position of a mix from which these operations follow.
func startOf(mix core.Mix, ops []int) uint64 {
	follows := func(start uint64) bool {
		for i, op := range ops {
			if mix.At(start+uint64(i)) != op {
				return false
			}
		}
		return true
	}
	start := uint64(0)
	for start < uint64(mix.Len()) && !follows(start) {
		start++
	}
	return start
}

func TestStreamBeforeAndAfter(t *testing.T) {
	is := is.New(t)
	stream := generator(t, streamScenario(t, 1)).Connection(0)
	is.Equal(stream.N(), int64(0))
	is.Equal(stream.Hash(), uint64(0))
	is.Equal(len(stream.Args(0)), 0)
	stream.Next()
	is.Equal(stream.N(), int64(1))
	is.True(stream.Hash() != 0)
	stream.Measure()
	is.Equal(stream.N(), int64(0))
	is.Equal(stream.Hash(), uint64(0))
	is.Equal(len(stream.Args(0)), 0)
}

func TestStreamWarmupDiffers(t *testing.T) {
	is := is.New(t)
	g := one(t, core.Parameter{Type: core.ParamInt, Max: 1 << 50}, 2)
	warm, hot := g.Connection(0), measured(g, 0)
	for range 100 {
		warm.Next()
		hot.Next()
		is.True(warm.Args(0)[0] != hot.Args(0)[0])
	}
	// How long a connection warmed up does not matter to its measurement.
	warm.Measure()
	again := measured(g, 0)
	for range 100 {
		warm.Next()
		again.Next()
		is.Equal(warm.Hash(), again.Hash())
	}
}

func TestStreamExhausted(t *testing.T) {
	is := is.New(t)
	const connections = 1 << 30
	g := generator(t, core.Scenario{
		Load: core.ScenarioLoad{Connections: connections, Seed: 1}, Table: core.TemplateTable{Rows: 10}, InsertBase: streamBase,
		Operations: []core.Operation{
			{Kind: "TWO", Weight: 5000, Statements: []core.Statement{{Bind: []int{0, 1}}},
				Parameters: []core.Parameter{{Type: core.ParamInsertKey}, {Type: core.ParamInsertKey}}},
			{Kind: "READ", Weight: 5000, Statements: []core.Statement{{}}},
		},
	})
	for _, phase := range []int64{streamBase + core.InsertRange/2, streamBase} {
		stream := g.Connection(connections - 1)
		if phase == streamBase {
			stream.Measure()
		}
		// (2^32-1) / (2^30 connections × 2 keys): one operation finds room, the second does not.
		inserts, made := 0, int64(0)
		for stream.Next() != core.Exhausted {
			if stream.N() > 10 {
				t.Fatal("it goes on")
			}
			made = stream.N()
			if args := stream.Args(0); len(args) == 2 {
				inserts++
				is.Equal(args, []any{phase + 2*(connections-1), phase + 2*(connections-1) + 1})
			}
		}
		is.Equal(inserts, 1)
		is.Equal(stream.Next(), core.Exhausted) // and stays so
		is.Equal(stream.N(), made)
		is.Equal(stream.Hash(), uint64(0))
		is.Equal(len(stream.Args(0)), 0)
		is.Equal(stream.Skip(), 0) // but it can be passed over, as what would have been made
		is.Equal(stream.N(), made+1)
		for stream.Next() != core.Exhausted {
			is.True(stream.N() < 20)
			is.Equal(len(stream.Args(0)), 0) // a READ: there is none the more room
		}
	}
}

// TestStreamTransaction: statements share the parameters of their operation.
func TestStreamTransaction(t *testing.T) {
	is := is.New(t)
	const transfer = 6
	s := streamScenario(t, 1)
	g := generator(t, s)
	is.Equal(g.FirstStatement(transfer), 6)
	is.Equal(s.Statements()[g.FirstStatement(transfer)].SQL, s.Operations[transfer].Statements[0].SQL)
	stream := measured(g, 0)
	met := 0
	for range 1000 {
		if stream.Next() != transfer {
			continue
		}
		met++
		debit, credit, all := stream.Args(0), stream.Args(1), stream.Args(2)
		is.Equal(debit[0], credit[0])
		is.Equal(credit[1].(int64), debit[1].(int64)+1)
		is.Equal(all, []any{debit[1], credit[1], debit[0]})
		is.Equal(len(stream.Args(3)), 0)
	}
	is.True(met > 20)
}

// TestStreamSequential: all connections together walk through every key, also
// when other operations come between.
func TestStreamSequential(t *testing.T) {
	is := is.New(t)
	const connections, rows = 4, 1000
	s := streamScenario(t, connections)
	s.Operations = []core.Operation{
		{Kind: "A", Weight: 5000, Statements: []core.Statement{{Bind: []int{0}}}, Parameters: []core.Parameter{{Type: core.ParamKey, Distribution: core.Sequential}}},
		{Kind: "B", Weight: 5000, Statements: []core.Statement{{}}},
	}
	g := generator(t, s)
	seen := map[int64]int{}
	for c := range int64(connections) {
		stream := g.Connection(c)
		for range 2 * (c + 1) { // the warm-up does not count
			stream.Next()
		}
		stream.Measure()
		for range 2 * rows / connections {
			stream.Next()
			for _, v := range stream.Args(0) {
				seen[v.(int64)]++
				is.True(stream.N() > 2 || v == any(c)) // each begins with its own index
			}
		}
	}
	is.Equal(len(seen), rows)
	for _, count := range seen {
		is.Equal(count, 1)
	}
}

func TestNewGeneratorRefusals(t *testing.T) {
	for name, change := range map[string]func(*core.Scenario){
		"no connections":    func(s *core.Scenario) { s.Load.Connections = 0 },
		"weights":           func(s *core.Scenario) { s.Operations[0].Weight++ },
		"no operations":     func(s *core.Scenario) { s.Operations = nil },
		"rows":              func(s *core.Scenario) { s.Table.Rows = 0 },
		"distribution":      func(s *core.Scenario) { s.Operations[0].Parameters[0].Distribution = "x" },
		"type":              func(s *core.Scenario) { s.Operations[0].Parameters[0].Type = "x" },
		"bind":              func(s *core.Scenario) { s.Operations[0].Statements[0].Bind = []int{1} },
		"negative bind":     func(s *core.Scenario) { s.Operations[0].Statements[0].Bind = []int{-1} },
		"int":               func(s *core.Scenario) { s.Operations[6].Parameters[2].Min = 200 },
		"choice":            func(s *core.Scenario) { s.Operations[5].Parameters[0].Values = nil },
		"choice of a list":  func(s *core.Scenario) { s.Operations[5].Parameters[0].Values = []any{[]any{}} },
		"string":            func(s *core.Scenario) { s.Operations[2].Parameters[4].Length = -1 },
		"float":             func(s *core.Scenario) { s.Operations[6].Parameters[2] = core.Parameter{Type: core.ParamFloat, Min: 2} },
		"offset of nothing": func(s *core.Scenario) { s.Operations[6].Parameters[1].Of = "x" },
		"offset of what is not": func(s *core.Scenario) {
			s.Operations[6].Parameters[0] = core.Parameter{Name: "from", Type: core.ParamBool}
		},
	} {
		t.Run(name, func(t *testing.T) {
			is := is.New(t)
			s := streamScenario(t, 3)
			change(&s)
			_, err := core.NewGenerator(s)
			is.Equal(core.CodeOf(err), core.Invalid)
		})
	}
}
