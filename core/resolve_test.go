package core_test

import (
	"encoding/json"
	"errors"
	"math"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/matryer/is"

	"github.com/benchfleet/benchfleet/core"
)

// resolvable is a template that uses most of what there is.
func resolvable() core.Template {
	return core.Template{
		Name:   "oltp",
		Tags:   map[string]string{"team": "db"},
		Target: core.TemplateTarget{Kind: "sqlite", Endpoint: "bench-1"},
		Table:  core.TemplateTable{Name: "BENCH", Rows: 1000},
		Load:   core.TemplateLoad{Workers: 3, Connections: 4},
		Mix: []core.TemplateOp{
			{Kind: core.PointLookup, Weight: 59.99, Keys: core.Zipfian},
			{Kind: core.RangeScan, Weight: 10, Span: 20},
			{Kind: core.Insert, Weight: 10},
			{Kind: core.Update, Weight: 10, Keys: core.Latest, Theta: 1.5},
			{Kind: core.Delete, Weight: 5},
			{Kind: "COUNT_STATUS", Weight: 2.51, SQL: "SELECT COUNT(*) FROM {table} WHERE STATUS = ?",
				Parameters: []core.Parameter{{Type: core.ParamChoice, Values: []any{"NEW", 1, 2.5, nil, true}}}},
			{Kind: "TRANSFER", Weight: 2.5, Parameters: []core.Parameter{
				{Name: "from", Type: core.ParamKey}, {Name: "to", Type: core.ParamOffset, Of: "from", Add: 1},
				{Name: "amount", Type: core.ParamInt, Min: 1, Max: 100},
			}, Statements: []core.TemplateStatement{
				{SQL: "UPDATE {table} SET BALANCE = BALANCE - ? WHERE ID = ?", Bind: []string{"amount", "from"}},
				{SQL: "UPDATE {table} SET BALANCE = BALANCE + ? WHERE ID = ?", Bind: []string{"amount", "to"}},
				{SQL: "SELECT ?, ?, ?"},
				{SQL: "SELECT 1"},
			}},
		},
		SLOs: []string{"p99 < 20ms", "COUNT_STATUS error_rate < 1%"},
	}
}

func TestResolveDefaults(t *testing.T) {
	is := is.New(t)
	template := resolvable()
	s, err := template.Resolve(core.Resolution{TemplateID: "t-1", Launcher: "local"})
	is.NoErr(err)
	is.NoErr(template.Validate())
	is.Equal(s.Name, "oltp")
	is.Equal(s.TemplateID, "t-1")
	is.Equal(s.Launcher, "local")
	is.Equal(s.Target, core.ScenarioTarget{Kind: "sqlite", Endpoint: "bench-1"})
	is.Equal(s.Table, core.TemplateTable{Name: "BENCH", Type: "STANDARD", Rows: 1000})
	is.Equal(s.Load, core.ScenarioLoad{
		Mode: "CONCURRENCY", Scaling: "FIXED", Workers: 3, Connections: 12, Warmup: core.Duration(2 * time.Second),
		Duration: core.Duration(10 * time.Second), Seed: 1, Sampling: 1, Interval: core.Duration(time.Second),
	})
	second := core.Duration(time.Second)
	is.Equal(s.Limits, core.Limits{
		StatementTimeout: 60 * second, PreflightTimeout: 60 * second, StartTimeout: 60 * second, DrainTimeout: 30 * second,
		CancelTimeout: 5 * second, TerminateTimeout: 5 * second, KillTimeout: 5 * second, ProcessingTimeout: 60 * second,
		RunLimit: 72 * second, WorkerLease: 15 * second, OwnerLease: 5 * second, ControlPoll: core.Duration(50 * time.Millisecond),
		OnLoss: core.FailOnLoss,
	})
	is.Equal(len(s.SLOs), 2)
	is.Equal(s.SLOs[1].Kind, "COUNT_STATUS")
	s.Tags["team"] = "changed"
	is.Equal(template.Tags["team"], "db") // the scenario shares nothing
}

func TestResolveOperations(t *testing.T) {
	is := is.New(t)
	template := resolvable()
	s, err := template.Resolve(core.Resolution{})
	is.NoErr(err)
	sum := 0
	for _, op := range s.Operations {
		sum += op.Weight
	}
	is.Equal(sum, core.MixTotal)
	is.Equal(s.Operations[0], core.Operation{
		Kind: core.PointLookup, Weight: 5999, Access: core.AccessRead,
		Parameters: []core.Parameter{{Name: "id", Type: core.ParamKey, Distribution: core.Zipfian, Theta: core.DefaultTheta}},
		Statements: []core.Statement{{SQL: "SELECT ID, CUSTOMER_ID, BALANCE, STATUS, PAYLOAD FROM {table} WHERE ID = ?", Bind: []int{0}, Query: true}},
	})
	is.Equal(s.Operations[1].Parameters, []core.Parameter{
		{Name: "from", Type: core.ParamKey, Distribution: core.Uniform}, {Name: "to", Type: core.ParamOffset, Of: "from", Add: 19}})
	is.Equal(s.Operations[1].Statements[0].Bind, []int{0, 1})
	is.Equal(s.Operations[2].Access, core.AccessWrite)
	is.Equal(s.Operations[2].Statements[0].Bind, []int{0, 1, 2, 3, 4})
	is.Equal(s.Operations[3].Parameters[2].Distribution, core.Latest)
	is.Equal(s.Operations[3].Parameters[2].Theta, 1.5)
	is.Equal(s.Operations[5].Parameters[0].Values, []any{"NEW", int64(1), 2.5, nil, true})
	transfer := s.Operations[6]
	is.True(transfer.Transaction)
	is.Equal(transfer.Access, core.AccessWrite)
	is.Equal(len(transfer.Statements), 4)
	is.Equal(transfer.Statements[0].Bind, []int{2, 0})
	is.Equal(transfer.Statements[1].Bind, []int{2, 1})
	is.Equal(transfer.Statements[2].Bind, []int{0, 1, 2}) // no bind, and as many placeholders as parameters
	is.Equal(len(transfer.Statements[3].Bind), 0)
	is.Equal(transfer.Statements[0].Query, false)
	is.Equal(transfer.Statements[2].Query, true)
	is.Equal(template.Mix[5].Parameters[0].Values[1], any(1)) // the template is as it was
}

// TestScenarioSurvivesJSON: a scenario that went through the store makes the
// same operations and has the same hash.
func TestScenarioSurvivesJSON(t *testing.T) {
	is := is.New(t)
	s, err := resolvable().Resolve(core.Resolution{})
	is.NoErr(err)
	text, err := json.Marshal(s)
	is.NoErr(err)
	var back core.Scenario
	is.NoErr(json.Unmarshal(text, &back))
	before, err := s.Hash()
	is.NoErr(err)
	after, err := back.Hash()
	is.NoErr(err)
	is.Equal(before, after)
	a, err := core.NewGenerator(s)
	is.NoErr(err)
	b, err := core.NewGenerator(back)
	is.NoErr(err)
	one, other := a.Connection(3), b.Connection(3)
	for range 2000 {
		op := one.Next()
		is.Equal(op, other.Next())
		is.Equal(one.Hash(), other.Hash())
		for j := range s.Operations[op].Statements {
			is.Equal(one.Args(j), other.Args(j)) // types too
		}
	}
}

func TestResolveBounds(t *testing.T) {
	second := core.Duration(time.Second)
	for _, c := range []struct {
		name     string
		load     core.TemplateLoad
		warmup   core.Duration
		duration core.Duration
		limit    core.Duration
	}{
		{"nothing given", core.TemplateLoad{}, 2 * second, 10 * second, 72 * second},
		{"warm-up alone", core.TemplateLoad{Warmup: 5 * second}, 5 * second, 10 * second, 75 * second},
		{"duration alone", core.TemplateLoad{Duration: 3 * second}, 0, 3 * second, 63 * second},
		{"cooldown too", core.TemplateLoad{Duration: 3 * second, Cooldown: second}, 0, 3 * second, 64 * second},
		{"operations alone", core.TemplateLoad{Operations: 100}, 0, 0, 3600 * second},
		{"operations and warm-up", core.TemplateLoad{Operations: 100, Warmup: 2 * second}, 2 * second, 0, 3602 * second},
		{"both", core.TemplateLoad{Operations: 100, Duration: 4 * second, Warmup: second}, second, 4 * second, 65 * second},
	} {
		t.Run(c.name, func(t *testing.T) {
			is := is.New(t)
			template := resolvable()
			template.Load = c.load
			template.Load.Workers, template.Load.Connections = 1, 1
			s, err := template.Resolve(core.Resolution{})
			is.NoErr(err)
			is.Equal(s.Load.Warmup, c.warmup)
			is.Equal(s.Load.Duration, c.duration)
			is.Equal(s.Load.Operations, c.load.Operations)
			is.Equal(s.Limits.RunLimit, c.limit)
		})
	}
}

func TestResolveGivenValuesStay(t *testing.T) {
	is := is.New(t)
	template := resolvable()
	zero, second := 0.0, core.Duration(time.Second)
	template.Load.Seed, template.Load.Sampling, template.Load.ThinkTime = -7, &zero, second
	template.Limits = core.TemplateLimits{
		StatementTimeout: second, StartTimeout: 2 * second, DrainTimeout: 3 * second, CancelTimeout: 4 * second,
		TerminateTimeout: 5 * second, KillTimeout: 6 * second, RunLimit: 100 * second, WorkerLease: 30 * second,
		OwnerLease: 10 * second, ControlPoll: second, OnLoss: core.DegradeOnLoss,
	}
	s, err := template.Resolve(core.Resolution{StartTimeout: time.Hour, ControlPoll: time.Hour, OwnerLease: time.Hour, WorkerLease: time.Hour})
	is.NoErr(err)
	is.Equal(s.Load.Seed, int64(-7))
	is.Equal(s.Load.Sampling, 0.0)
	is.Equal(s.Load.ThinkTime, second)
	is.Equal(s.Limits, core.Limits{
		StatementTimeout: second, PreflightTimeout: 60 * second, StartTimeout: 2 * second, DrainTimeout: 3 * second,
		CancelTimeout: 4 * second, TerminateTimeout: 5 * second, KillTimeout: 6 * second, ProcessingTimeout: 60 * second,
		RunLimit: 100 * second, WorkerLease: 30 * second, OwnerLease: 10 * second, ControlPoll: second, OnLoss: core.DegradeOnLoss,
	})

	template.Limits = core.TemplateLimits{}
	s, err = template.Resolve(core.Resolution{StartTimeout: 15 * time.Minute, ControlPoll: time.Second, OwnerLease: 20 * time.Second, WorkerLease: time.Minute})
	is.NoErr(err)
	is.Equal(s.Limits.StartTimeout, 900*second)
	is.Equal(s.Limits.KillTimeout, 5*second)
	is.Equal(s.Limits.ControlPoll, second)
	is.Equal(s.Limits.OwnerLease, 20*second)
	is.Equal(s.Limits.WorkerLease, 60*second)

	// A platform that kills by itself takes its time to.
	s, err = template.Resolve(core.Resolution{Grace: 30 * time.Second})
	is.NoErr(err)
	is.Equal(s.Limits.TerminateTimeout, 35*second)
	is.Equal(s.Limits.KillTimeout, 35*second)
}

// TestResolveRefusals plants one mistake each and wants exactly one message.
func TestResolveRefusals(t *testing.T) {
	for _, c := range []struct {
		plant   func(*core.Template)
		message string
	}{
		{func(t *core.Template) { t.Name = "" }, `name is missing`},
		{func(t *core.Template) { t.Name = "a b" }, `name is "a b"; allowed: up to 100 letters, digits, dots, dashes and underscores, the first a letter or digit`},
		{func(t *core.Template) { t.Name = ".a" }, `name is ".a"; allowed: up to 100 letters, digits, dots, dashes and underscores, the first a letter or digit`},
		{func(t *core.Template) { t.Tags = map[string]string{"": "x"} }, `tags has the entry ""; allowed: keys of 1 to 100 bytes, values up to 1000`},
		{func(t *core.Template) { t.Tags = numberedTags(65) }, `tags has 65 entries; allowed: up to 64`},
		{func(t *core.Template) { t.SLOs = make([]string, 65) }, `slos has 65 entries; allowed: up to 64`},
		{func(t *core.Template) { t.Target.Kind = "" }, `target.kind is missing; write the kind of database, like sqlite`},
		{func(t *core.Template) { t.Target.Endpoint = "postgres://me:secret@host/db" },
			`target.endpoint is not a name; allowed: up to 100 letters, digits, dashes and underscores. The address and its secret belong in BENCHFLEET_ENDPOINT_<NAME> or --endpoint NAME=FILE`},
		{func(t *core.Template) { t.Table.Name = "" }, `table.name is missing`},
		{func(t *core.Template) { t.Table.Name = "a; b" }, `table.name is "a; b"; allowed: letters, digits and underscores, not beginning with a digit, with up to two dots between schema and table`},
		{func(t *core.Template) { t.Table.Name = "a..b" }, `table.name is "a..b"; allowed: letters, digits and underscores, not beginning with a digit, with up to two dots between schema and table`},
		{func(t *core.Template) { t.Table.Type = "HYBIRD" }, `table.type is "HYBIRD"; allowed: STANDARD, HYBRID, INTERACTIVE; did you mean HYBRID?`},
		{func(t *core.Template) { t.Table.Rows = 0 }, `table.rows is 0; allowed: 1 to 8589934592`},
		{func(t *core.Template) { t.Table.Rows = -5 }, `table.rows is -5; allowed: 1 to 8589934592`},
		{func(t *core.Template) { t.Load.Mode = "FIND_MAX_QPs" }, `load.mode is "FIND_MAX_QPs"; allowed: CONCURRENCY, QPS, FIND_MAX_CONCURRENCY, FIND_MAX_QPS; did you mean FIND_MAX_QPS?`},
		{func(t *core.Template) { t.Load.Mode = "CONCURENCY" }, `load.mode is "CONCURENCY"; allowed: CONCURRENCY, QPS, FIND_MAX_CONCURRENCY, FIND_MAX_QPS; did you mean CONCURRENCY?`},
		{func(t *core.Template) { t.Load.Mode = "x" }, `load.mode is "x"; allowed: CONCURRENCY, QPS, FIND_MAX_CONCURRENCY, FIND_MAX_QPS`},
		{func(t *core.Template) { t.Load.Scaling = "AUTO" }, `load.workers is 3, but load.scaling is AUTO, which finds out how many are needed; allowed with FIXED only`},
		{func(t *core.Template) { t.Load.Workers = 0 }, `load.workers is missing or 0; scaling FIXED needs it: 1 to 1000 workers`},
		{func(t *core.Template) { t.Load.Workers = -1 }, `load.workers is -1; allowed: 1 to 1000`},
		{func(t *core.Template) { t.Load.Workers = 1001 }, `load.workers is 1001; allowed: 1 to 1000`},
		{func(t *core.Template) { t.Load.Connections = 0 }, `load.connections is missing or 0; scaling FIXED needs it: connections of each worker, at least 1`},
		{func(t *core.Template) { t.Load.Connections = -4 }, `load.connections is -4; allowed: 1 to 100000 over all workers`},
		{func(t *core.Template) { t.Load.Connections = math.MaxInt }, `load.connections is 9223372036854775807; allowed: 1 to 100000 over all workers`},
		{func(t *core.Template) { t.Load.Connections = 50_000 }, `load.connections is 50000 for each of 3 workers, 150000 together; allowed: up to 100000 together`},
		{func(t *core.Template) { t.Load.Duration = -1e9 }, `load.duration is -1s; a time cannot be negative`},
		{func(t *core.Template) { t.Load.Warmup = -1 }, `load.warmup is -1ns; a time cannot be negative`},
		{func(t *core.Template) { t.Load.Cooldown = -1e9 }, `load.cooldown is -1s; a time cannot be negative`},
		{func(t *core.Template) { t.Load.ThinkTime = -1e9 }, `load.think_time is -1s; a time cannot be negative`},
		{func(t *core.Template) { t.Load.Duration = math.MaxInt64 }, `load.duration is 2562047h47m16.854775807s; allowed: up to 720h0m0s`},
		{func(t *core.Template) { t.Load.Operations = -1 }, `load.operations is -1; allowed: 1 to 1000000000000000, or none`},
		{func(t *core.Template) { t.Load.Operations, t.Load.Cooldown = 5, 1e9 },
			`load.cooldown is 1s, but a load that only operations bound ends with the last one; leave it out, or set load.duration too`},
		{func(t *core.Template) { t.Load.Operations = 1e12 },
			`load.operations is 1000000000000, with about 100000000000 inserts of up to 1 keys; a run may insert 4294967295 keys`},
		{func(t *core.Template) { x := 101.0; t.Load.Sampling = &x }, `load.sampling is 101; allowed: 0 to 100 percent`},
		{func(t *core.Template) { x := math.NaN(); t.Load.Sampling = &x }, `load.sampling is NaN; allowed: 0 to 100 percent`},
		{func(t *core.Template) { t.SLOs = []string{"p98 < 1ms"} },
			`slos[0] is wrong: objective "p98 < 1ms": "p98" is no metric; allowed: p50, p90, p95, p99, p999, max, avg, error_rate, throughput; did you mean p90?`},
		{func(t *core.Template) { t.SLOs = []string{"p99 < 1ms", "COUNTSTATUS p99 < 1ms"} },
			`slos[1] is about "COUNTSTATUS", which is not in the mix; allowed: POINT_LOOKUP, RANGE_SCAN, INSERT, UPDATE, DELETE, COUNT_STATUS, TRANSFER; did you mean COUNT_STATUS?`},
		{func(t *core.Template) { t.Limits.OnLoss = "degarde" }, `limits.on_loss is "degarde"; allowed: fail, degrade; did you mean degrade?`},
		{func(t *core.Template) { t.Limits.DrainTimeout = -1e9 }, `limits.drain_timeout is -1s; a time cannot be negative`},
		{func(t *core.Template) { t.Limits.ControlPoll = 1e6 }, `limits.control_poll is 1ms; allowed: at least 10ms`},
		{func(t *core.Template) { t.Limits.OwnerLease = 1e9; t.Limits.ControlPoll = 1e9 }, `limits.owner_lease is 1s; allowed: at least 2 times the control poll of 1s`},
		{func(t *core.Template) { t.Limits.WorkerLease = 14e9 }, `limits.worker_lease is 14s; allowed: at least 3 times the owner lease of 5s, so 15s`},
		{func(t *core.Template) { t.Limits.RunLimit = 71e9 }, `limits.run_limit is 1m11s; allowed: at least 1m12s, which is warm-up, duration, cooldown and 1m0s`},
		{func(t *core.Template) { t.Load.Operations, t.Load.Warmup, t.Limits.RunLimit = 9, 2e9, 2e9 }, `limits.run_limit is 2s; allowed: more than the warm-up of 2s`},
		{func(t *core.Template) { t.Limits.StartTimeout = 1 }, `limits.start_timeout is 1ns; allowed: at least 100ms`},
	} {
		t.Run(c.message, func(t *testing.T) {
			is := is.New(t)
			template := resolvable()
			c.plant(&template)
			wantProblem(is, template, c.message)
		})
	}
}

func numberedTags(n int) map[string]string {
	tags := map[string]string{}
	for i := range n {
		tags[strconv.Itoa(i)] = ""
	}
	return tags
}

// wantProblem wants exactly one problem in a template.
func wantProblem(is *is.I, template core.Template, message string) {
	is.Helper()
	s, err := template.Resolve(core.Resolution{})
	is.True(errors.Is(err, core.ErrInvalid))
	var invalid *core.ValidationError
	is.True(errors.As(err, &invalid))
	var found []string
	for _, p := range invalid.Problems {
		found = append(found, p.String())
	}
	is.Equal(strings.Join(found, "\n"), message)
	is.Equal(s.Name, "") // no half-made scenario
	is.True(!strings.Contains(err.Error(), "secret@"))
}

func TestResolveReportsAllAtOnce(t *testing.T) {
	is := is.New(t)
	err := core.Template{}.Validate()
	is.Equal(err.Error(), `invalid: template "": 7 problems
  name is missing
  target.kind is missing; write the kind of database, like sqlite
  table.name is missing
  table.rows is 0; allowed: 1 to 8589934592
  load.workers is missing or 0; scaling FIXED needs it: 1 to 1000 workers
  load.connections is missing or 0; scaling FIXED needs it: connections of each worker, at least 1
  mix is empty; a template needs at least one operation`)
	template := resolvable()
	template.Name = ""
	is.Equal(template.Validate().Error(), `invalid: template "": name is missing`)

	template = resolvable()
	template.Limits.WorkerLease = 1
	template.Mix[1].Weight = -1
	template.SLOs[0] = "p99"
	template.Name = "?"
	var invalid *core.ValidationError
	is.True(errors.As(template.Validate(), &invalid))
	var fields []string
	for _, p := range invalid.Problems {
		fields = append(fields, p.Field)
	}
	is.Equal(fields, []string{"name", "mix[1].weight", "slos[0]", "limits.worker_lease"}) // in the order of the file
}
