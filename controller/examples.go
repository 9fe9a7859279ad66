package controller

import (
	"encoding/json"
	"time"

	"github.com/benchfleet/benchfleet/client"
	"github.com/benchfleet/benchfleet/core"
	"github.com/benchfleet/benchfleet/library"
	"github.com/benchfleet/benchfleet/ports"
	"github.com/benchfleet/benchfleet/report"
)

// example is what is sent to an operation, and what it answers.
type example struct{ sent, answered any }

// sampleRun is a run of a built-in template that was stopped.
func sampleRun(at time.Time) (source string, t core.Template, record ports.RunRecord) {
	const name = "oltp"
	text, err := library.Source(name)
	if err == nil {
		t, err = ParseTemplate(text)
	}
	scenario := core.Scenario{Name: name}
	if err == nil {
		scenario, err = t.Resolve(core.Resolution{TemplateID: "template-9a1f0d0296f1a432", Launcher: "local", StartTimeout: time.Minute})
	}
	if err != nil {
		return name, t, ports.RunRecord{} // tests see to it that this is not so
	}
	run, _, _ := core.NewRun("20260102-030405-bb008c", scenario.Plan()).Fold(
		core.StartRequested{At: at}, core.StopRequested{At: at.Add(time.Second), Reason: core.UserRequested, By: "ada", Detail: "enough"})
	return string(text), t, ports.RunRecord{Run: run, Scenario: scenario, Version: 3, CreatedAt: at, UpdatedAt: at.Add(time.Second), Now: at.Add(time.Second)}
}

// makeExamples makes those of the document, by operation, as answers are made.
func makeExamples() map[string]example {
	at := time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)
	source, t, record := sampleRun(at)
	run, found := runOf(record), []core.Finding{{ID: "template", Severity: core.SeverityOK, Message: "template oltp resolves"}}
	newRun := client.NewRun{Template: "oltp", Set: []string{"load.workers=5"}, Start: true}
	stored := templateOf(ports.TemplateRecord{ID: record.Scenario.TemplateID, Template: t, Version: 1, CreatedAt: at, UpdatedAt: at})
	interval := intervalOf(&ports.RunInterval{Phase: core.Measurement, Offset: 1, Start: at, Seconds: 1, Connections: 8, Target: 8, Healthy: 2})
	event := core.ControlEvent{RunID: run.ID, Sequence: 1, Type: core.EventStart, Scope: core.ScopeRun, Phase: core.Warmup, Effective: at, At: at}
	line := client.LogLine{WorkerID: "worker-0", Sequence: 2_000_000, Time: at, Level: "INFO", Message: `state {"state":"READY"}`}
	step := stepOf(&core.ControllerStep{Type: core.StepFindMax, Number: 1, Workers: 2, FromConnections: 4, ToConnections: 8, Direction: "UP", Start: at, QPS: 1234.5})
	worker := client.Worker{ID: "worker-0", Life: string(core.Ready), State: core.WorkerRunning, Health: core.Healthy, Age: 0.4, Connections: 4, Target: 4, Throughput: 617.5, CPU: 12.3}
	execution := core.Execution{ID: "e-1", RunID: run.ID, WorkerID: "worker-0", Kind: core.PointLookup, Start: at, Intended: at, Service: time.Millisecond, Response: time.Millisecond, Rows: 1, Success: true}
	result := report.Result{Run: record.Run, Scenario: &record.Scenario}
	status := report.Status{Run: record.Run, Scenario: record.Scenario, Now: record.Now}
	made := map[string]example{
		"get-version": {answered: client.Version{Version: "2c9a53d", GoVersion: "go1.26", Store: "sqlite:/data/store.db", Launchers: []string{"local"}}},
		"get-health":  {answered: client.Health{Role: "controller", Live: true, Ready: true, Reasons: []string{}, Since: at, Version: "2c9a53d"}},
		"get-caller":  {answered: Caller{Name: "ada", Role: Operator}},

		"list-runs":  {answered: client.List[client.RunSummary]{Items: []client.RunSummary{{ID: run.ID, Name: run.Name, Status: run.Status, Launcher: "local", Workers: run.Workers, CreatedAt: at}}}},
		"create-run": {newRun, run}, "preflight-run": {newRun, client.List[core.Finding]{Items: found}},
		"get-run": {answered: run}, "start-run": {answered: run}, "check-run": {answered: run},
		"stop-run":  {client.StopRun{Reason: "enough"}, run},
		"watch-run": {answered: "event: frame\nid: 1000.1.1767323045000000\ndata: {\"run\":{\"run_id\":\"" + run.ID + "\"},\"workers\":[]}\n\n"},

		"list-templates":  {answered: client.List[client.Template]{Items: []client.Template{stored}}},
		"create-template": {source, stored}, "put-template": {source, stored}, "get-template": {answered: stored},
		"validate-template": {source, client.Validation{Valid: true, Name: "oltp", Problems: []client.ProblemField{}}},
		"get-template-text": {answered: source}, "get-built-in": {answered: source},
		"copy-template": {client.CopyTemplate{Name: "oltp-2"}, stored},
		"list-built-in": {answered: client.List[string]{Items: BuiltIn()}},

		"list-events":     {answered: client.List[core.ControlEvent]{Items: []core.ControlEvent{event}}},
		"list-snapshots":  {answered: client.List[client.Interval]{Items: []client.Interval{interval}}},
		"list-steps":      {answered: client.List[client.Step]{Items: []client.Step{step}}},
		"list-workers":    {answered: client.List[client.Worker]{Items: []client.Worker{worker}}},
		"list-logs":       {answered: client.List[client.LogLine]{Items: []client.LogLine{line}}},
		"list-executions": {answered: client.List[core.Execution]{Items: []core.Execution{execution}}},
		"get-scenario":    {answered: record.Scenario}, "get-certificate": {answered: record.Run.Certificate()},
		"get-rollup": {answered: client.Rollup{Run: core.Rollup{RunID: run.ID, Name: run.Name, Status: run.Status}, Workers: []core.Rollup{}}},
		"get-result": {answered: report.Document(result)}, "get-status": {answered: report.StatusOf(status)},
		"compare-runs": {answered: report.ComparisonOf(report.Comparison{})},
	}
	for id, e := range made { // as it is sent, once
		made[id] = example{encoded(e.sent), encoded(e.answered)}
	}
	return made
}

func encoded(v any) any {
	if v == nil {
		return nil
	}
	text, err := json.Marshal(v)
	if err != nil {
		return nil // tests see to it that this is not so
	}
	return json.RawMessage(text)
}
