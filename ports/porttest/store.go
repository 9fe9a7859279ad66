package porttest

import (
	"testing"

	"github.com/benchfleet/benchfleet/core"
	"github.com/benchfleet/benchfleet/ports"
)

// StoreHarness opens what the suites of a store test.
type StoreHarness struct {
	// Open returns an empty store whose schema is there. The suite closes it;
	// what lies beneath is removed by t.Cleanup or t.TempDir.
	Open func(t testing.TB) ports.Store
	// Reopen returns a second handle on the data of a store that Open returned,
	// as another process would have it. The suite closes it. Nil: impossible.
	Reopen func(t testing.TB, store ports.Store) ports.Store
	// Bare returns a store whose schema was never applied. Nil: impossible.
	Bare func(t testing.TB) ports.Store
}

// TestStore runs the suites of all roles of a store.
func TestStore(t *testing.T, h StoreHarness) {
	t.Helper()
	t.Run("RunStore", func(t *testing.T) { TestRunStore(t, h) })
	t.Run("WorkerStore", func(t *testing.T) { TestWorkerStore(t, h) })
	t.Run("ResultStore", func(t *testing.T) { TestResultStore(t, h) })
	t.Run("TemplateStore", func(t *testing.T) { TestTemplateStore(t, h) })
	t.Run("PoolStore", func(t *testing.T) { TestPoolStore(t, h) })
	t.Run("LogStore", func(t *testing.T) { TestLogStore(t, h) })
	t.Run("Schema", func(t *testing.T) { TestSchema(t, h) })
}

// StoreSuite is the suites of all roles of a store in one, for Failing.
func StoreSuite() Suite[StoreHarness] {
	var all Suite[StoreHarness]
	for _, s := range []Suite[StoreHarness]{
		RunStoreSuite(), WorkerStoreSuite(), ResultStoreSuite(), TemplateStoreSuite(), PoolStoreSuite(), LogStoreSuite(), SchemaSuite(),
	} {
		all = append(all, s...)
	}
	return all
}

// open opens a store for one case.
func (h StoreHarness) open(t testing.TB) ports.Store {
	t.Helper()
	store := h.Open(t)
	t.Cleanup(func() { closeStore(t, store) })
	return store
}

// handles opens a store and, where that is possible, a second handle on it;
// otherwise it returns the same twice.
func (h StoreHarness) handles(t testing.TB) (first, second ports.Store) {
	t.Helper()
	first = h.open(t)
	if h.Reopen == nil {
		return first, first
	}
	second = h.Reopen(t, first)
	t.Cleanup(func() { closeStore(t, second) })
	return first, second
}

func closeStore(t testing.TB, store ports.Store) {
	if err := store.Close(); err != nil {
		t.Errorf("Close: %v", err)
	}
	if err := store.Close(); err != nil {
		t.Errorf("Close, the second time: %v", err)
	}
}

// create creates the sample run with that id.
func create(t testing.TB, store ports.RunStore, id string) ports.RunRecord {
	t.Helper()
	scenario := sampleScenario(3)
	record, err := store.Create(within(t), core.NewRun(id, scenario.Plan()), scenario, ports.Home{Host: "host-1"})
	must(t, err, "Create")
	return record
}

// createWide creates a run of 12 workers, whose ids do not sort as their indexes.
func createWide(t testing.TB, store ports.RunStore, id string) {
	t.Helper()
	scenario := sampleScenario(12)
	_, err := store.Create(within(t), core.NewRun(id, scenario.Plan()), scenario, ports.Home{})
	must(t, err, "Create")
}

// commit folds events into the newest state of a run and commits it.
func commit(t testing.TB, store ports.RunStore, id string, evs ...core.Event) (core.Run, int64) {
	t.Helper()
	record, err := store.Load(within(t), id)
	must(t, err, "Load")
	next, events, err := record.Run.Fold(evs...)
	must(t, err, "Fold")
	version, err := store.Commit(within(t), record.Version, next, events, ports.Progress{})
	must(t, err, "Commit")
	return next, version
}
