package runner_test

import (
	"context"
	"testing"

	"github.com/benchfleet/benchfleet/core"
	"github.com/benchfleet/benchfleet/ports"
)

// verify checks what must hold of every run that has ended, whatever happened
// to it.
func (b *bench) verify(t testing.TB, run core.Run) {
	t.Helper()
	if !run.Status.Terminal() {
		t.Fatalf("the run is %s", run.Status)
	}
	stored := b.record(t).Run
	if stored.Status != run.Status || stored.Reason != run.Reason || stored.Detail != run.Detail {
		t.Errorf("stored: %s %s %q; returned: %s %s %q", stored.Status, stored.Reason, stored.Detail, run.Status, run.Reason, run.Detail)
	}
	launched, orphans := 0, map[string]bool{}
	for _, w := range run.Workers {
		if w.Life != core.Planned {
			launched++
		}
		if w.Life.Alive() {
			t.Errorf("%s is %s in a run that is %s", w.ID, w.Life, run.Status)
		}
		if w.Life == core.Orphan {
			orphans[w.ID] = true
		}
	}
	b.verifyEvents(t, launched > 0)
	b.verifyLaunches(t, orphans)
	b.verifyIntervals(t, run)
	if launched > 0 {
		b.verifyRollup(t, run, launched)
	}
	if n := b.hooks.inFlight.Load(); n != 0 {
		t.Errorf("%d calls are in flight after Drive has returned", n)
	}
}

// verifyEvents: STOP once, no worker added twice, the sequence without gaps.
func (b *bench) verifyEvents(t testing.TB, launched bool) {
	t.Helper()
	stops, added := 0, map[string]bool{}
	for i, e := range b.events(t) {
		if e.Sequence != int64(i+1) {
			t.Errorf("event %d has sequence %d", i+1, e.Sequence)
		}
		switch e.Type {
		case core.EventStop:
			stops++
		case core.EventWorkerAdded:
			if added[e.WorkerID] {
				t.Errorf("%s was added twice", e.WorkerID)
			}
			added[e.WorkerID] = true
		}
	}
	if want := 1; launched && stops != want || !launched && stops != 0 {
		t.Errorf("STOP was published %d times", stops)
	}
}

// verifyLaunches: nobody lives but the orphans, nobody was started twice, and
// everything of the others is released.
func (b *bench) verifyLaunches(t testing.TB, orphans map[string]bool) {
	t.Helper()
	left, err := b.launcher.List(context.Background(), "")
	if err != nil {
		t.Fatal(err)
	}
	for _, l := range left {
		if !orphans[l.Key.WorkerID] {
			t.Errorf("%s is left in the launcher: %s", l.Key.WorkerID, l.State)
		}
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	for key, times := range b.started {
		if times != 1 {
			t.Errorf("%v was started %d times", key, times)
		}
	}
}

// verifyIntervals: of each worker, the intervals 1, 2, 3 … are stored once each,
// all of them if it made its final report; and the aggregate rows are their sums.
func (b *bench) verifyIntervals(t testing.TB, run core.Run) {
	t.Helper()
	type slot struct {
		phase  core.Phase
		offset float64
	}
	stored, err := b.store.WorkerIntervals(context.Background(), run.ID, -1)
	if err != nil {
		t.Fatal(err)
	}
	sums, last := map[slot]uint64{}, map[string]int64{}
	for _, w := range stored {
		if w.Interval.Sequence != last[w.WorkerID]+1 {
			t.Errorf("%s: interval %d follows %d", w.WorkerID, w.Interval.Sequence, last[w.WorkerID])
		}
		last[w.WorkerID] = w.Interval.Sequence
		total := core.Total(w.Interval.Kinds)
		sums[slot{w.Interval.Phase, w.Interval.Offset}] += total.Started
	}
	b.mu.Lock()
	for _, w := range run.Workers {
		if w.Reported && !w.Lost && last[w.ID] != b.cuts[w.ID] {
			t.Errorf("%s made %d intervals, %d are stored", w.ID, b.cuts[w.ID], last[w.ID])
		}
	}
	b.mu.Unlock()
	aggregates, err := b.store.Aggregates(context.Background(), run.ID, -1, 0)
	if err != nil {
		t.Fatal(err)
	}
	if len(aggregates) != len(sums) {
		t.Errorf("%d aggregate rows for %d slots", len(aggregates), len(sums))
	}
	for _, a := range aggregates {
		total := core.Total(a.Kinds)
		if want := sums[slot{a.Phase, a.Offset}]; total.Started != want {
			t.Errorf("aggregate %s %v holds %d operations of %d", a.Phase, a.Offset, total.Started, want)
		}
	}
}

// verifyRollup: the result says what the run says, and the parent is the sum of
// its children.
func (b *bench) verifyRollup(t testing.TB, run core.Run, launched int) {
	t.Helper()
	parent, children, err := b.store.Rollup(context.Background(), run.ID)
	if err != nil {
		t.Error(err)
		return
	}
	if parent.Status != run.Status || parent.Reason != run.Reason {
		t.Errorf("the result says %s %s, the run %s %s", parent.Status, parent.Reason, run.Status, run.Reason)
	}
	if len(children) != launched {
		t.Errorf("%d child rows for %d workers", len(children), launched)
	}
	list, err := b.store.List(context.Background(), ports.RunFilter{})
	if err != nil || len(list) != 1 {
		t.Fatalf("list of runs: %v, %v", list, err)
	}
	total := core.Total(parent.Kinds)
	shown, want := ports.Progress{TotalOps: list[0].TotalOps, Errors: list[0].Errors, QPS: list[0].QPS},
		ports.Progress{TotalOps: int64(total.Started), Errors: int64(total.Errors), QPS: parent.Throughput}
	if shown != want && want != (ports.Progress{}) { // nothing measured leaves what was shown before
		t.Errorf("the list shows %+v, the result %+v", shown, want)
	}
	if parent.Certificate == nil || len(parent.Certificate.Workers) != run.Asked() {
		t.Errorf("certificate: %+v", parent.Certificate)
	}
	sum := uint64(0)
	b.mu.Lock()
	defer b.mu.Unlock()
	for _, c := range children {
		sum += c.Ledger.Started
		i, _ := run.WorkerIndex(c.WorkerID)
		if w := run.Workers[i]; w.Reported && c.Ledger.Started != b.made[c.WorkerID] {
			t.Errorf("%s made %d operations, its row says %d", c.WorkerID, b.made[c.WorkerID], c.Ledger.Started)
		}
	}
	if parent.Ledger.Started != sum || parent.Ledger.Problem != "" {
		t.Errorf("the parent has %d operations, its children %d; %s", parent.Ledger.Started, sum, parent.Ledger.Problem)
	}
}

// ops sums the operations that the stored parent row counts.
func (b *bench) ops(t testing.TB) uint64 {
	t.Helper()
	parent, _, err := b.store.Rollup(context.Background(), "run")
	if err != nil {
		t.Fatal(err)
	}
	return parent.Ledger.Started
}

var _ ports.Store = hookStore{}
