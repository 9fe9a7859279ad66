package runner_test

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/matryer/is"

	"github.com/benchfleet/benchfleet/adapters/memory"
	"github.com/benchfleet/benchfleet/core"
	"github.com/benchfleet/benchfleet/ports"
	"github.com/benchfleet/benchfleet/runner"
)

// preflightCase is one thing that is wrong before a run.
type preflightCase struct {
	name     string
	spoil    func(*bench, *runner.Ports, *runner.Options, *core.Scenario)
	finding  string
	severity core.Severity
	says     string
	mend     string
}

func preflightCases() []preflightCase {
	type (
		B = *bench
		P = *runner.Ports
		O = *runner.Options
		S = *core.Scenario
	)
	caps := func(b B, p P, change func(*ports.Capabilities)) {
		p.Launcher = hookLauncher{Launcher: b.launcher, hooks: b.hooks, capabilities: change}
	}
	fail := func(b B, method string, err error) {
		b.hooks.set(func(_ context.Context, called string, _ int) error { return when(called == method, err) }, nil)
	}
	return []preflightCase{
		{"no table", func(_ B, _ P, _ O, s S) { s.Table.Name = "NONE" }, "target.table", core.SeverityError, "table NONE does not exist", "benchfleet prepare quick --rows 100"},
		{"too few rows", func(_ B, _ P, _ O, s S) { s.Table.Rows = 500 }, "target.table", core.SeverityError, "table T has 100 of the 500 rows", "benchfleet prepare quick --rows 500"},
		{"a table of the layout is missing", func(_ B, _ P, _ O, s S) { s.Table.Layout = core.LayoutTPCB }, "target.table", core.SeverityError, "table T_BRANCHES of the layout tpcb does not exist", "benchfleet prepare quick --drop --set table.name=T --set table.layout=tpcb"},
		{"too few rows in a table of the layout", func(b B, p P, _ O, s S) {
			s.Table.Layout = core.LayoutTPCB
			p.Target = hookTarget{Target: b.target, hooks: b.hooks, describe: func(i *ports.TargetInfo) {
				i.Others = []ports.TableInfo{{Exists: true, Rows: 1}, {Exists: true, Rows: 9}, {Exists: true}}
			}}
		}, "target.table", core.SeverityError, "table T_TELLERS has 9 of the 10 rows that the layout tpcb gives it", "benchfleet prepare quick --rows 100"},
		{"an empty pool", func(b B, p P, _ O, s S) { pooled(s, "STATUS", 9); p.Target = unsampled{b.target} }, "target.pool", core.SeverityError, "the pool is empty: column STATUS of table T has no value that is not NULL", "fill the table"},
		{"a pool that is too small", func(_ B, _ P, _ O, s S) { pooled(s, "STATUS", 1) }, "target.pool", core.SeverityError, "has 1 values for 2 connections", "lower load.workers to 1 and load.connections to 1, raise size"},
		{"a pool of no column", func(_ B, _ P, _ O, s S) { pooled(s, "COLOUR", 9) }, "target.pool", core.SeverityError, "no column COLOUR", "name a column"},
		{"a bad statement", func(_ B, _ P, _ O, s S) { s.Operations[0].Statements[0].SQL = "SELEC 1" }, "target.statement", core.SeverityError, `POINT_LOOKUP, statement 1: unsupported: memory: knows the default statements only, not "SELEC 1"`, "correct the statement"},
		{"target unreachable", func(b B, _ P, _ O, _ S) { fail(b, "Target.Describe", unavailable()) }, "target.reachable", core.SeverityError, "unavailable: away", `check the endpoint "local"`},
		{"a statement without rights", func(b B, p P, _ O, _ S) {
			fail(b, "Target.Explain", fmt.Errorf("%w: permission denied", core.ErrDenied))
			p.Target = hookTarget{Target: b.target, hooks: b.hooks, describe: func(i *ports.TargetInfo) { i.User = "bench" }}
		}, "target.statement", core.SeverityError, "permission denied", "grant user bench the rights on table T that the mix needs"},
		{"a statement without rights, of nobody known", func(b B, _ P, _ O, _ S) { fail(b, "Target.Explain", core.ErrDenied) }, "target.statement", core.SeverityError, "denied", `grant the user of the endpoint "local" the rights on table T`},
		{"a statement of a target that went away", func(b B, _ P, _ O, _ S) { fail(b, "Target.Explain", unavailable()) }, "target.statement", core.SeverityError, "away", `check the endpoint "local"`},
		{"a table without rights", func(b B, p P, _ O, _ S) { p.Target = locked{b.target} }, "target.reachable", core.SeverityError, "may not read", "grant user bench the rights on table T"},
		{"too few connections", func(b B, p P, _ O, _ S) {
			p.Target = hookTarget{Target: b.target, hooks: b.hooks, describe: func(i *ports.TargetInfo) { i.MaxConnections = 3 }}
		}, "target.connections", core.SeverityError, "the run needs 4 connections, the target grants 3", "lower load.workers to 1"},
		{"a file that workers cannot see", func(b B, p P, _ O, _ S) {
			caps(b, p, func(c *ports.Capabilities) { c.LocalFiles = false })
		}, "target.local_file", core.SeverityError, "the target is a file of this host", "use --launcher local"},
		{"a socket that workers cannot see", func(b B, p P, _ O, _ S) {
			caps(b, p, func(c *ports.Capabilities) { c.LocalFiles = false })
			p.Target = hookTarget{Target: b.target, hooks: b.hooks, describe: func(i *ports.TargetInfo) { i.Host = "/run/db:5432" }}
		}, "target.local_file", core.SeverityError, "the target is at /run/db:5432, a socket", `let the endpoint "local" name a host and port`},
		{"a target that takes no writes", func(b B, p P, _ O, s S) {
			s.Operations[0].Access = core.AccessWrite
			p.Target = hookTarget{Target: b.target, hooks: b.hooks, describe: func(i *ports.TargetInfo) { i.ReadOnly = "the server is a standby" }}
		}, "target.read_only", core.SeverityError, "the mix writes, and the target accepts no writes: the server is a standby", `the endpoint "local"`},
		{"a table of another type", func(b B, p P, _ O, _ S) {
			p.Target = hookTarget{Target: b.target, hooks: b.hooks, describe: func(i *ports.TargetInfo) { i.Table.Type = "HYBRID" }}
		}, "target.table_type", core.SeverityError, "table T is HYBRID, the template says STANDARD", "run: benchfleet prepare quick --drop --set table.name=T"},
		{"no result cache", func(_ B, _ P, _ O, s S) { s.Target.ResultCache = true }, "target.result_cache", core.SeverityError, "memory has no such cache", "take target.result_cache out"},
		{"a warehouse that sleeps", func(b B, p P, _ O, _ S) { p.Target = b.computing("SUSPENDED") }, "target.warehouse", core.SeverityError, "warehouse BENCH is suspended", "ALTER WAREHOUSE BENCH RESUME"},
		{"the store's warehouse", func(b B, p P, _ O, _ S) {
			p.Target, p.Schema = b.computing("STARTED"), computingSchema{b.store, "BENCH", nil}
		}, "target.warehouse", core.SeverityError, "warehouse BENCH serves the store too", "name another warehouse"},
		{"the store's warehouse is not known", func(b B, p P, _ O, _ S) {
			p.Target, p.Schema = b.computing("STARTED"), computingSchema{b.store, "", unavailable()}
		}, "store.warehouse", core.SeverityError, "unavailable: away", "check the warehouse"},
		{"launcher cannot be checked", func(b B, _ P, _ O, _ S) { fail(b, "Launcher.Check", unavailable()) }, "launcher.ready", core.SeverityError, "the launcher memory could not be checked: unavailable: away", "platform"},
		{"launcher refuses", func(b B, p P, _ O, _ S) { p.Launcher = refusing{b.launcher} }, "launcher.image", core.SeverityError, "no image", "build it"},
		{"too many workers", func(b B, p P, _ O, _ S) { caps(b, p, func(c *ports.Capabilities) { c.MaxWorkers = 1 }) }, "launcher.capacity", core.SeverityError, "starts at most 1 workers, not 2", "lower load.workers to 1"},
		{"an unstamped build", func(b B, p P, _ O, _ S) { caps(b, p, func(c *ports.Capabilities) { c.Unstamped = false }) }, "build.identity", core.SeverityError, "carries no revision", "task build"},
		{"store cannot be written", func(b B, _ P, _ O, _ S) { fail(b, "Schema.Probe", core.ErrDenied) }, "store.write", core.SeverityError, "denied", "make the store writable"},
		{"clocks apart", func(_ B, p P, _ O, _ S) { p.Schema = skewed{p.Schema} }, "store.write", core.SeverityWarning, "its clock is off by 1m0s", "synchronise the clocks"},
	}
}

// pooled lets the keys of the first operation be drawn from a pool.
func pooled(s *core.Scenario, column string, size int) {
	s.Operations[0].Parameters = []core.Parameter{{Name: "id", Type: core.ParamPool, Column: column, Size: size, Distribution: core.Uniform}}
}

// unsampled has columns without values.
type unsampled struct{ ports.Target }

func (unsampled) Sample(context.Context, core.TemplateTable, core.PoolSpec) ([]any, error) {
	return nil, nil
}

// A mix that only reads may run on a target that takes no writes.
func TestPreflightOfReadsOnAReadOnlyTarget(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		is := is.New(t)
		b := newBench(t, nil)
		r := b.runner(t, "a", func(p *runner.Ports, _ *runner.Options) {
			p.Target = hookTarget{Target: b.target, hooks: b.hooks, describe: func(i *ports.TargetInfo) { i.ReadOnly = "the server is a standby" }}
		})
		is.Equal(core.Refusal(r.Preflight(t.Context(), scenarioFor(t, 2, nil))), "")
	})
}

// The command that mends a table prepares the table of the scenario, not that of
// its template.
func TestPreflightMendsTheTableThatIsUsed(t *testing.T) {
	for _, tc := range []struct {
		name   string
		change func(*core.Template)
		mend   string
	}{
		{"as the template has it", func(tpl *core.Template) {}, "run: benchfleet prepare quick --rows 500"},
		{"another table", func(tpl *core.Template) { tpl.Table.Name = "OTHER" }, "run: benchfleet prepare quick --rows 500 --set table.name=OTHER"},
		{"another type", func(tpl *core.Template) { tpl.Table.Type = "HYBRID" }, "run: benchfleet prepare quick --rows 500 --set table.type=HYBRID"},
		{"another endpoint", func(tpl *core.Template) { tpl.Target.Endpoint = "far" }, "run: benchfleet prepare quick --rows 500 --set target.endpoint=far"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			is := is.New(t)
			b := newBench(t, nil)
			id := b.template(t)
			s := scenarioFor(t, 2, func(tpl *core.Template) { tpl.Table.Rows = 500; tc.change(tpl) })
			s.TemplateID = id
			var mends []string
			for _, f := range b.runner(t, "a", nil).Preflight(t.Context(), s) {
				if f.ID == "target.table" {
					mends = append(mends, f.Mend)
				}
			}
			is.Equal(mends, []string{tc.mend})
		})
	}
}

// What is dropped because of its type is the table of the scenario, too.
func TestPreflightDropsTheTableThatIsUsed(t *testing.T) {
	is := is.New(t)
	b := newBench(t, nil)
	id := b.template(t)
	s := scenarioFor(t, 2, func(tpl *core.Template) { tpl.Table.Name, tpl.Table.Type = "OTHER", "HYBRID" })
	s.TemplateID = id
	r := b.runner(t, "a", func(p *runner.Ports, _ *runner.Options) {
		p.Target = hookTarget{Target: b.target, hooks: b.hooks, describe: func(i *ports.TargetInfo) { i.Table.Exists, i.Table.Type = true, "STANDARD" }}
	})
	var mends []string
	for _, f := range r.Preflight(t.Context(), s) {
		if f.ID == "target.table_type" {
			mends = append(mends, f.Mend)
		}
	}
	is.Equal(mends, []string{"run: benchfleet prepare quick --drop --set table.name=OTHER --set table.type=HYBRID, " +
		"and then: benchfleet prepare quick --rows 100 --set table.name=OTHER --set table.type=HYBRID"})
}

// locked is a target that lets in a user who may not see the table.
type locked struct{ ports.Target }

func (locked) Describe(context.Context, core.TemplateTable) (ports.TargetInfo, error) {
	return ports.TargetInfo{Kind: "memory", User: "bench"}, fmt.Errorf("%w: may not read", core.ErrDenied)
}

// refusing is a launcher whose platform is not ready.
type refusing struct{ ports.Launcher }

func (refusing) Check(context.Context, int) ([]core.Finding, error) {
	return []core.Finding{{ID: "launcher.image", Severity: core.SeverityError, Message: "no image", Mend: "build it"}}, nil
}

// skewed is a store whose clock is a minute ahead.
type skewed struct{ ports.Schema }

func (s skewed) Probe(ctx context.Context) (time.Time, error) {
	now, err := s.Schema.Probe(ctx)
	return now.Add(time.Minute), err
}

// Each finding of group 2 refuses the run, says what is wrong and how to mend
// it, and leaves nothing behind but the FAILED run with its findings.
func TestPreflightFindings(t *testing.T) {
	for _, tc := range preflightCases() {
		virtual(t, tc.name, func(t *testing.T) {
			is := is.New(t)
			b := newBench(t, nil)
			s := scenarioFor(t, 2, nil)
			r := b.runner(t, "a", func(p *runner.Ports, o *runner.Options) { tc.spoil(b, p, o, &s) })
			run := b.runToEnd(t, r, s)
			at := slices.IndexFunc(run.Findings, func(f core.Finding) bool { return f.ID == tc.finding && f.Severity == tc.severity })
			if at < 0 {
				t.Fatalf("findings: %v", run.Findings)
			}
			found := run.Findings[at]
			if !strings.Contains(found.Message, tc.says) || !strings.Contains(found.Mend, tc.mend) {
				t.Errorf("finding: %v", found)
			}
			if tc.severity == core.SeverityWarning {
				is.Equal(run.Status, core.Completed)
				return
			}
			is.Equal(run.Status, core.Failed)
			is.Equal(run.Reason, core.PreflightRefused)
			is.True(strings.Contains(run.Detail, tc.says))
			is.Equal(b.record(t).Run.Findings, run.Findings)
			is.Equal(len(b.events(t)), 0)
			is.Equal(b.launches(), 0)
			is.Equal(b.hooks.called("Launcher.Launch"), 0)
			_, children, err := b.store.Rollup(t.Context(), "run")
			is.True(errors.Is(err, core.ErrNotFound))
			is.Equal(len(children), 0)
			for _, f := range run.Findings {
				is.True(f.Severity == core.SeverityOK || f.Mend != "")
			}
		})
	}
}

// Everything that is wrong is said at once, in a fixed order, and Preflight
// alone changes nothing.
func TestPreflightSaysAllAtOnce(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		is := is.New(t)
		b := newBench(t, nil)
		s := scenarioFor(t, 2, nil)
		s.Table.Rows = 500
		s.Operations[0].Statements[0].SQL = "SELEC 1"
		b.hooks.set(func(_ context.Context, method string, _ int) error {
			return when(method == "Schema.Probe", core.ErrDenied)
		}, nil)
		r := b.runner(t, "a", func(p *runner.Ports, _ *runner.Options) {
			p.Launcher = hookLauncher{Launcher: b.launcher, hooks: b.hooks, capabilities: func(c *ports.Capabilities) { *c = ports.Capabilities{Name: "memory", MaxWorkers: 1} }}
		})
		var wrong []string
		for range 5 {
			wrong = nil
			for _, f := range r.Preflight(t.Context(), s) {
				if f.Severity == core.SeverityError {
					wrong = append(wrong, f.ID)
				}
			}
		}
		is.Equal(wrong, []string{"target.table", "target.local_file", "target.statement", "launcher.capacity", "build.identity", "store.write"})
		list, err := b.store.List(t.Context(), ports.RunFilter{})
		is.NoErr(err)
		is.Equal(len(list), 0)
		is.Equal(b.launches(), 0)
	})
}

// A check that hangs is refused in time, and the finding names it.
func TestPreflightThatHangs(t *testing.T) {
	for method, id := range map[string]string{"Target.Describe": "target.reachable", "Target.Explain": "target.statement", "Launcher.Check": "launcher.ready", "Schema.Probe": "store.write"} {
		virtual(t, method, func(t *testing.T) {
			is := is.New(t)
			b := newBench(t, nil)
			b.hooks.set(hangIn(method), nil)
			s := scenarioFor(t, 2, nil)
			run := b.runToEnd(t, b.runner(t, "a", nil), s)
			is.Equal(run.Status, core.Failed)
			is.Equal(run.Reason, core.PreflightRefused)
			is.True(run.EndedAt.Sub(run.StartedAt) <= s.Limits.PreflightTimeout.Std())
			is.Equal(b.hooks.called(method), 1) // and not asked again
			is.True(slices.ContainsFunc(run.Findings, func(f core.Finding) bool { return f.ID == id && f.Severity == core.SeverityError }))
			is.Equal(b.launches(), 0)
		})
	}
	virtual(t, "and hears no context", func(t *testing.T) {
		is := is.New(t)
		b := newBench(t, nil)
		b.hooks.set(func(_ context.Context, method string, _ int) error {
			if method == "Target.Describe" {
				<-time.After(2 * time.Minute)
			}
			return nil
		}, nil)
		run := b.runToEnd(t, b.runner(t, "a", nil), scenarioFor(t, 2, nil))
		is.Equal(run.Status, core.Failed)
		is.Equal(run.Reason, core.PreflightRefused)
		is.Equal(run.Detail, "the checks did not finish within 1m0s")
	})
}

// Group 1 goes step by step: what cannot be asked yet is not asked.
func TestAdmit(t *testing.T) {
	good := core.Scenario{Name: "quick", Load: core.ScenarioLoad{Workers: 2, Connections: 6}}
	for _, tc := range []struct {
		name     string
		schema   ports.Schema
		resolve  error
		findings []string
		asked    bool
	}{
		{"all is well", memory.NewStore(memory.Options{}), nil, []string{"OK store.schema", "OK template"}, true},
		{"the store is away", schemaAnswer{err: unavailable()}, nil, []string{"ERROR store.reachable"}, false},
		{"the schema is incomplete", schemaAnswer{findings: []core.Finding{
			{ID: "store.schema", Severity: core.SeverityError, Message: "no table RUN_STATUS", Mend: "benchfleet schema apply"},
			{ID: "store.schema", Severity: core.SeverityError, Message: "no column X", Mend: "benchfleet schema apply"},
		}}, nil, []string{"ERROR store.schema", "ERROR store.schema"}, false},
		{"a schema that was not looked at", schemaAnswer{}, nil, nil, false},
		{"no such template", memory.NewStore(memory.Options{}), fmt.Errorf("%w: template oltp", core.ErrNotFound), []string{"OK store.schema", "ERROR template"}, true},
		{"a template with faults", memory.NewStore(memory.Options{}), fmt.Errorf("%w: load.workers is 0", core.ErrInvalid), []string{"OK store.schema", "ERROR template"}, true},
	} {
		t.Run(tc.name, func(t *testing.T) {
			is := is.New(t)
			asked := false
			scenario, findings := runner.Admit(t.Context(), tc.schema, func(context.Context) (core.Scenario, error) {
				asked = true
				return good, tc.resolve
			})
			var got []string
			for _, f := range findings {
				got = append(got, string(f.Severity)+" "+f.ID)
				is.True(f.Severity == core.SeverityOK || f.Mend != "")
			}
			is.Equal(got, tc.findings)
			is.Equal(asked, tc.asked)
			is.Equal(scenario.Name == "quick", core.Refusal(findings) == "")
		})
	}
}

type schemaAnswer struct {
	findings []core.Finding
	err      error
}

func (s schemaAnswer) Check(context.Context) ([]core.Finding, error) { return s.findings, s.err }
func (s schemaAnswer) Probe(context.Context) (time.Time, error)      { return time.Time{}, s.err }
