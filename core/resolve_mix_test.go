package core_test

import (
	"encoding/json"
	"fmt"
	"math"
	"strings"
	"testing"

	"github.com/matryer/is"

	"github.com/benchfleet/benchfleet/core"
)

// TestMixRefusals plants one mistake each into the operations.
func TestMixRefusals(t *testing.T) {
	const lookup, insert, count, transfer = 0, 2, 5, 6
	for _, c := range []struct {
		plant   func([]core.TemplateOp)
		message string
	}{
		{func(m []core.TemplateOp) { m[lookup].Kind = "" }, `mix[0].kind is missing; write one of POINT_LOOKUP, RANGE_SCAN, INSERT, UPDATE, DELETE, or a name of your own
mix[0] has neither sql nor statements, and "" is not built in
mix[0].keys is "zipfian", but the operation has no parameter of type key`},
		{func(m []core.TemplateOp) { m[count].Kind = "TOTAL" }, `mix[5].kind is "TOTAL", which is the name of the sum of all kinds; choose another
slos[1] is about "COUNT_STATUS", which is not in the mix; allowed: POINT_LOOKUP, RANGE_SCAN, INSERT, UPDATE, DELETE, TOTAL, TRANSFER`},
		{func(m []core.TemplateOp) { m[transfer].Kind = "point_lookup" },
			`mix[6].kind is "point_lookup"; allowed: up to 100 capital letters, digits and underscores, the first a letter; did you mean POINT_LOOKUP?`},
		{func(m []core.TemplateOp) { m[transfer].Kind = "COUNT_STATUS" }, `mix[6].kind is "COUNT_STATUS" a second time; it is the kind of mix[5] already`},
		{func(m []core.TemplateOp) { m[4].Kind = "DELET" }, `mix[4] has neither sql nor statements, and "DELET" is not built in; did you mean DELETE?`},
		{func(m []core.TemplateOp) { m[transfer].SQL = "SELECT 1" }, `mix[6] has both sql and statements; keep one of them`},

		{func(m []core.TemplateOp) { m[1].Weight = 0 }, `mix[1].weight is 0; allowed: above 0 to 100 percent`},
		{func(m []core.TemplateOp) { m[1].Weight = -3 }, `mix[1].weight is -3; allowed: above 0 to 100 percent`},
		{func(m []core.TemplateOp) { m[1].Weight = 101 }, `mix[1].weight is 101; allowed: above 0 to 100 percent`},
		{func(m []core.TemplateOp) { m[1].Weight = math.NaN() }, `mix[1].weight is NaN; allowed: above 0 to 100 percent`},
		{func(m []core.TemplateOp) { m[1].Weight = 9.999 }, `mix[1].weight is 9.999; allowed: at most two decimals`},
		{func(m []core.TemplateOp) { m[1].Weight = 1e-7 }, `mix[1].weight is 1e-07; allowed: at most two decimals`},
		{func(m []core.TemplateOp) { m[1].Weight = 9.99 }, `mix has weights that sum to 99.99 (59.99 + 9.99 + 10 + 10 + 5 + 2.51 + 2.5); they must sum to 100`},
		{func(m []core.TemplateOp) { m[1].Weight = 30 }, `mix has weights that sum to 120 (59.99 + 30 + 10 + 10 + 5 + 2.51 + 2.5); they must sum to 100`},

		{func(m []core.TemplateOp) { m[lookup].Keys = "zipfain" }, `mix[0].keys is "zipfain"; allowed: uniform, zipfian, scrambled_zipfian, sequential, latest; did you mean zipfian?`},
		{func(m []core.TemplateOp) { m[insert].Keys = core.Uniform }, `mix[2].keys is "uniform", but the operation has no parameter of type key`},
		{func(m []core.TemplateOp) { m[insert].Theta = 1 }, `mix[2].theta is 1, but the operation has no parameter of type key`},
		{func(m []core.TemplateOp) { m[lookup].Theta = 6 }, `mix[0].theta is 6; allowed: above 0 to 5, or none for 0.99`},
		{func(m []core.TemplateOp) { m[1].Theta = 0.5 }, `mix[1].theta is 0.5, but has an effect only with keys zipfian or latest`},
		{func(m []core.TemplateOp) { m[lookup].Span = 5 }, `mix[0].span is 5, but has an effect only on a RANGE_SCAN without sql and parameters of its own`},
		{func(m []core.TemplateOp) { m[1].Span = -5 }, `mix[1].span is -5; allowed: 1 to 1000000 keys`},
		{func(m []core.TemplateOp) { m[1].Span = 1e7 }, `mix[1].span is 10000000; allowed: 1 to 1000000 keys`},

		{func(m []core.TemplateOp) { m[count].Access = "WRIT" }, `mix[5].access is "WRIT"; allowed: READ, WRITE; did you mean WRITE?`},
		{func(m []core.TemplateOp) { m[count].SQL = "SELECT 'x" }, `mix[5].sql is wrong: SQL, line 1, column 8: the quote ' is not closed`},
		{func(m []core.TemplateOp) { m[count].SQL = "SELECT ?; SELECT 1" }, `mix[5].sql is wrong: SQL, line 1, column 11: a second statement begins here; one is allowed`},
		{func(m []core.TemplateOp) { m[count].SQL = " " }, `mix[5].sql is wrong: SQL, line 1, column 1: there is no statement`},
		{func(m []core.TemplateOp) { m[count].SQL = "SELECT " + strings.Repeat("1", 100_000) }, `mix[5].sql has 100007 bytes; allowed: up to 100000`},
		{func(m []core.TemplateOp) { m[count].SQL = "SELECT ?, ?" }, `mix[5].parameters has 1 entries (number 1), too few for the 2 placeholders of its sql`},
		{func(m []core.TemplateOp) { m[count].SQL = "SELECT 1" }, `mix[5].parameters has 1 entries (number 1), too many for the 0 placeholders of its sql`},
		{func(m []core.TemplateOp) { m[count].Parameters = nil }, `mix[5].parameters has 0 entries, too few for the 1 placeholders of its sql`},
		{func(m []core.TemplateOp) {
			m[1].Parameters, m[1].Span = []core.Parameter{{Name: "a", Type: core.ParamKey}}, 0
		},
			`mix[1].parameters has 1 entries (a), too few for the 2 placeholders of its sql`},

		{func(m []core.TemplateOp) { m[transfer].Statements[0].Bind = []string{"amount"} }, `mix[6].statements[0].bind names 1 parameters; the sql has 2 placeholders`},
		{func(m []core.TemplateOp) { m[transfer].Statements[0].Bind = nil }, `mix[6].statements[0].bind names 0 parameters; the sql has 2 placeholders`},
		{func(m []core.TemplateOp) { m[transfer].Statements[0].Bind[1] = "form" },
			`mix[6].statements[0].bind[1] is "form"; allowed are the parameters of the operation: from, to, amount; did you mean from?`},
		{func(m []core.TemplateOp) { m[transfer].Statements[1].SQL = "x '" }, `mix[6].statements[1].sql is wrong: SQL, line 1, column 3: the quote ' is not closed`},
		{func(m []core.TemplateOp) {
			m[transfer].Statements[2] = core.TemplateStatement{SQL: "SELECT ?", Bind: []string{"from"}}
			m[transfer].Parameters = append(m[transfer].Parameters, core.Parameter{Name: "idle", Type: core.ParamBool})
		}, `mix[6].parameters[3] (idle) is not used by any statement; bind it, or leave it out`},
		{func(m []core.TemplateOp) { m[transfer].Statements = make([]core.TemplateStatement, 33) }, `mix[6].statements has 33 entries; allowed: up to 32`},
		{func(m []core.TemplateOp) { m[transfer].Parameters = make([]core.Parameter, 201) },
			`mix[6].parameters has 201 entries; allowed: up to 200
mix[6].statements[0].bind[0] is "amount"; allowed are the parameters of the operation: none
mix[6].statements[0].bind[1] is "from"; allowed are the parameters of the operation: none
mix[6].statements[1].bind[0] is "amount"; allowed are the parameters of the operation: none
mix[6].statements[1].bind[1] is "to"; allowed are the parameters of the operation: none
mix[6].statements[2].bind names 0 parameters; the sql has 3 placeholders`},
		{func(m []core.TemplateOp) { m[insert] = core.TemplateOp{Kind: "READ", SQL: "SELECT 1", Weight: 10} },
			`mix[4] (DELETE) takes keys that were inserted before, but no operation of the mix inserts any; add an INSERT, or an operation with an insert_key`},
	} {
		t.Run(c.message, func(t *testing.T) {
			is := is.New(t)
			template := resolvable()
			c.plant(template.Mix)
			wantProblem(is, template, c.message)
		})
	}
	t.Run("too many operations", func(t *testing.T) {
		template := resolvable()
		template.Mix, template.SLOs = make([]core.TemplateOp, 65), nil
		wantProblem(is.New(t), template, "mix has 65 operations; allowed: up to 64")
	})
}

// TestParameterRefusals plants one mistake each into the only parameter of an
// operation.
func TestParameterRefusals(t *testing.T) {
	for _, c := range []struct {
		parameter core.Parameter
		message   string // without "mix[5].parameters[0]."
	}{
		{core.Parameter{}, "type is missing; allowed: key, recent_key, insert_key, inserted_key, int, float, string, bool, timestamp, choice, literal, pool, offset"},
		{core.Parameter{Type: "sting"}, `type is "sting"; allowed: key, recent_key, insert_key, inserted_key, int, float, string, bool, timestamp, choice, literal, pool, offset; did you mean string?`},
		{core.Parameter{Type: core.ParamBool, Name: "a b"}, `name is "a b"; allowed: letters, digits and underscores, the first not a digit`},
		{core.Parameter{Type: core.ParamKey, Distribution: "gauss"}, `distribution is "gauss"; allowed: uniform, zipfian, scrambled_zipfian, sequential, latest`},
		{core.Parameter{Type: core.ParamKey, Distribution: core.Zipfian, Theta: -1}, `theta is -1; allowed: above 0 to 5, or none for 0.99`},
		{core.Parameter{Type: core.ParamKey, Theta: 1.2}, `theta is 1.2, but the distribution is uniform; it has an effect only with zipfian or latest`},
		{core.Parameter{Type: core.ParamKey, Distribution: core.Scrambled, Theta: 0.5}, `theta is 0.5, but the distribution is scrambled_zipfian; it has an effect only with zipfian or latest`},
		{core.Parameter{Type: core.ParamInt, Min: 2, Max: 1}, `min is 2, above max, which is 1`},
		{core.Parameter{Type: core.ParamInt, Min: 0.5, Max: 1}, `min is 0.5; the type int needs a whole number`},
		{core.Parameter{Type: core.ParamInt, Max: 1e17}, `max is 1e+17; allowed: -9007199254740992 to 9007199254740992`},
		{core.Parameter{Type: core.ParamFloat, Min: 2, Max: 1.5}, `min is 2, above max, which is 1.5`},
		{core.Parameter{Type: core.ParamFloat, Max: math.Inf(1)}, `max is +Inf; allowed: -1e300 to 1e300`},
		{core.Parameter{Type: core.ParamFloat, Min: math.NaN()}, `min is NaN; allowed: -1e300 to 1e300`},
		{core.Parameter{Type: core.ParamString}, `length is 0; allowed: 1 to 65536`},
		{core.Parameter{Type: core.ParamString, Length: 65537}, `length is 65537; allowed: 1 to 65536`},
		{core.Parameter{Type: core.ParamTimestamp}, `within is 0s; allowed: above 0 to 100 years, like 720h`},
		{core.Parameter{Type: core.ParamTimestamp, Within: -1}, `within is -1ns; allowed: above 0 to 100 years, like 720h`},
		{core.Parameter{Type: core.ParamChoice}, `values has 0 entries; allowed: 1 to 10000`},
		{core.Parameter{Type: core.ParamChoice, Values: []any{1, []any{2}}}, `values[1] is a list or a map; allowed: a string, a number, true or false`},
		{core.Parameter{Type: core.ParamChoice, Values: []any{uint64(math.MaxUint64)}}, `values[0] is beyond ±9007199254740992 (2^53), the whole numbers that JSON keeps exactly; write it as a string or in the sql`},
		{core.Parameter{Type: core.ParamLiteral}, `value is missing; for a NULL, write NULL in the sql`},
		{core.Parameter{Type: core.ParamLiteral, Value: math.NaN()}, `value is not a finite number`},
		{core.Parameter{Type: core.ParamLiteral, Value: "\xff"}, `value is not valid UTF-8`},
		{core.Parameter{Type: core.ParamOffset}, `of is missing; allowed are the parameters before it that are whole numbers: none`},
		{core.Parameter{Type: core.ParamOffset, Of: "id"}, `of is "id"; allowed are the parameters before it that are whole numbers: none`},
		{core.Parameter{Type: core.ParamBool, Distribution: core.Uniform}, `distribution has no effect on the type bool; it belongs to key and pool`},
		{core.Parameter{Type: core.ParamBool, Theta: 1}, `theta has no effect on the type bool; it belongs to key and recent_key`},
		{core.Parameter{Type: core.ParamBool, Min: 1}, `min has no effect on the type bool; it belongs to int and float`},
		{core.Parameter{Type: core.ParamBool, Max: 1}, `max has no effect on the type bool; it belongs to int and float`},
		{core.Parameter{Type: core.ParamInt, Length: 1}, `length has no effect on the type int; it belongs to string`},
		{core.Parameter{Type: core.ParamBool, Values: []any{1}}, `values has no effect on the type bool; it belongs to choice`},
		{core.Parameter{Type: core.ParamBool, Value: 1}, `value has no effect on the type bool; it belongs to literal`},
		{core.Parameter{Type: core.ParamBool, Within: 1}, `within has no effect on the type bool; it belongs to timestamp`},
		{core.Parameter{Type: core.ParamBool, Of: "a"}, `of has no effect on the type bool; it belongs to offset`},
		{core.Parameter{Type: core.ParamBool, Add: 1}, `add has no effect on the type bool; it belongs to offset`},
	} {
		t.Run(c.message, func(t *testing.T) {
			is := is.New(t)
			template := resolvable()
			template.Mix[5].Parameters = []core.Parameter{c.parameter}
			wantProblem(is, template, "mix[5].parameters[0]."+c.message)
		})
	}
	t.Run("two parameters", func(t *testing.T) {
		is := is.New(t)
		template := resolvable()
		template.Mix[5].SQL = "SELECT ?, ?"
		template.Mix[5].Parameters = []core.Parameter{{Name: "a", Type: core.ParamString, Length: 1}, {Name: "a", Type: core.ParamBool}}
		wantProblem(is, template, `mix[5].parameters[1].name is "a" a second time; it is the name of parameters[0] already`)
		template.Mix[5].Parameters[1] = core.Parameter{Name: "b", Type: core.ParamOffset, Of: "a"}
		wantProblem(is, template, `mix[5].parameters[1].of is "a"; allowed are the parameters before it that are whole numbers: none`)
		template.Mix[5].Parameters[0] = core.Parameter{Name: "aa", Type: core.ParamInt, Max: 5}
		wantProblem(is, template, `mix[5].parameters[1].of is "a"; allowed are the parameters before it that are whole numbers: aa; did you mean aa?`)
		template.Mix[5].Parameters[1] = core.Parameter{Name: "b", Type: core.ParamOffset, Of: "aa", Add: 1 << 60}
		wantProblem(is, template, `mix[5].parameters[1].add is 1152921504606846976; allowed: -9007199254740992 to 9007199254740992`)
	})
}

// TestLiterals: what a file's decoder may yield becomes what is bound.
func TestLiterals(t *testing.T) {
	const tooLarge = "value is beyond ±9007199254740992 (2^53), the whole numbers that JSON keeps exactly; write it as a string or in the sql"
	for _, c := range []struct {
		value, bound any
		problem      string
	}{
		{value: "x", bound: "x"}, {value: true, bound: true}, {value: 5, bound: int64(5)}, {value: int64(-5), bound: int64(-5)},
		{value: uint64(5), bound: int64(5)}, {value: 5.0, bound: int64(5)}, {value: 5.5, bound: 5.5}, {value: 1e20, bound: 1e20},
		{value: json.Number("7"), bound: int64(7)}, {value: json.Number("7.5"), bound: 7.5}, {value: json.Number("1e2"), bound: int64(100)},
		{value: 1 << 53, bound: int64(1 << 53)}, {value: -1 << 53, bound: int64(-1 << 53)},
		{value: 1<<53 + 1, problem: tooLarge}, {value: -1<<53 - 1, problem: tooLarge}, {value: uint64(1<<53 + 1), problem: tooLarge},
		{value: json.Number("1e999"), problem: "value is not a number that a float64 holds"},
		{value: math.Inf(-1), problem: "value is not a finite number"},
		{value: strings.Repeat("x", 65537), problem: "value is too long; allowed: strings of up to 65536 bytes"},
		{value: map[string]any{}, problem: "value is a list or a map; allowed: a string, a number, true or false"},
	} {
		t.Run(fmt.Sprintf("%T %.20v", c.value, c.value), func(t *testing.T) {
			is := is.New(t)
			template := resolvable()
			template.Mix[5].Parameters = []core.Parameter{{Type: core.ParamLiteral, Value: c.value}}
			if c.problem != "" {
				wantProblem(is, template, "mix[5].parameters[0]."+c.problem)
				return
			}
			s, err := template.Resolve(core.Resolution{})
			is.NoErr(err)
			is.Equal(s.Operations[5].Parameters[0].Value, c.bound)
		})
	}
}

func TestMixAcceptance(t *testing.T) {
	t.Run("own sql for a built-in kind, access as written", func(t *testing.T) {
		is := is.New(t)
		template := resolvable()
		template.Mix[0] = core.TemplateOp{Kind: core.PointLookup, Weight: 59.99, Keys: core.Sequential, Access: "WRITE",
			SQL: " SELECT 1 FROM {table} WHERE ID IN (?, ?) ;\n", Parameters: []core.Parameter{
				{Type: core.ParamKey}, {Type: core.ParamKey, Distribution: core.Zipfian, Theta: 2}}}
		s, err := template.Resolve(core.Resolution{})
		is.NoErr(err)
		is.Equal(s.Operations[0].Access, core.AccessWrite)
		is.Equal(s.Operations[0].Statements, []core.Statement{{SQL: "SELECT 1 FROM {table} WHERE ID IN (?, ?) ;", Bind: []int{0, 1}, Query: true}})
		is.Equal(s.Operations[0].Parameters[0].Distribution, core.Sequential)
		is.Equal(s.Operations[0].Parameters[1].Distribution, core.Zipfian)
		is.Equal(s.Operations[0].Parameters[1].Theta, 2.0)
	})
	t.Run("own parameters for the default sql", func(t *testing.T) {
		is := is.New(t)
		template := resolvable()
		template.Mix[0] = core.TemplateOp{Kind: core.PointLookup, Weight: 59.99, Parameters: []core.Parameter{{Type: core.ParamInt, Max: 9}}}
		s, err := template.Resolve(core.Resolution{})
		is.NoErr(err)
		is.Equal(s.Operations[0].Parameters, []core.Parameter{{Type: core.ParamInt, Max: 9}})
		is.Equal(s.Operations[0].Statements[0].Bind, []int{0})
	})
	t.Run("every weight of two decimals", func(t *testing.T) {
		is := is.New(t)
		template := resolvable()
		template.SLOs = nil
		for points := 1; points < core.MixTotal; points++ {
			template.Mix = []core.TemplateOp{
				{Kind: core.PointLookup, Weight: float64(points) / 100},
				{Kind: core.RangeScan, Weight: float64(core.MixTotal-points) / 100},
			}
			s, err := template.Resolve(core.Resolution{})
			is.NoErr(err)
			is.Equal(s.Operations[0].Weight, points)
		}
	})
}

func TestNearest(t *testing.T) {
	words := []string{"name", "table", "target", "mix", "POINT_LOOKUP"}
	for _, c := range []struct{ word, near string }{
		{"nmae", "name"}, {"Name", "name"}, {"tabel", "table"}, {"targte", "target"}, {"taget", "target"},
		{"mixx", "mix"}, {"point_lokup", "POINT_LOOKUP"}, {"xyz", ""}, {"", ""}, {"something else", ""},
		{strings.Repeat("n", 101), ""},
	} {
		t.Run(c.word, func(t *testing.T) {
			is := is.New(t)
			near, ok := core.Nearest(c.word, words)
			is.Equal(near, c.near)
			is.Equal(ok, c.near != "")
		})
	}
}

// FuzzResolve: whatever a template holds, Resolve answers with a message that
// names a field or with a scenario whose operations can be made.
func FuzzResolve(f *testing.F) {
	f.Add("oltp", "BENCH", "SELECT ?", "a", "int", 0.0, 9.0, 100.0, int64(0), 1)
	f.Add("oltp", "A.B", "SELECT ?, ?", "key", "key", 1.0, 2.0, 50.5, int64(100), 2)
	f.Add("", "", "INSERT INTO {table} VALUES (?)", "", "insert_key", 0.0, 0.0, 99.99, int64(-1), 0)
	f.Add("x", "t", "SELECT ?", "n", "float", -1e300, 1e300, 100.0, int64(1<<40), 3)
	f.Fuzz(func(t *testing.T, name, table, sql, parameter, kind string, low, high, weight float64, operations int64, workers int) {
		template := resolvable()
		template.Name, template.Table.Name = name, table
		template.Load.Operations, template.Load.Workers = operations, workers
		template.SLOs = nil
		template.Mix = []core.TemplateOp{
			{Kind: "X", Weight: weight, SQL: sql, Parameters: []core.Parameter{
				{Name: parameter, Type: core.ParameterType(kind), Min: low, Max: high, Length: int(int16(high))}}},
			{Kind: core.Insert, Weight: 100 - weight},
		}
		if weight == 100 {
			template.Mix = template.Mix[:1]
		}
		s, err := template.Resolve(core.Resolution{})
		if err != nil {
			if core.CodeOf(err) != core.Invalid {
				t.Fatal(err)
			}
			return
		}
		g, err := core.NewGenerator(s)
		if err != nil {
			t.Fatalf("resolved, but: %v", err)
		}
		stream := g.Connection(0)
		for range 3 {
			op := stream.Next()
			if got := len(stream.Args(0)); got != len(s.Operations[op].Parameters) {
				t.Fatalf("%d arguments for %d parameters", got, len(s.Operations[op].Parameters))
			}
		}
	})
}
