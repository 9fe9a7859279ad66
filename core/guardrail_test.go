package core

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/matryer/is"
)

func guardPolicy(backOff bool) GuardrailPolicy {
	return GuardrailPolicy{Guardrails: Guardrails{CPU: 80, Memory: 90, Patience: Duration(10 * time.Second)}, Interval: time.Second, BackOff: backOff}
}

// watchOne plays the same usage again and again to one worker and gives what
// follows as "second: step".
func watchOne(p GuardrailPolicy, asked, intervals int, cpu func(second int) float64) (log []string) {
	var w GuardrailWatch
	record := WorkerRecord{ID: "worker-0", Life: Ready, Target: asked}
	for second := 1; second <= intervals; second++ {
		var step GuardrailStep
		w, step = w.Observe(p, WorkerUsage{Seconds: 1, CPU: cpu(second), Memory: 10}, record, asked)
		if step.Target > 0 {
			record.Target = step.Target
			log = append(log, fmt.Sprintf("%d: %d", second, step.Target))
		}
		if step.Degrade {
			record.Degraded = true
			log = append(log, fmt.Sprintf("%d: degraded", second))
		}
		if w.Failed(p, []WorkerRecord{record}) != "" {
			return append(log, fmt.Sprintf("%d: failed", second))
		}
	}
	return log
}

func TestGuardrailStages(t *testing.T) {
	always := func(int) float64 { return 95 }
	until := func(last int) func(int) float64 {
		return func(second int) float64 {
			if second > last {
				return 80 // exactly the guardrail does not exceed it
			}
			return 95
		}
	}
	except := func(one int) func(int) float64 {
		return func(second int) float64 {
			if second == one {
				return 0
			}
			return 95
		}
	}
	impatient := guardPolicy(true)
	impatient.Patience = Duration(3 * time.Second)
	for _, c := range []struct {
		name   string
		policy GuardrailPolicy
		asked  int
		cpu    func(int) float64
		want   string
	}{
		{"never", guardPolicy(true), 10, until(0), ""},
		{"one interval is nothing", guardPolicy(true), 10, until(1), ""},
		{"half is enough", guardPolicy(true), 10, until(2), "2: 5"},
		{"always", guardPolicy(true), 10, always, "2: 5, 4: 2, 6: degraded, 10: failed"},
		{"a few connections", guardPolicy(true), 3, always, "2: 1, 4: degraded, 10: failed"},
		{"one connection", guardPolicy(true), 1, always, "2: degraded, 10: failed"},
		{"many connections", guardPolicy(true), 1000, always, "2: 500, 4: 250, 6: degraded, 10: failed"},
		{"a breath begins the patience anew", guardPolicy(true), 10, except(9), "2: 5, 4: 2, 6: degraded, 19: failed"},
		{"nothing to take", guardPolicy(false), 10, always, "2: degraded, 10: failed"},
		{"little patience", impatient, 10, always, "2: 5, 3: degraded, 3: failed"},
	} {
		t.Run(c.name, func(t *testing.T) {
			is := is.New(t)
			is.Equal(strings.Join(watchOne(c.policy, c.asked, 30, c.cpu), ", "), c.want)
		})
	}
}

// Every sequence of exceeding and not of two workers: a stage follows only upon two
// intervals without a break, connections only fall and never below a quarter, and
// the run fails when both have exceeded for the patience and not before.
func TestGuardrailsOfEverySequence(t *testing.T) {
	const length, asked = 7, 8
	p := guardPolicy(true)
	p.Patience = Duration(4 * time.Second)
	failures := 0
	for bits := range 1 << (2 * length) {
		var w GuardrailWatch
		records := []WorkerRecord{{ID: "worker-0", Life: Ready, Target: asked}, {ID: "worker-1", Life: Ready, Target: asked}}
		over := [2]int{}
		for n := range 2 * length {
			i := n % 2
			usage := WorkerUsage{Worker: i, Seconds: 1, CPU: 50, Memory: 50}
			over[i]++
			switch {
			case bits>>n&1 == 0:
				over[i] = 0
			case n%4 < 2:
				usage.CPU = 81
			default:
				usage.Memory = 91
			}
			var step GuardrailStep
			before := w
			w, step = w.Observe(p, usage, records[i], asked)
			if again, same := before.Observe(p, usage, records[i], asked); same != step || !slices.Equal(again.workers, w.workers) {
				t.Fatalf("%b: it was modified", bits)
			}
			switch {
			case step != GuardrailStep{} && (over[i] < 2 || records[i].Degraded || step.Detail == ""),
				step.Target != 0 && (step.Target >= records[i].Target || step.Target < asked/4 || step.Degrade),
				step.Degrade && records[i].Target > asked/4 && over[i] < 4:
				t.Fatalf("%b at %d: %+v after %d intervals with %+v", bits, n, step, over[i], records[i])
			}
			if step.Target > 0 {
				records[i].Target = step.Target
			}
			records[i].Degraded = records[i].Degraded || step.Degrade
			failed := w.Failed(p, records) != ""
			if failed != (over[0] >= 4 && over[1] >= 4) {
				t.Fatalf("%b at %d: failed %t after %v intervals", bits, n, failed, over)
			}
			if failed {
				failures++
			}
		}
	}
	if failures == 0 {
		t.Error("none has failed")
	}
}

func TestGuardrailWords(t *testing.T) {
	is := is.New(t)
	p := guardPolicy(true)
	var w GuardrailWatch
	a, b := WorkerRecord{ID: "worker-0", Life: Ready, Target: 10}, WorkerRecord{ID: "worker-1", Life: Ready, Target: 3}
	w, step := w.Observe(p, WorkerUsage{Seconds: 2, CPU: 97.26}, a, 10)
	is.Equal(step.Detail, "worker-0 used 97.3 % of its CPU (the guardrail is 80 %) for 2.0 s: it keeps 5 connections instead of 10")
	w, step = w.Observe(p, WorkerUsage{Worker: 1, Seconds: 11, CPU: 85, Memory: 91}, b, 12)
	is.Equal(step.Detail, "worker-1 used 85.0 % of its CPU (the guardrail is 80 %) and 91.0 % of its memory (the guardrail is 90 %) for 11.0 s, with 3 connections instead of 12 too: it is too weak for this load")
	_, host := w.Observe(p, WorkerUsage{Worker: 2, Seconds: 2, CPU: 33, HostCPU: 99, Memory: 33, HostMemory: 80}, WorkerRecord{ID: "worker-2", Target: 2}, 2)
	is.Equal(host.Detail, "worker-2 used with all others 99.0 % of their host's CPU (the guardrail is 80 %) for 2.0 s: it keeps 1 connections instead of 2")
	b.Degraded = true
	is.Equal(w.Failed(p, []WorkerRecord{a, b}), "") // worker-0 is not
	w, step = w.Observe(p, WorkerUsage{Seconds: 9, CPU: 99}, a, 10)
	is.Equal(step.Detail, "worker-0 used 99.0 % of its CPU (the guardrail is 80 %) for 11.0 s: it is too weak for this load")
	a.Degraded = true
	is.Equal(w.Failed(p, []WorkerRecord{a, b}), "every worker has used more than its guardrails for 11.0 s: "+
		"worker-0 99.0 % of its CPU (the guardrail is 80 %); worker-1 85.0 % of its CPU (the guardrail is 80 %) and 91.0 % of its memory (the guardrail is 90 %)")
	a.Life = Gone // who is gone has no say
	is.True(strings.HasPrefix(w.Failed(p, []WorkerRecord{a, b}), "every worker has used more than its guardrails for 11.0 s: worker-1 "))
	b.Life = Gone
	is.Equal(w.Failed(p, []WorkerRecord{a, b}), "")
	is.Equal(w.Failed(p, []WorkerRecord{{ID: "worker-0", Life: Ready, Degraded: true}, {}, {ID: "worker-2", Life: Ready, Degraded: true}}), "") // of which nothing was seen

	_, step = w.Observe(p, WorkerUsage{Worker: 7, CPU: 99}, a, 10) // no time
	is.Equal(step, GuardrailStep{})

	var many []WorkerRecord
	for i := range 8 {
		many = append(many, WorkerRecord{ID: WorkerID(i), Life: Ready, Degraded: true, Target: 1})
		w, _ = w.Observe(p, WorkerUsage{Worker: i, Seconds: 20, CPU: 81}, many[i], 1)
	}
	is.True(strings.HasSuffix(w.Failed(p, many), "worker-4 81.0 % of its CPU (the guardrail is 80 %); and 3 more"))
}

func TestGuardrailsInTheMachine(t *testing.T) {
	is := is.New(t)
	r := loaded(t, 2, func(p *Plan) { p.Connections = 8 })
	off := WorkerBackedOff{At: at(12), Worker: 1, Epoch: 1, Target: 2, Detail: "worker-1 used it up"}
	r, events := play(t, r, off)
	is.Equal(targets(r), []int{4, 2})
	is.Equal(ControlOf(r, 1, 1, at(12)).Target, 2) // which is what the worker obeys
	is.Equal(len(events), 2)
	is.Equal(events[0].Type, EventGuardrail)
	is.Equal(events[0].Scope, ScopeWorker)
	is.Equal(events[0].WorkerID, "worker-1")
	is.Equal(events[0].Detail, "worker-1 used it up")
	is.Equal(events[1].Type, EventSetWorkerTarget)
	is.Equal(events[1].Target, 2)
	is.Equal(r.Workers[1].Guardrail, "worker-1 used it up")
	for _, target := range []int{0, -1, 2, 4, 99} { // it only falls, and never to nothing
		off.Target = target
		_, events = play(t, r, off)
		is.Equal(len(events), 0)
	}
	stale, events := play(t, r, WorkerBackedOff{At: at(12), Worker: 1, Epoch: 9, Target: 1}, WorkerDegraded{At: at(12), Worker: 5, Epoch: 1})
	is.Equal(len(events), 0)
	is.Equal(stale.StaleFacts, int64(2))

	r, events = play(t, r, WorkerDegraded{At: at(13), Worker: 1, Epoch: 1, Detail: "too weak"}, WorkerDegraded{At: at(14), Worker: 1, Epoch: 1, Detail: "again"})
	is.Equal(len(events), 1)
	is.Equal(events[0].Type, EventGuardrail)
	is.Equal(r.Workers[1].Guardrail, "too weak")
	is.Equal(r.Status, Running)

	r, events = play(t, r, GuardrailFailed{At: at(15), Detail: "all of them"})
	is.Equal(r.Status, Cancelling)
	is.Equal(r.Reason, Guardrail)
	is.Equal(r.Reason.Outcome(), Failed)
	is.Equal(r.Rung, Drain)
	is.Equal(len(events), 2)
	is.Equal(events[0].Type, EventGuardrail)
	is.Equal(events[0].Scope, ScopeRun)
	is.Equal(events[1].Type, EventStop)
	is.Equal(events[1].Reason, Guardrail)
	is.Equal(events[1].Detail, "all of them")
	ended, events := play(t, r, GuardrailFailed{At: at(16)}, WorkerDegraded{At: at(16), Worker: 0, Epoch: 1}, WorkerBackedOff{At: at(16), Worker: 0, Epoch: 1, Target: 1})
	is.Equal(len(events), 0) // after a stop nothing more
	is.Equal(ended.Workers[0].Target, 4)

	early, events := play(t, NewRun("r", explorePlan(1, nil)), GuardrailFailed{At: at(0)}, WorkerBackedOff{At: at(0), Worker: 0, Epoch: 0, Target: 1})
	is.Equal(len(events), 0)
	is.Equal(early.Status, Prepared)
}

func TestGuardOfAScenario(t *testing.T) {
	is := is.New(t)
	guarded := func(change func(*Template)) Scenario {
		s, err := budgetTemplate(func(t *Template) {
			t.Limits.Guardrails = TemplateGuardrails{CPU: 80}
			change(t)
		}).Resolve(Resolution{})
		is.NoErr(err)
		return s
	}
	_, ok := Scenario{}.Guard()
	is.True(!ok)
	s := guarded(func(*Template) {})
	p, ok := s.Guard()
	is.True(ok)
	is.Equal(p, GuardrailPolicy{Guardrails: Guardrails{CPU: 80, Patience: Duration(10 * time.Second)}, Interval: time.Second, BackOff: true})
	is.Equal(s.Limits.Guardrails.String(), "CPU 80 %, patience 10s")
	p, _ = guarded(func(t *Template) { t.Load.Mode, t.Load.Rate = ModeQPS, 10 }).Guard()
	is.True(!p.BackOff) // the rate is not changed silently
	p, _ = guarded(func(t *Template) { t.Load.Operations = 100 }).Guard()
	is.True(!p.BackOff) // quotas of connections that pause would never be done
	p, _ = guarded(func(t *Template) {
		t.Load.Ramp = TemplateRamp{Shape: ShapeLinear, From: 1, Over: Duration(time.Second)}
	}).Guard()
	is.True(!p.BackOff) // the connections that pause would be others than those that have not begun

	for change, want := range map[TemplateGuardrails]string{
		{CPU: -1}:                               "limits.guardrails.cpu is -1; allowed: above 0 and below 100 percent, or none",
		{CPU: 100}:                              "limits.guardrails.cpu is 100; allowed",
		{Memory: 101}:                           "limits.guardrails.memory is 101; allowed",
		{Patience: Duration(time.Second)}:       "limits.guardrails.patience is 1s, but there is no guardrail",
		{CPU: 5, Patience: Duration(time.Hour)}: "",
		{CPU: 5, Patience: 1}:                   "limits.guardrails.patience is 1ns; allowed: at least 1s",
		{CPU: 5, Patience: -1}:                  "limits.guardrails.patience is -1ns; a time cannot be negative",
	} {
		err := budgetTemplate(func(t *Template) { t.Limits.Guardrails = change }).Validate()
		if want == "" {
			is.NoErr(err)
		} else if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("got  %v\nwant %s", err, want)
		}
	}
}

// The verdict names the guardrail that was passed, and one that nobody could watch.
func TestGuardrailsInTheVerdict(t *testing.T) {
	is := is.New(t)
	scenario := Scenario{Limits: Limits{Guardrails: &Guardrails{CPU: 80, Memory: 90}}, Load: ScenarioLoad{Connections: 8, Workers: 2}}
	r := loaded(t, 2, func(p *Plan) { p.Connections = 8 })
	r, _ = play(t, r, WorkerBackedOff{At: at(12), Worker: 1, Epoch: 1, Target: 2, Detail: "worker-1 used it up"})
	reasons := func(s Scenario, seen Observed) (all []string) {
		parent, _ := Summarise(SummaryInput{Run: r, Scenario: s, Observed: []Observed{seen, seen}})
		for _, reason := range parent.Verdict.Reasons {
			if strings.Contains(reason, "guardrail") || strings.Contains(reason, "used it up") {
				all = append(all, reason)
			}
		}
		return all
	}
	is.Equal(reasons(scenario, Observed{Seconds: 10, Connections: 40, CPU: 100, Memory: 100}), []string{"worker-1 used it up"})
	is.Equal(reasons(scenario, Observed{Seconds: 10, Connections: 40, Memory: 100}), []string{
		"what worker-0 used of its CPU is not known, so its guardrail could not be watched", "worker-1 used it up"})
	is.Equal(reasons(scenario, Observed{Seconds: 10, Connections: 40, CPU: 100})[0], "what worker-0 used of its memory is not known, so its guardrail could not be watched")
	is.Equal(reasons(Scenario{}, Observed{Seconds: 10}), []string{"worker-1 used it up"})
}
