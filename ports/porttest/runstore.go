package porttest

import (
	"fmt"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/benchfleet/benchfleet/core"
	"github.com/benchfleet/benchfleet/ports"
)

// TestRunStore proves a ports.RunStore.
func TestRunStore(t *testing.T, h StoreHarness) {
	t.Helper()
	RunStoreSuite().Test(t, h)
}

// RunStoreSuite is the cases of TestRunStore.
func RunStoreSuite() Suite[StoreHarness] {
	return Suite[StoreHarness]{
		{"Create then Load", createThenLoad},
		{"Create twice is Conflict", createTwice},
		{"Create races and one wins", createRace},
		{"insert ranges are disjoint", insertRanges},
		{"unknown runs are NotFound", unknownRuns},
		{"Commit keeps every state of a life", commitLife},
		{"Commit with another version is Conflict", commitStale},
		{"Commit of an event that is there is Conflict", commitTakenEvent},
		{"Commit races and one wins each position", commitRace},
		{"Commit and reload lose nothing", commitReload},
		{"Commit shows state and events together", commitTogether},
		{"a second handle reads what was written", secondHandle},
		{"Events come in pages", eventPages},
		{"List filters, orders and pages", listRuns},
		{"List searches", listSearch},
		{"List shows at most 100 unless told", listDefault},
		{"List summarises", listSummary},
		{"List knows which runs are to be checked", listChecks},
		{"List knows whether the owner lives", listOwner},
		{"Delete is for terminal runs", deleteRefused},
		{"Delete removes everything", deleteAll},
		{"runs alias nothing", runAliasing},
		{"ended contexts change nothing", runContexts},
	}
}

func createThenLoad(t testing.TB, h StoreHarness) {
	store := h.open(t)
	scenario := sampleScenario(3)
	scenario.InsertBase = 42 // the store's to choose
	run := core.NewRun("run-1", scenario.Plan())
	created, err := store.Create(within(t), run, scenario, ports.Home{Host: "host-1"})
	must(t, err, "Create")
	same(t, created.Run, run, "the created run")
	if created.Version != 1 {
		t.Errorf("version of a new run: %d, want 1", created.Version)
	}
	if created.Host != "host-1" {
		t.Errorf("host %q, want host-1", created.Host)
	}
	base := created.Scenario.InsertBase
	if base < core.InsertRange || base%core.InsertRange != 0 {
		t.Errorf("insert base %d is not a positive multiple of core.InsertRange", base)
	}
	scenario.InsertBase = base
	same(t, created.Scenario, scenario, "the created scenario")
	if created.CreatedAt.IsZero() || created.UpdatedAt.Before(created.CreatedAt) || created.Now.Before(created.UpdatedAt) {
		t.Errorf("times out of order: created %s, updated %s, now %s", created.CreatedAt, created.UpdatedAt, created.Now)
	}

	loaded, err := store.Load(within(t), "run-1")
	must(t, err, "Load")
	if loaded.Now.Before(created.Now) {
		t.Errorf("the store's clock went back: %s after %s", loaded.Now, created.Now)
	}
	for _, at := range []time.Time{loaded.CreatedAt, loaded.UpdatedAt, loaded.Now} {
		if _, offset := at.Zone(); offset != 0 {
			t.Errorf("time %s is not UTC", at)
		}
	}
	loaded.Now = created.Now
	same(t, loaded, created, "the loaded record")
	if len(loaded.Run.Emitted()) != 0 {
		t.Errorf("a loaded run says that it has just emitted %d events", len(loaded.Run.Emitted()))
	}
	events, err := store.Events(within(t), "run-1", 0)
	must(t, err, "Events")
	if len(events) != 0 {
		t.Errorf("a new run has %d events, want none", len(events))
	}
}

func createTwice(t testing.TB, h StoreHarness) {
	store := h.open(t)
	first := create(t, store, "run-1")
	scenario := sampleScenario(5)
	_, err := store.Create(within(t), core.NewRun("run-1", scenario.Plan()), scenario, ports.Home{Host: "host-2"})
	wantCode(t, err, core.Conflict, "Create of the same id")
	loaded, err := store.Load(within(t), "run-1")
	must(t, err, "Load")
	loaded.Now = first.Now
	same(t, loaded, first, "the first run after the second Create")
}

func createRace(t testing.TB, h StoreHarness) {
	one, two := h.handles(t)
	errs := make([]error, 32)
	race(len(errs), func(i int) {
		store := []ports.Store{one, two}[i%2]
		scenario := sampleScenario(1 + i%3)
		_, errs[i] = store.Create(within(t), core.NewRun("run-1", scenario.Plan()), scenario, ports.Home{Host: fmt.Sprint("host-", i)})
	})
	winner := soleWinner(t, errs, "Create")
	loaded, err := one.Load(within(t), "run-1")
	must(t, err, "Load")
	if want := fmt.Sprint("host-", winner); loaded.Host != want {
		t.Errorf("stored is the run of %s, but the winner was %s", loaded.Host, want)
	}
}

// soleWinner returns the index of the only nil error, all others being
// Conflict.
func soleWinner(t testing.TB, errs []error, what string) int {
	t.Helper()
	winner, winners := -1, 0
	for i, err := range errs {
		if err == nil {
			winner = i
			winners++
			continue
		}
		wantCode(t, err, core.Conflict, what+" of a loser")
	}
	if winners != 1 {
		t.Fatalf("%s: %d of %d racers won, want exactly 1", what, winners, len(errs))
	}
	return winner
}

func insertRanges(t testing.TB, h StoreHarness) {
	one, two := h.handles(t)
	var mu sync.Mutex
	var bases []int64
	race(50, func(i int) {
		store := []ports.Store{one, two}[i%2]
		scenario := sampleScenario(1)
		record, err := store.Create(within(t), core.NewRun(fmt.Sprint("run-", i), scenario.Plan()), scenario, ports.Home{})
		if err != nil {
			t.Errorf("Create of run-%d: %v", i, err)
			return
		}
		mu.Lock()
		defer mu.Unlock()
		bases = append(bases, record.Scenario.InsertBase)
	})
	slices.Sort(bases)
	for i := 1; i < len(bases); i++ {
		if bases[i] < bases[i-1]+core.InsertRange {
			t.Errorf("insert ranges overlap: %d and %d", bases[i-1], bases[i])
		}
	}
}

func unknownRuns(t testing.TB, h StoreHarness) {
	store := h.open(t)
	create(t, store, "run-1")
	_, err := store.Load(within(t), "run-2")
	wantCode(t, err, core.NotFound, "Load of an unknown run")
	_, err = store.Commit(within(t), 1, core.NewRun("run-2", sampleScenario(1).Plan()), nil, ports.Progress{})
	wantCode(t, err, core.NotFound, "Commit of an unknown run")
	wantCode(t, store.Delete(within(t), "run-2"), core.NotFound, "Delete of an unknown run")
	list, err := store.List(within(t), ports.RunFilter{})
	must(t, err, "List")
	if len(list) != 1 {
		t.Errorf("%d runs after failed calls, want 1", len(list))
	}
}

func runAliasing(t testing.TB, h StoreHarness) {
	store := h.open(t)
	create(t, store, "run-1")
	var run core.Run
	for _, s := range sampleLife(3)[:4] {
		run, _ = commit(t, store, "run-1", s.events...)
	}
	want := text(t, run)

	run.Workers[0].ID = "spoilt" // what was passed in
	run.Workers[0].Handle.Data[0] = 77
	run.Findings[0].Message = "spoilt"
	loaded, err := store.Load(within(t), "run-1")
	must(t, err, "Load")
	if text(t, loaded.Run) != want {
		t.Error("changing the run that was passed to Commit changed what is stored")
	}

	loaded.Run.Workers[1].ID = "spoilt" // what was returned
	loaded.Run.Workers[1].Handle.Data[0] = 77
	loaded.Run.Findings[1].Message = "spoilt"
	loaded.Scenario.Tags["team"] = "spoilt"
	loaded.Scenario.Operations[0].Statements[0].Bind[0] = 99
	events, err := store.Events(within(t), "run-1", 0)
	must(t, err, "Events")
	wantEvents := text(t, events)
	events[0].Detail = "spoilt"

	again, err := store.Load(within(t), "run-1")
	must(t, err, "Load")
	if text(t, again.Run) != want {
		t.Error("changing the run that Load returned changed what is stored")
	}
	if again.Scenario.Tags["team"] != "a" || again.Scenario.Operations[0].Statements[0].Bind[0] != 0 {
		t.Error("changing the scenario that Load returned changed what is stored")
	}
	events, err = store.Events(within(t), "run-1", 0)
	must(t, err, "Events")
	if text(t, events) != wantEvents {
		t.Error("changing the events that Events returned changed what is stored")
	}
}

func runContexts(t testing.TB, h StoreHarness) {
	store := h.open(t)
	record := create(t, store, "run-1")
	next, events, err := record.Run.Fold(core.StopRequested{At: at(1)})
	must(t, err, "Fold")
	for _, ctx := range endedContexts(t) {
		_, err := store.Create(ctx, core.NewRun("run-2", sampleScenario(1).Plan()), sampleScenario(1), ports.Home{})
		wantEnded(t, err, ctx, "Create")
		_, err = store.Load(ctx, "run-1")
		wantEnded(t, err, ctx, "Load")
		_, err = store.List(ctx, ports.RunFilter{})
		wantEnded(t, err, ctx, "List")
		_, err = store.Commit(ctx, 1, next, events, ports.Progress{})
		wantEnded(t, err, ctx, "Commit")
		_, err = store.Events(ctx, "run-1", 0)
		wantEnded(t, err, ctx, "Events")
		wantEnded(t, store.Delete(ctx, "run-1"), ctx, "Delete")
	}
	loaded, err := store.Load(within(t), "run-1")
	must(t, err, "Load")
	loaded.Now = record.Now
	same(t, loaded, record, "the run after calls whose contexts had ended before")
	_, err = store.Load(within(t), "run-2")
	wantCode(t, err, core.NotFound, "Load of a run whose Create was cancelled before it began")
}
