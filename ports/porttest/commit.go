package porttest

import (
	"context"
	"fmt"
	"sync"
	"testing"
	"time"

	"github.com/benchfleet/benchfleet/core"
	"github.com/benchfleet/benchfleet/ports"
)

// endedContexts are one that was cancelled and one whose deadline has passed.
func endedContexts(t testing.TB) []context.Context {
	t.Helper()
	cancelled, cancel := context.WithCancel(t.Context())
	cancel()
	late, stop := context.WithDeadline(t.Context(), time.Unix(1, 0))
	t.Cleanup(stop)
	return []context.Context{cancelled, late}
}

// wantRun fails the case unless the store holds exactly that.
func wantRun(t testing.TB, store ports.RunStore, run core.Run, version int64, events []core.ControlEvent) {
	t.Helper()
	loaded, err := store.Load(within(t), run.ID)
	must(t, err, "Load")
	same(t, loaded.Run, run, "the stored run")
	if loaded.Version != version {
		t.Errorf("stored version %d, want %d", loaded.Version, version)
	}
	stored, err := store.Events(within(t), run.ID, 0)
	must(t, err, "Events")
	if len(stored) != 0 || len(events) != 0 {
		same(t, stored, events, "the stored events")
	}
}

func commitLife(t testing.TB, h StoreHarness) {
	store := h.open(t)
	record := create(t, store, "run-1")
	other := create(t, store, "run-2")
	run, version, updated := record.Run, record.Version, record.UpdatedAt
	var all []core.ControlEvent
	for i, s := range sampleLife(3) {
		next, events, err := run.Fold(s.events...)
		must(t, err, "Fold")
		if next.Status != s.status {
			t.Fatalf("step %d of the sample ends %s, want %s", i, next.Status, s.status)
		}
		got, err := store.Commit(within(t), version, next, events, ports.Progress{})
		must(t, err, "Commit")
		if got != version+1 {
			t.Fatalf("Commit returned version %d after %d", got, version)
		}
		run, version, all = next, got, append(all, events...)
		wantRun(t, store, run, version, all)

		loaded, err := store.Load(within(t), "run-1")
		must(t, err, "Load")
		same(t, loaded.Scenario, record.Scenario, "the scenario after a commit")
		if loaded.Host != "host-1" || !loaded.CreatedAt.Equal(record.CreatedAt) || loaded.UpdatedAt.Before(updated) {
			t.Errorf("after a commit: host %q, created %s (was %s), updated %s (was %s)",
				loaded.Host, loaded.CreatedAt, record.CreatedAt, loaded.UpdatedAt, updated)
		}
		updated = loaded.UpdatedAt
	}
	wantRun(t, store, other.Run, 1, nil) // the other run is as it was
}

func commitStale(t testing.TB, h StoreHarness) {
	store := h.open(t)
	create(t, store, "run-1")
	life := sampleLife(3)
	run, _ := commit(t, store, "run-1", life[0].events...)
	next, events, err := run.Fold(core.StopRequested{At: at(1)})
	must(t, err, "Fold")
	for _, expected := range []int64{0, 1, 3, -1} {
		_, err := store.Commit(within(t), expected, next, events, ports.Progress{TotalOps: 9, QPS: 9})
		wantCode(t, err, core.Conflict, fmt.Sprintf("Commit expecting version %d of a run with version 2", expected))
	}
	wantRun(t, store, run, 2, nil)
	list, err := store.List(within(t), ports.RunFilter{})
	must(t, err, "List")
	if len(list) != 1 || list[0].TotalOps != 0 || list[0].Status != core.Prepared {
		t.Errorf("a commit that lost is in the list: %+v", list)
	}
}

// commitTakenEvent hands in a new event together with one whose key is taken:
// neither may stay.
func commitTakenEvent(t testing.TB, h StoreHarness) {
	store := h.open(t)
	create(t, store, "run-1")
	var run core.Run
	var all []core.ControlEvent
	var version int64
	for _, s := range sampleLife(3)[:4] {
		run, version = commit(t, store, "run-1", s.events...)
	}
	all, err := store.Events(within(t), "run-1", 0)
	must(t, err, "Events")
	next, events, err := run.Fold(core.StopRequested{At: at(50)})
	must(t, err, "Fold")
	taken := all[len(all)-1]
	taken.Detail = "the second event with this key"
	_, err = store.Commit(within(t), version, next, append(events, taken), ports.Progress{})
	wantCode(t, err, core.Conflict, "Commit of an event whose sequence is taken")
	wantRun(t, store, run, version, all)
}

// commitRace lets 32 racers, on two handles, commit on the same version, at
// several positions one after another.
func commitRace(t testing.TB, h StoreHarness) {
	one, two := h.handles(t)
	record := create(t, one, "run-1")
	run, version := record.Run, record.Version
	var all []core.ControlEvent
	for position := range 4 {
		const racers = 32
		nexts, events := make([]core.Run, racers), make([][]core.ControlEvent, racers)
		versions, errs := make([]int64, racers), make([]error, racers)
		for i := range racers {
			nexts[i], events[i] = withEvents(run, 1+i%3, fmt.Sprintf("racer %d at %d", i, position))
		}
		race(racers, func(i int) {
			store := []ports.Store{one, two}[i%2]
			versions[i], errs[i] = store.Commit(within(t), version, nexts[i], events[i], ports.Progress{TotalOps: int64(i)})
		})
		winner := soleWinner(t, errs, "Commit")
		if versions[winner] != version+1 {
			t.Fatalf("the winner got version %d after %d", versions[winner], version)
		}
		run, version, all = nexts[winner], version+1, append(all, events[winner]...)
		wantRun(t, one, run, version, all)
		wantRun(t, two, run, version, all)
	}
}

// withEvents is run with n more events, made by hand so that racers differ.
func withEvents(run core.Run, n int, detail string) (core.Run, []core.ControlEvent) {
	var events []core.ControlEvent
	for range n {
		run.Sequence++
		events = append(events, core.ControlEvent{
			RunID: run.ID, Sequence: run.Sequence, Type: core.EventSetWorkerTarget, Scope: core.ScopeWorker,
			WorkerID: "worker-0", Epoch: 1, Target: n, Phase: core.Warmup, Effective: at(n), Reason: core.UserRequested,
			Rung: core.Drain.String(), By: "me", Detail: detail, At: at(int(run.Sequence)),
		})
	}
	run.Detail = detail
	return run, events
}

// commitReload lets writers do what a loser must: reload and fold again. Every
// write must be there in the end.
func commitReload(t testing.TB, h StoreHarness) {
	one, two := h.handles(t)
	record := create(t, one, "run-1")
	const writers, writes = 8, 4
	race(writers, func(i int) {
		store := []ports.Store{one, two}[i%2]
		for n := range writes {
			if err := commitUntilWon(within(t), store, fmt.Sprintf("%d/%d", i, n), writers*writes); err != nil {
				t.Errorf("writer %d: %v", i, err)
				return
			}
		}
	})
	loaded, err := one.Load(within(t), "run-1")
	must(t, err, "Load")
	if want := record.Version + writers*writes; loaded.Version != want {
		t.Errorf("version %d after %d commits, want %d", loaded.Version, writers*writes, want)
	}
	events, err := one.Events(within(t), "run-1", 0)
	must(t, err, "Events")
	seen := map[string]bool{}
	for i, e := range events {
		if e.Sequence != int64(i+1) {
			t.Fatalf("event %d has sequence %d", i+1, e.Sequence)
		}
		seen[e.Detail] = true
	}
	if len(events) != writers*writes || len(seen) != writers*writes {
		t.Errorf("%d events, %d different, of %d commits that won", len(events), len(seen), writers*writes)
	}
}

// commitUntilWon tries at most that often: each Conflict means that somebody
// else has won, which happens no more often than there are commits.
func commitUntilWon(ctx context.Context, store ports.RunStore, detail string, tries int) error {
	for range tries {
		record, err := store.Load(ctx, "run-1")
		if err != nil {
			return err
		}
		next, events := withEvents(record.Run, 1, detail)
		if _, err = store.Commit(ctx, record.Version, next, events, ports.Progress{}); core.CodeOf(err) != core.Conflict {
			return err
		}
	}
	return fmt.Errorf("%d Conflicts one after another, more than there are other commits", tries)
}

// commitTogether reads while another writes: state and events must be visible
// at once, in whichever order they are read.
func commitTogether(t testing.TB, h StoreHarness) {
	one, two := h.handles(t)
	record := create(t, one, "run-1")
	var wg sync.WaitGroup
	done := make(chan struct{})
	wg.Go(func() {
		defer close(done)
		run, version := record.Run, record.Version
		for range 50 {
			next, events := withEvents(run, 2, "written")
			v, err := one.Commit(within(t), version, next, events, ports.Progress{})
			if err != nil {
				t.Errorf("Commit: %v", err)
				return
			}
			run, version = next, v
		}
	})
	defer wg.Wait()
	for reading := true; reading; {
		select {
		case <-done:
			reading = false // once more, when all is written
		default:
		}
		before, err := two.Load(within(t), "run-1")
		must(t, err, "Load")
		events, err := two.Events(within(t), "run-1", 0)
		must(t, err, "Events")
		after, err := two.Load(within(t), "run-1")
		must(t, err, "Load")
		n := int64(len(events))
		if n < before.Run.Sequence || n > after.Run.Sequence {
			t.Fatalf("%d events were visible between states that count %d and %d", n, before.Run.Sequence, after.Run.Sequence)
		}
		if want := (before.Version - 1) * 2; before.Run.Sequence != want {
			t.Fatalf("version %d was visible with the state of event %d, want %d", before.Version, before.Run.Sequence, want)
		}
	}
}

func secondHandle(t testing.TB, h StoreHarness) {
	if h.Reopen == nil {
		t.Skip("the harness cannot reopen a store")
	}
	one, two := h.handles(t)
	create(t, one, "run-1")
	for i, s := range sampleLife(3) {
		write, read := one, two
		if i%2 == 1 {
			write, read = two, one
		}
		_, err := read.Load(within(t), "run-1") // whoever remembers this is wrong in a moment
		must(t, err, "Load")
		run, version := commit(t, write, "run-1", s.events...)
		loaded, err := read.Load(within(t), "run-1")
		must(t, err, "Load")
		same(t, loaded.Run, run, "the run read through the other handle")
		if loaded.Version != version {
			t.Errorf("version %d through the other handle, want %d", loaded.Version, version)
		}
		events, err := read.Events(within(t), "run-1", 0)
		must(t, err, "Events")
		if int64(len(events)) != run.Sequence {
			t.Errorf("%d events through the other handle, want %d", len(events), run.Sequence)
		}
	}
}

func eventPages(t testing.TB, h StoreHarness) {
	store := h.open(t)
	record := create(t, store, "run-1")
	run, version := record.Run, record.Version
	var all []core.ControlEvent
	for len(all) < 1100 {
		next, events := withEvents(run, 100, odd)
		v, err := store.Commit(within(t), version, next, events, ports.Progress{})
		must(t, err, "Commit")
		run, version, all = next, v, append(all, events...)
	}
	for _, page := range []struct {
		after    int64
		from, to int
	}{{0, 0, 1000}, {-5, 0, 1000}, {1, 1, 1001}, {1000, 1000, 1100}, {1099, 1099, 1100}} {
		got, err := store.Events(within(t), "run-1", page.after)
		must(t, err, "Events")
		same(t, got, all[page.from:page.to], fmt.Sprintf("the events after %d", page.after))
	}
	for _, after := range []int64{1100, 5000} {
		got, err := store.Events(within(t), "run-1", after)
		must(t, err, "Events")
		if len(got) != 0 {
			t.Errorf("%d events after %d of 1100", len(got), after)
		}
	}
}
