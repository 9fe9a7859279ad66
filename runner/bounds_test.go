package runner_test

import (
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/matryer/is"

	"github.com/benchfleet/benchfleet/core"
)

// guardrailEvents are the events that guardrails publish, in words.
func (b *bench) guardrailEvents(t *testing.T) (list []string) {
	t.Helper()
	for _, e := range b.events(t) {
		switch e.Type {
		case core.EventGuardrail:
			detail, _, _ := strings.Cut(e.Detail, ": ")
			list = append(list, string(e.Scope)+" "+detail)
		case core.EventSetWorkerTarget:
			list = append(list, e.WorkerID+" keeps "+string(rune('0'+e.Target)))
		}
	}
	return list
}

func guardedScenario(t *testing.T, change func(*core.Template)) core.Scenario {
	t.Helper()
	s := scenarioFor(t, 2, func(tpl *core.Template) {
		tpl.Load.Connections, tpl.Load.Duration = 8, core.Duration(8*time.Second)
		tpl.Limits.Guardrails = core.TemplateGuardrails{CPU: 80, Memory: 90, Patience: core.Duration(2 * time.Second)}
		if change != nil {
			change(tpl)
		}
	})
	s.Load.Interval = core.Duration(500 * time.Millisecond)
	return s
}

// One worker that exceeds backs off, and is degraded when that does not help. The
// run goes on, since the other has room.
func TestGuardrailOfOneWorker(t *testing.T) {
	for _, c := range []struct {
		name   string
		script script
		events []string
	}{
		{"halves until it fits", script{cpu: 97, calm: 4}, []string{
			"WORKER worker-1 used 97.0 % of its CPU (the guardrail is 80 %) for 1.0 s", "worker-1 keeps 4",
		}},
		{"never fits", script{cpu: 97}, []string{
			"WORKER worker-1 used 97.0 % of its CPU (the guardrail is 80 %) for 1.0 s", "worker-1 keeps 4",
			"WORKER worker-1 used 97.0 % of its CPU (the guardrail is 80 %) for 2.0 s, with 4 connections instead of 8 too",
		}},
		{"memory", script{memory: 91, cpu: 1}, []string{
			"WORKER worker-1 used 91.0 % of its memory (the guardrail is 90 %) for 1.0 s", "worker-1 keeps 4",
			"WORKER worker-1 used 91.0 % of its memory (the guardrail is 90 %) for 2.0 s, with 4 connections instead of 8 too",
		}},
		{"fits", script{cpu: 80, memory: 90}, nil},
	} {
		t.Run(c.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				is := is.New(t)
				b := newBench(t, map[string]script{core.WorkerID(0): {cpu: 20, memory: 20}, core.WorkerID(1): c.script})
				run := b.runToEnd(t, b.runner(t, "a", nil), guardedScenario(t, nil))
				is.Equal(run.Status, core.Completed)
				is.Equal(b.guardrailEvents(t), c.events)
				parent, _, err := b.store.Rollup(t.Context(), run.ID)
				is.NoErr(err)
				said := strings.Contains(strings.Join(parent.Verdict.Reasons, "\n"), "worker-1 used ")
				is.Equal(said, c.events != nil)
				is.Equal(slices.Contains(parent.Verdict.Causes, core.CauseGuardrail), said)
				is.True(!said || parent.Verdict.Level != core.Valid)
			})
		})
	}
}

// When all workers exceed for the patience the run fails; in an open loop, whose
// rate is not changed silently, without backing off before.
func TestGuardrailOfAllWorkers(t *testing.T) {
	for _, c := range []struct {
		name   string
		change func(*core.Template)
		first  string
		events int
	}{
		{"closed loop", nil, "worker-0 keeps 4", 7},
		{"open loop", func(tpl *core.Template) { tpl.Load.Mode, tpl.Load.Rate = core.ModeQPS, 100 },
			"WORKER worker-1 used 97.0 % of its CPU (the guardrail is 80 %) for 1.0 s", 3},
	} {
		t.Run(c.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				is := is.New(t)
				busy := script{cpu: 97, memory: 20}
				b := newBench(t, map[string]script{core.WorkerID(0): busy, core.WorkerID(1): busy})
				run := b.runToEnd(t, b.runner(t, "a", nil), guardedScenario(t, c.change))
				is.Equal(run.Status, core.Failed)
				is.Equal(run.Reason, core.Guardrail)
				is.True(strings.HasPrefix(run.Detail, "every worker has used more than its guardrails for 2.0 s: worker-0 97.0 % of its CPU"))
				events := b.guardrailEvents(t)
				is.Equal(len(events), c.events)
				is.Equal(events[1], c.first)
				is.Equal(events[len(events)-1], "RUN every worker has used more than its guardrails for 2.0 s")
				since := run.StopAt.Sub(run.Origin)
				is.True(since >= 2*time.Second && since < 3*time.Second)
				is.True(run.Certificate().Clean)
				is.Equal(run.StopBy, "") // nobody asked
			})
		})
	}
}

// A worker that has used up its share of the budget ends the run for all.
func TestBudgetEndsTheRun(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		is := is.New(t)
		b := newBench(t, map[string]script{core.WorkerID(1): {allowance: 30}})
		s := scenarioFor(t, 2, func(tpl *core.Template) { longLoad(tpl); tpl.Budget.Operations = 70 })
		run := b.runToEnd(t, b.runner(t, "a", nil), s)
		is.Equal(run.Status, core.Cancelled)
		is.Equal(run.Reason, core.Budget)
		is.Equal(run.Detail, "the budget of 70 operations is used up: worker-1 has started its share of 35")
		parent, _, err := b.store.Rollup(t.Context(), run.ID)
		is.NoErr(err)
		is.Equal(parent.Budget.Operations, int64(70))
		is.Equal(parent.Budget.UsedOperations, b.made[core.WorkerID(0)]+b.made[core.WorkerID(1)])
		is.True(strings.Contains(findingText(run.Findings), "budget OK: at most 70 operations"))
	})
}

func findingText(findings []core.Finding) string {
	text := ""
	for _, f := range findings {
		text += f.ID + " " + string(f.Severity) + ": " + f.Message + "\n"
	}
	return text
}

// Time, also as credits, ends the run before it is over, whatever the workers do.
func TestBudgetOfTimeEndsTheRun(t *testing.T) {
	for name, budget := range map[string]core.TemplateBudget{
		"time":    {Time: core.Duration(10 * time.Second)},
		"credits": {Credits: 1, CreditsPerHour: 360},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				is := is.New(t)
				b := newBench(t, map[string]script{core.WorkerID(1): {slowDrain: 20 * time.Second}})
				s := scenarioFor(t, 2, func(tpl *core.Template) {
					tpl.Budget = budget
					tpl.Load.Duration, tpl.Load.Operations = 0, 1_000_000
					tpl.Limits.DrainTimeout = core.Duration(30 * time.Second)
				})
				run := b.runToEnd(t, b.runner(t, "a", nil), s)
				is.Equal(run.Reason, core.Budget)
				is.Equal(run.Status, core.Cancelled)
				end := run.Origin.Add(-run.Plan.StartLead).Add(10 * time.Second)
				lead := run.Plan.BudgetLead
				is.True(!run.StopAt.Before(end.Add(-lead)) && run.StopAt.Before(end.Add(-lead+20*time.Millisecond)))
				is.True(run.Workers[0].LastEnd.Before(end))
				c := run.Certificate()
				is.True(c.HighestRung > core.Drain) // one did not end by itself, and was not waited for
			})
		})
	}
}
