package core_test

import (
	"errors"
	"fmt"
	"strings"
	"testing"

	"github.com/matryer/is"

	"github.com/benchfleet/benchfleet/core"
)

func pool(t testing.TB, n int) core.ValuePool {
	t.Helper()
	var values []any
	for i := range n {
		values = append(values, fmt.Sprintf("value %04d", i))
	}
	p, err := core.NewValuePool(values)
	if err != nil {
		t.Fatal(err)
	}
	return p
}

// poolScenario has one operation with a parameter that draws from a pool.
func poolScenario(connections int, d core.Distribution) core.Scenario {
	return core.Scenario{
		Load: core.ScenarioLoad{Connections: connections, Seed: 1}, Table: core.TemplateTable{Name: "T", Rows: 100}, InsertBase: streamBase,
		Operations: []core.Operation{{Kind: "X", Weight: core.MixTotal,
			Parameters: []core.Parameter{{Type: core.ParamPool, Column: "STATUS", Size: 100, Distribution: d}},
			Statements: []core.Statement{{SQL: "SELECT ?", Bind: []int{0}}}}},
	}
}

// No two connections share a value, and together they have all of them, for every
// size of a pool that is enough.
func TestPoolShards(t *testing.T) {
	for _, d := range []core.Distribution{core.Uniform, core.Sequential} {
		for connections := 1; connections <= 7; connections++ {
			for n := connections; n <= 3*connections+2; n++ {
				is := is.New(t)
				g, err := core.NewGenerator(poolScenario(connections, d), pool(t, n))
				is.NoErr(err)
				owner := map[any]int64{}
				for c := range int64(connections) {
					s := measured(g, c)
					for range 60 {
						s.Next()
						value := s.Args(0)[0]
						if other, taken := owner[value]; taken && other != c {
							t.Fatalf("%d values, connections %d and %d of %d: both %v", n, other, c, connections, value)
						}
						owner[value] = c
					}
				}
				is.Equal(len(owner), n) // all came
			}
		}
	}
}

func TestPoolSequential(t *testing.T) {
	is := is.New(t)
	g, err := core.NewGenerator(poolScenario(2, core.Sequential), pool(t, 5))
	is.NoErr(err)
	s := measured(g, 0)
	for _, want := range []string{"value 0000", "value 0002", "value 0004", "value 0000"} {
		s.Next()
		is.Equal(s.Args(0)[0], want)
	}
}

func TestPoolTooSmallOrMissing(t *testing.T) {
	is := is.New(t)
	_, err := core.NewGenerator(poolScenario(3, core.Uniform), pool(t, 2))
	is.True(errors.Is(err, core.ErrInvalid))
	_, err = core.NewGenerator(poolScenario(3, core.Uniform))
	is.True(errors.Is(err, core.ErrInvalid))
	_, err = core.NewGenerator(poolScenario(3, core.Uniform), pool(t, 9), pool(t, 9))
	is.True(errors.Is(err, core.ErrInvalid))
}

// A pool is the same after it was stored, in whatever order it was sampled, and one
// that was changed is noticed.
func TestPoolIsFrozen(t *testing.T) {
	for _, values := range [][]any{
		{"b", "a", "a", "<é>", ""},
		{int64(1<<63 - 1), int64(-1 << 63), int64(0), int64(1<<53 + 1)},
		pool(t, 2500).Values(),
	} {
		is := is.New(t)
		p, err := core.NewValuePool(values)
		is.NoErr(err)
		chunks, err := p.Chunks()
		is.NoErr(err)
		is.Equal(len(chunks), (p.Len()+999)/1000)
		id := core.PoolID(chunks)
		again, err := core.ParsePool(id, chunks)
		is.NoErr(err)
		is.Equal(again.Values(), p.Values())
		_, err = core.ParsePool(id, chunks[:len(chunks)-1])
		is.True(errors.Is(err, core.ErrInvalid))
		chunks[0] = strings.Replace(chunks[0], "[", "[ ", 1)
		_, err = core.ParsePool(id, chunks)
		is.True(errors.Is(err, core.ErrInvalid))
	}
}

func TestPoolRefusals(t *testing.T) {
	for want, values := range map[string][]any{
		"type float64":           {1.5},
		"type bool":              {true},
		"some values are whole":  {int64(1), "a"},
		"not valid UTF-8":        {"a", "\xe9t\xe9"},
		"a value has 1001 bytes": {strings.Repeat("x", 1001)},
		"100001 values":          make([]any, 100_001),
	} {
		_, err := core.NewValuePool(values)
		if !errors.Is(err, core.ErrInvalid) || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %v", want, err)
		}
	}
	spec, table := core.PoolSpec{Column: "CUSTOMER_ID", Size: 10}, core.TemplateTable{Name: "T"}
	for _, c := range []struct {
		values, connections int
		severity            core.Severity
		message             string
	}{
		{0, 1, core.SeverityError, "the pool is empty: column CUSTOMER_ID of table T has no value that is not NULL"},
		{3, 4, core.SeverityError, "has 3 values for 4 connections, and each needs at least one of its own"},
		{4, 4, core.SeverityOK, "4 values of column CUSTOMER_ID of table T, 1 to 1 for each connection"},
		{10, 4, core.SeverityOK, "2 to 3 for each connection"},
	} {
		is := is.New(t)
		f := core.PoolFinding(spec, table, pool(t, c.values), core.ScenarioLoad{Scaling: core.ScalingFixed, Workers: 1, Connections: c.connections})
		is.Equal(f.Severity, c.severity)
		is.True(strings.Contains(f.Message, c.message))
		is.Equal(f.Mend == "", c.severity == core.SeverityOK)
	}
}

// The mend names keys that the scaling takes.
func TestPoolTooSmallForEveryScaling(t *testing.T) {
	spec, table := core.PoolSpec{Column: "CUSTOMER_ID", Size: 10}, core.TemplateTable{Name: "T"}
	for _, c := range []struct {
		mode, scaling string
		want          string
	}{
		{core.ModeConcurrency, core.ScalingFixed, "lower load.connections to 2, raise size"},
		{core.ModeConcurrency, core.ScalingBounded, "lower load.connections to 5, raise size"},
		{core.ModeQPS, core.ScalingBounded, "lower load.min_workers and load.max_workers to 1, raise size"},
		{core.ModeQPS, core.ScalingAuto, "take load.scaling BOUNDED with load.max_workers 1 and load.max_connections 5, raise size"},
	} {
		is := is.New(t)
		f := core.PoolFinding(spec, table, pool(t, 5), core.ScenarioLoad{Mode: c.mode, Scaling: c.scaling, Workers: 2, Connections: 6})
		is.True(strings.HasPrefix(f.Mend, c.want))
	}
}

func TestPoolParameterRefusals(t *testing.T) {
	for want, p := range map[string]core.Parameter{
		"parameters[0].column is missing":                                         {},
		`parameters[0].column is "A B"; allowed: letters, digits and underscores`: {Column: "A B"},
		"parameters[0].size is 100001; allowed: 1 to 100000, or none for 10000":   {Column: "A", Size: 100_001},
		`parameters[0].table is "tellers"; the parts of the layout are: none`:     {Column: "A", Table: "tellers"},
		`parameters[0].distribution is "zipfian"; allowed: uniform, sequential`:   {Column: "A", Distribution: core.Zipfian},
	} {
		p.Type = core.ParamPool
		template := core.Template{
			Name: "t", Target: core.TemplateTarget{Kind: "sqlite"}, Load: core.TemplateLoad{Workers: 1, Connections: 1}, Table: core.TemplateTable{Name: "T", Rows: 10},
			Mix: []core.TemplateOp{{Kind: "X", Weight: 100, SQL: "SELECT ?", Parameters: []core.Parameter{p}}},
		}
		if err := template.Validate(); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %v", want, err)
		}
	}
}

// One pool serves every parameter of the same column.
func TestScenarioPools(t *testing.T) {
	is := is.New(t)
	s := poolScenario(1, core.Uniform)
	s.Operations = append(s.Operations, s.Operations[0])
	is.Equal(s.Pools(), []core.PoolSpec{{Column: "STATUS", Size: 100}})
	s.Operations[1].Parameters = []core.Parameter{{Type: core.ParamPool, Table: "tellers", Column: "BID", Size: 7}, {Type: core.ParamInt}}
	is.Equal(s.Pools(), []core.PoolSpec{{Column: "STATUS", Size: 100}, {Table: "tellers", Column: "BID", Size: 7}})
	is.Equal(len(streamScenario(t, 1).Pools()), 0)
}
