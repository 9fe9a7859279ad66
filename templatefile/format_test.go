package templatefile_test

import (
	"encoding/json"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/matryer/is"

	"github.com/benchfleet/benchfleet/core"
	"github.com/benchfleet/benchfleet/templatefile"
)

// full has something in every field.
func full() core.Template {
	share := 12.5
	second := core.Duration(time.Second)
	return core.Template{
		Name: "full", Description: "two: lines\nand a # sign",
		Tags:   map[string]string{"team": "perf", "on": "yes", "a.b": "1", "": "", "t": " x "},
		Target: core.TemplateTarget{Kind: "memory", Endpoint: "local"},
		Table:  core.TemplateTable{Name: "T", Type: "HYBRID", Rows: 5},
		Load: core.TemplateLoad{
			Mode: "CONCURRENCY", Scaling: "FIXED", Workers: 1, Connections: 2, Warmup: second, Duration: 90 * second,
			Cooldown: second / 2, Operations: 100, ThinkTime: second / 1000, Seed: -7, Sampling: &share,
		},
		Mix: []core.TemplateOp{
			{Kind: core.PointLookup, Weight: 33.33, Keys: core.Zipfian, Theta: 0.9},
			{Kind: core.RangeScan, Weight: 0.67, Span: 7},
			{Kind: core.Insert, Weight: 16},
			{
				Kind: "OWN", Weight: 10, Access: "READ", SQL: "SELECT *\nFROM {table}\n  WHERE ID = ? AND STATUS = ': #'",
				Parameters: []core.Parameter{{Name: "id", Type: core.ParamKey, Distribution: core.Latest, Theta: 0.5}},
			},
			{
				Kind: "VALUES", Weight: 20, SQL: "SELECT ?, ?, ?, ?, ?, ?, ?, ?, ?, ?",
				Parameters: []core.Parameter{
					{Type: core.ParamChoice, Values: []any{int64(1), 2.5, "3", "x: y", "null"}},
					{Type: core.ParamLiteral, Value: "true"},
					{Type: core.ParamLiteral, Value: true},
					{Type: core.ParamLiteral, Value: int64(60)},
					{Type: core.ParamInt, Min: -5, Max: 10},
					{Type: core.ParamFloat, Min: 0.001, Max: 1e200},
					{Type: core.ParamString, Length: 8},
					{Type: core.ParamBool},
					{Type: core.ParamTimestamp, Within: 720 * 3600 * second},
					{Type: core.ParamInsertedKey},
				},
			},
			{
				Kind: "MOVE", Weight: 20, Access: "WRITE",
				Parameters: []core.Parameter{{Name: "a", Type: core.ParamKey}, {Name: "b", Type: core.ParamOffset, Of: "a", Add: 3}},
				Statements: []core.TemplateStatement{
					{SQL: "UPDATE {table} SET BALANCE = 1 WHERE ID = ?", Bind: []string{"a"}},
					{SQL: "UPDATE {table} SET BALANCE = 2 WHERE ID = ?", Bind: []string{"b"}},
				},
			},
		},
		SLOs: []string{"p99 < 20ms", "POINT_LOOKUP p95 < 5ms"},
		Limits: core.TemplateLimits{
			StatementTimeout: second, StartTimeout: second, DrainTimeout: second, CancelTimeout: second, TerminateTimeout: second,
			KillTimeout: second, RunLimit: 600 * second, WorkerLease: 9 * second, OwnerLease: 3 * second, ControlPoll: second / 10,
			OnLoss: core.DegradeOnLoss,
		},
	}
}

func TestFormat(t *testing.T) {
	is := is.New(t)
	template := full()
	delete(template.Tags, "") // core allows no empty key
	is.NoErr(template.Validate())
	written, err := templatefile.Format(template)
	is.NoErr(err)
	golden(t, "testdata/full.yaml", string(written))
	sameAgain(t, template)
}

func TestFormatNames(t *testing.T) {
	for _, name := range []string{"plain", "1", "1e3", "0x1F", "1_000", "null", "true", "off", "2024-01-01", "12.5", "-", "a-"} {
		t.Run(name, func(t *testing.T) {
			template := parseOne(t, "small.yaml", small)
			template.Tags = map[string]string{"x": name, name + "k": name}
			sameAgain(t, template)
		})
	}
}

func FuzzFormat(f *testing.F) {
	for _, s := range []string{"a", "on", " a", "a ", "a: b", "- a", "a\nb", "a\n\nb\n", "\n", "\t", "a\tb", "'", `"`, `\`, "é", "\u2028", "#", "a #b", "{", "*a", "&a", "!a", "%a", "@a", "`", "|", ">", "?", "? a", "---", "a\n---\nb", "\x00", "\x85", "\ufeff", "日本\n語", "a\n b", "😀", "=", "<<", "~", ".inf", "0o7", "1:30", "a:", ":a", ","} {
		f.Add(s, s)
	}
	f.Fuzz(func(t *testing.T, key, value string) {
		template := core.Template{
			Name: "x", Description: value, Tags: map[string]string{"k" + key: value},
			Target: core.TemplateTarget{Kind: "memory"}, Table: core.TemplateTable{Name: "T", Rows: 1},
			Load: core.TemplateLoad{Workers: 1, Connections: 1},
			Mix: []core.TemplateOp{{
				Kind: "OWN", Weight: 100, SQL: "SELECT ?, ?",
				Parameters: []core.Parameter{{Type: core.ParamLiteral, Value: value}, {Type: core.ParamChoice, Values: []any{value, int64(1)}}},
			}},
		}
		if template.Validate() != nil {
			return
		}
		written, err := templatefile.Format(template)
		if err != nil {
			if core.CodeOf(err) != core.Invalid {
				t.Fatal(err)
			}
			return
		}
		if len(written) > templatefile.MaxBytes {
			return
		}
		sameAgain(t, template)
	})
}

func TestFormatRefuses(t *testing.T) {
	for name, change := range map[string]func(*core.Template){
		"not UTF-8":  func(t *core.Template) { t.Description = "\xff" },
		"not finite": func(t *core.Template) { z := 0.0; t.Mix[0].Weight = 1 / z },
		"odd type":   func(t *core.Template) { t.Mix[4].Parameters[1].Value = []int{1} },
	} {
		t.Run(name, func(t *testing.T) {
			is := is.New(t)
			template := full()
			change(&template)
			_, err := templatefile.Format(template)
			is.Equal(core.CodeOf(err), core.Invalid)
		})
	}
}

func TestSchema(t *testing.T) {
	is := is.New(t)
	schema, err := templatefile.Schema("sqlite", "other")
	is.NoErr(err)
	golden(t, "testdata/schema.json", string(schema))
	is.True(!strings.Contains(string(schema), "$ref")) // one piece, for simple editors
	_, err = os.Stat("testdata/schema.json")
	is.NoErr(err)
}

// The keys of an open loop are written and read as the others are, and set one by
// one.
func TestFormatOpenLoop(t *testing.T) {
	is := is.New(t)
	open := full()
	open.Tags = nil // some are wrong on purpose
	second := core.Duration(time.Second)
	open.Load.Mode, open.Load.ThinkTime = core.ModeQPS, 0
	open.Load.Rate, open.Load.Arrivals, open.Load.MaxLateness = 12.5, core.ArrivalsPoisson, second
	open.Load.Ramp = core.TemplateRamp{Shape: core.ShapeSpike, From: 0.5, Over: second, At: 2 * second, Period: 5 * second}
	is.NoErr(open.Validate())
	text, err := templatefile.Format(open)
	is.NoErr(err)
	is.True(strings.Contains(string(text), "  rate: 12.5\n  arrivals: poisson\n  max_lateness: 1s\n  ramp:\n    shape: spike\n    from: 0.5\n    over: 1s\n    at: 2s\n    period: 5s\n"))
	is.Equal(asJSON(t, parseOne(t, "open.yaml", string(text))), asJSON(t, open))

	closed := full()
	closed.Tags = nil
	set, err := templatefile.Set(closed, []string{"load.ramp.shape=steps", "load.ramp.steps=3", "load.ramp.over=2s", "load.ramp.from=1"})
	is.NoErr(err)
	is.NoErr(set.Validate())
	is.Equal(set.Load.Ramp, core.TemplateRamp{Shape: core.ShapeSteps, From: 1, Over: 2 * second, Steps: 3})
}

// A budget and guardrails are written and read as the others are, and set one by one.
func TestFormatBounds(t *testing.T) {
	is := is.New(t)
	bounded := full()
	bounded.Tags = nil
	bounded.Limits.Guardrails = core.TemplateGuardrails{CPU: 80, Memory: 90.5, Patience: core.Duration(5 * time.Second)}
	bounded.Budget = core.TemplateBudget{Operations: 1000, Rows: 5000, Time: core.Duration(time.Hour), Credits: 2.5, CreditsPerHour: 1}
	is.NoErr(bounded.Validate())
	text, err := templatefile.Format(bounded)
	is.NoErr(err)
	is.True(strings.Contains(string(text), "  guardrails:\n    cpu: 80\n    memory: 90.5\n    patience: 5s\n"))
	is.True(strings.Contains(string(text), "\nbudget:\n  operations: 1000\n  rows: 5000\n  time: 1h0m0s\n  credits: 2.5\n  credits_per_hour: 1\n"))
	is.Equal(asJSON(t, parseOne(t, "bounded.yaml", string(text))), asJSON(t, bounded))

	plain := full()
	plain.Tags = nil
	set, err := templatefile.Set(plain, []string{"budget.operations=1000", "limits.guardrails.cpu=5"})
	is.NoErr(err)
	is.Equal(set.Budget, core.TemplateBudget{Operations: 1000})
	is.Equal(set.Limits.Guardrails, core.TemplateGuardrails{CPU: 5})
	_, err = templatefile.Set(plain, []string{"budget.operatoins=1000"})
	is.True(strings.Contains(err.Error(), "budget.operatoins is no key of a template; did you mean budget.operations?"))
}

// A template that was stored, as JSON, is written with the numbers that it was made
// with: a whole number has no fraction.
func TestFormatStored(t *testing.T) {
	is := is.New(t)
	template := full()
	template.Tags = nil // some are wrong on purpose
	template.Mix[4].Parameters = []core.Parameter{
		{Type: core.ParamLiteral, Value: int64(4_000_000)},
		{Type: core.ParamChoice, Values: []any{int64(-3), 2.5, int64(9_007_199_254_740_992), 1e300}},
	}
	direct, err := templatefile.Format(template)
	is.NoErr(err)
	data, err := json.Marshal(template)
	is.NoErr(err)
	var stored core.Template
	is.NoErr(json.Unmarshal(data, &stored))
	text, err := templatefile.Format(stored)
	is.NoErr(err)
	is.Equal(string(text), string(direct))
	is.True(strings.Contains(string(text), "value: 4000000\n"))
}
