package porttest

import (
	"fmt"
	"slices"
	"testing"
	"time"

	"github.com/benchfleet/benchfleet/core"
	"github.com/benchfleet/benchfleet/ports"
)

// list lists runs, checks the order and returns the ids.
func list(t testing.TB, store ports.RunStore, filter ports.RunFilter) []string {
	t.Helper()
	runs, err := store.List(within(t), filter)
	must(t, err, "List")
	var ids []string
	for i, r := range runs {
		ids = append(ids, r.ID)
		if i > 0 && r.CreatedAt.After(runs[i-1].CreatedAt) {
			t.Errorf("%s of %s comes after %s of %s: newest must be first", r.ID, r.CreatedAt, runs[i-1].ID, runs[i-1].CreatedAt)
		}
	}
	return ids
}

// sorted is for comparing without order: runs that are created within one
// tick of the clock are equally new.
func sorted(ids []string) []string { return slices.Sorted(slices.Values(ids)) }

func listRuns(t testing.TB, h StoreHarness) {
	store := h.open(t)
	if got := list(t, store, ports.RunFilter{}); len(got) != 0 {
		t.Errorf("an empty store lists %v", got)
	}
	byStatus := map[core.Status][]string{}
	var all []string
	life := sampleLife(3)
	for i := range 9 {
		id := fmt.Sprint("run-", i)
		create(t, store, id)
		status := core.Prepared
		for _, s := range life[:i] {
			run, _ := commit(t, store, id, s.events...)
			status = run.Status
		}
		all, byStatus[status] = append(all, id), append(byStatus[status], id)
	}
	same(t, sorted(list(t, store, ports.RunFilter{})), all, "all runs")
	for _, status := range core.Statuses() {
		got := list(t, store, ports.RunFilter{Status: []core.Status{status}})
		if len(got) != 0 || len(byStatus[status]) != 0 {
			same(t, sorted(got), sorted(byStatus[status]), "the runs that are "+string(status))
		}
	}
	both := slices.Concat(byStatus[core.Prepared], byStatus[core.Running])
	same(t, sorted(list(t, store, ports.RunFilter{Status: []core.Status{core.Prepared, core.Running}})), sorted(both), "the runs of two statuses")

	whole := list(t, store, ports.RunFilter{})
	var pages []string
	for before := ""; ; before = pages[len(pages)-1] {
		page := list(t, store, ports.RunFilter{Limit: 2, Before: before})
		if len(page) == 0 {
			break
		}
		if len(page) > 2 || len(pages) > len(whole) {
			t.Fatalf("a page of at most 2 has %d, after %d of %d", len(page), len(pages), len(whole))
		}
		pages = append(pages, page...)
	}
	same(t, pages, whole, "the pages one after another")

	// A filter and a page together.
	filter := ports.RunFilter{Status: []core.Status{core.Starting, core.Running}, Limit: 1}
	first := list(t, store, filter)
	if len(first) != 1 {
		t.Fatalf("a page of 1 has %d", len(first))
	}
	filter.Before, filter.Limit = first[0], 0
	rest := list(t, store, filter)
	want := slices.Concat(byStatus[core.Starting], byStatus[core.Running])
	same(t, sorted(append(first, rest...)), sorted(want), "a filtered list in two pages")
}

// listSearch: a text is searched for as it is, whatever its case, in id and name.
func listSearch(t testing.TB, h StoreHarness) {
	store := h.open(t)
	for _, r := range []struct{ id, name, template, launcher string }{
		{"run-1", "Nightly_oltp", "template-1", "local"},
		{"run-2", "nightlyXoltp", "template-1", "docker"},
		{"run-3", "100%", "template-2", "local"},
		{"RUN!4", "", "template-2", "docker"},
	} {
		scenario := sampleScenario(1)
		scenario.Name, scenario.TemplateID, scenario.Launcher = r.name, r.template, r.launcher
		_, err := store.Create(within(t), core.NewRun(r.id, scenario.Plan()), scenario, ports.Home{})
		must(t, err, "Create")
	}
	for _, tt := range []struct {
		filter ports.RunFilter
		want   []string
	}{
		{ports.RunFilter{Search: "nightly"}, []string{"run-1", "run-2"}},
		{ports.RunFilter{Search: "NIGHTLY_"}, []string{"run-1"}},
		{ports.RunFilter{Search: "%"}, []string{"run-3"}},
		{ports.RunFilter{Search: "run!"}, []string{"RUN!4"}},
		{ports.RunFilter{Search: "run-"}, []string{"run-1", "run-2", "run-3"}},
		{ports.RunFilter{Search: "' OR 1=1 --"}, nil},
		{ports.RunFilter{Search: `\`}, nil},
		{ports.RunFilter{Launcher: "docker"}, []string{"RUN!4", "run-2"}},
		{ports.RunFilter{Template: "template-2", Launcher: "docker"}, []string{"RUN!4"}},
		{ports.RunFilter{Template: "template-1", Search: "x"}, []string{"run-2"}},
		{ports.RunFilter{Template: "template"}, nil},
	} {
		same(t, sorted(list(t, store, tt.filter)), tt.want, fmt.Sprintf("the runs that %+v lets through", tt.filter))
	}
}

func listDefault(t testing.TB, h StoreHarness) {
	store := h.open(t)
	for i := range 103 {
		create(t, store, fmt.Sprintf("run-%03d", i))
	}
	for limit, want := range map[int]int{0: 100, 101: 101, 1000: 103} {
		if got := len(list(t, store, ports.RunFilter{Limit: limit})); got != want {
			t.Errorf("limit %d of 103 runs lists %d, want %d", limit, got, want)
		}
	}
}

func listSummary(t testing.TB, h StoreHarness) {
	store := h.open(t)
	created := create(t, store, "run-1")
	for i, s := range append([]step{{}}, sampleLife(3)...) {
		record, err := store.Load(within(t), "run-1")
		must(t, err, "Load")
		next, events, err := record.Run.Fold(s.events...)
		must(t, err, "Fold")
		progress := ports.Progress{TotalOps: int64(1000 * i), Errors: int64(i), QPS: 12.5 * float64(i)}
		if i > 3 {
			progress = ports.Progress{} // as a stop request does: what was shown stays
		}
		_, err = store.Commit(within(t), record.Version, next, events, progress)
		must(t, err, "Commit")
		runs, err := store.List(within(t), ports.RunFilter{})
		must(t, err, "List")
		if len(runs) != 1 {
			t.Fatalf("%d runs, want 1", len(runs))
		}
		got := runs[0]
		got.OwnerAlive = false // see listOwner
		shown := min(i, 3)
		same(t, got, ports.RunSummary{
			ID: "run-1", Name: created.Scenario.Name, Status: next.Status, Phase: next.Phase, Reason: next.Reason, Detail: next.Detail,
			Launcher: "local", Workers: 3, Owner: next.Owner,
			CreatedAt: created.CreatedAt, StartedAt: next.StartedAt, EndedAt: next.EndedAt,
			TotalOps: int64(1000 * shown), Errors: int64(shown), QPS: 12.5 * float64(shown),
		}, fmt.Sprintf("the summary after step %d", i))
	}
}

func listChecks(t testing.TB, h StoreHarness) {
	one, two := h.handles(t)
	create(t, one, "run-1")
	create(t, one, "run-2")
	commit := func(ev core.Event) {
		t.Helper()
		record, err := one.Load(within(t), "run-1")
		must(t, err, "Load")
		next, events, err := record.Run.Fold(ev)
		must(t, err, "Fold")
		_, err = one.Commit(within(t), record.Version, next, events, ports.Progress{})
		must(t, err, "Commit")
	}
	want := func(first time.Time) {
		t.Helper()
		runs, err := two.List(within(t), ports.RunFilter{})
		must(t, err, "List")
		for _, r := range runs {
			if asked := map[string]time.Time{"run-1": first}[r.ID]; !r.CheckAt.Equal(asked) {
				t.Errorf("the checks of %s were asked for at %s, want %s", r.ID, r.CheckAt, asked)
			}
		}
	}
	want(time.Time{})
	commit(core.CheckRequested{At: at(1)})
	want(at(1))
	commit(core.PreflightFinished{At: at(2), Findings: []core.Finding{{ID: "a", Severity: core.SeverityOK}}})
	want(time.Time{})
}

// listOwner uses leases that end an hour from the store's now, so that it need
// not know more of the store's clock.
func listOwner(t testing.TB, h StoreHarness) {
	store := h.open(t)
	now := create(t, store, "run-1").Now
	alive := func() bool {
		t.Helper()
		runs, err := store.List(within(t), ports.RunFilter{})
		must(t, err, "List")
		if len(runs) != 1 {
			t.Fatalf("%d runs, want 1", len(runs))
		}
		return runs[0].OwnerAlive
	}
	if alive() {
		t.Error("a run that nobody claimed has a live owner")
	}
	commit(t, store, "run-1", core.OwnerClaimed{At: now.Add(-2 * time.Hour), Owner: "me", Until: now.Add(-time.Hour)})
	if alive() {
		t.Error("an owner whose lease ended an hour ago is alive")
	}
	commit(t, store, "run-1", core.OwnerClaimed{At: now, Owner: "you", Until: now.Add(time.Hour)})
	if !alive() {
		t.Error("an owner whose lease lasts an hour is not alive")
	}
	commit(t, store, "run-1", core.StopRequested{At: now})
	if alive() {
		t.Error("a terminal run has a live owner")
	}
}

func deleteRefused(t testing.TB, h StoreHarness) {
	store := h.open(t)
	create(t, store, "run-1")
	for i, s := range append([]step{{}}, sampleLife(3)...) {
		run, version := commit(t, store, "run-1", s.events...)
		if run.Status.Terminal() {
			break
		}
		events, err := store.Events(within(t), "run-1", 0)
		must(t, err, "Events")
		wantCode(t, store.Delete(within(t), "run-1"), core.Refused, fmt.Sprintf("Delete after step %d, %s", i, run.Status))
		wantRun(t, store, run, version, events)
	}
	must(t, store.Delete(within(t), "run-1"), "Delete of a terminal run")

	for _, status := range []core.Status{core.Completed, core.Failed, core.Cancelled} {
		record := create(t, store, string(status))
		record.Run.Status = status
		_, err := store.Commit(within(t), record.Version, record.Run, nil, ports.Progress{})
		must(t, err, "Commit")
		must(t, store.Delete(within(t), string(status)), "Delete of a run that is "+string(status))
	}
}

// deleteAll fills two runs with everything there is, and deletes one.
func deleteAll(t testing.TB, h StoreHarness) {
	store := h.open(t)
	for _, id := range []string{"run-1", "run-2"} {
		create(t, store, id)
		fill(t, store, id)
	}
	kept := contents(t, store, "run-2")
	must(t, store.Delete(within(t), "run-1"), "Delete")

	_, err := store.Load(within(t), "run-1")
	wantCode(t, err, core.NotFound, "Load of a deleted run")
	wantCode(t, store.Delete(within(t), "run-1"), core.NotFound, "Delete of a deleted run")
	_, err = store.Control(within(t), "run-1", "worker-0")
	wantCode(t, err, core.NotFound, "Control of a deleted run")
	wantCode(t, store.Beat(within(t), sampleBeat("run-1", 0, 1, 99)), core.NotFound, "Beat of a deleted run")
	_, _, err = store.Rollup(within(t), "run-1")
	wantCode(t, err, core.NotFound, "Rollup of a deleted run")
	same(t, list(t, store, ports.RunFilter{}), []string{"run-2"}, "the runs that are left")
	same(t, contents(t, store, "run-2"), kept, "what the other run holds")

	create(t, store, "run-1") // the same id, anew: nothing old may be under it
	for name, n := range contents(t, store, "run-1") {
		if n != 0 {
			t.Errorf("%d %s of the deleted run are left", n, name)
		}
	}
}

// fill leads a run to its end and stores something of every kind under it.
func fill(t testing.TB, store ports.Store, id string) {
	t.Helper()
	for _, s := range sampleLife(3) {
		commit(t, store, id, s.events...)
	}
	for i := range 3 {
		must(t, store.Beat(within(t), sampleBeat(id, i, 1, 5)), "Beat")
	}
	must(t, store.AppendSnapshots(within(t),
		[]ports.WorkerInterval{{RunID: id, WorkerID: "worker-0", Interval: sampleInterval(1)}},
		[]ports.RunInterval{sampleAggregate(id, core.Measurement, 1, 1)}), "AppendSnapshots")
	must(t, store.AppendExecutions(within(t), sampleExecutions(id, 7)), "AppendExecutions")
	must(t, store.AppendSteps(within(t), []core.ControllerStep{sampleStep(id, core.StepFindMax, 1)}), "AppendSteps")
	must(t, store.PutRollup(within(t), sampleRollup(id, "", 1), []core.Rollup{sampleRollup(id, "worker-0", 1)}), "PutRollup")
	must(t, store.Logs().Append(within(t), []ports.LogLine{
		{RunID: id, Sequence: 1, Time: at(1), Level: "INFO", Message: "one"},
		{RunID: id, WorkerID: "worker-0", Sequence: 1, Time: at(2), Level: "INFO", Message: "two"},
	}), "Append")
}

// contents counts what is stored under a run.
func contents(t testing.TB, store ports.Store, id string) map[string]int {
	t.Helper()
	n := map[string]int{}
	events, err := store.Events(within(t), id, 0)
	must(t, err, "Events")
	n["events"] = len(events)
	beats, _, err := store.Beats(within(t), id, nil)
	must(t, err, "Beats")
	n["beats"] = len(beats)
	intervals, err := store.WorkerIntervals(within(t), id, -1)
	must(t, err, "WorkerIntervals")
	n["intervals"] = len(intervals)
	aggregates, err := store.Aggregates(within(t), id, -1, 0)
	must(t, err, "Aggregates")
	n["aggregates"] = len(aggregates)
	totals, err := store.Totals(within(t), id, -1)
	must(t, err, "Totals")
	n["totals"] = len(totals)
	executions, err := store.Executions(within(t), id, "", 0)
	must(t, err, "Executions")
	n["executions"] = len(executions)
	n["steps"] = len(stepsOf(t, store, id))
	lines, err := store.Logs().Read(within(t), id, "", time.Time{}, 0)
	must(t, err, "Read")
	n["lines"] = len(lines)
	_, children, err := store.Rollup(within(t), id)
	if core.CodeOf(err) != core.NotFound {
		must(t, err, "Rollup")
		n["rollups"] = 1 + len(children)
	}
	return n
}
