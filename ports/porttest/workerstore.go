package porttest

import (
	"fmt"
	"testing"
	"time"

	"github.com/benchfleet/benchfleet/core"
	"github.com/benchfleet/benchfleet/ports"
)

// TestWorkerStore proves a ports.WorkerStore.
func TestWorkerStore(t *testing.T, h StoreHarness) {
	t.Helper()
	WorkerStoreSuite().Test(t, h)
}

// WorkerStoreSuite is the cases of TestWorkerStore.
func WorkerStoreSuite() Suite[StoreHarness] {
	return Suite[StoreHarness]{
		{"Beat then Beats", beatThenBeats},
		{"the last beat wins", beatLastWins},
		{"old beats are dropped", beatDropped},
		{"racing beats leave the newest", beatRace},
		{"beats are stored all or none", beatBatch},
		{"Beats come by worker index", beatOrder},
		{"Beats leave out known reports", beatsKnown},
		{"Beats know the store's now", beatsNow},
		{"Control is what ControlOf says", controlLife},
		{"Control of what is not there is NotFound", controlUnknown},
		{"beats alias nothing", beatAliasing},
		{"ended contexts change no beat", beatContexts},
	}
}

// beatBatch stores beats of two runs together, and then none because one belongs
// to no run.
func beatBatch(t testing.TB, h StoreHarness) {
	one, two := h.handles(t)
	create(t, one, "run-1")
	create(t, one, "run-2")
	must(t, one.Beat(within(t)), "Beat of nothing")
	first, second := sampleBeat("run-1", 0, 1, 4), sampleBeat("run-1", 1, 1, 4)
	must(t, one.Beat(within(t), first, sampleBeat("run-2", 0, 1, 1), second), "Beat of three")
	if beats := beatsOf(t, two, "run-1", nil); len(beats) != 2 {
		t.Errorf("%d beats of run-1, want 2", len(beats))
	}
	wantBeat(t, two, sampleBeat("run-2", 0, 1, 1), "the beat of run-2")
	first.Count++
	wantCode(t, one.Beat(within(t), first, sampleBeat("run-3", 0, 1, 1)), core.NotFound, "Beat with an unknown run in it")
	if beats := beatsOf(t, two, "run-1", nil); beats[0].Count != 4 {
		t.Errorf("a refused batch stored the beat %d", beats[0].Count)
	}
}

// beatsOf reads the beats of a run and checks that the store stamped them.
func beatsOf(t testing.TB, store ports.WorkerStore, run string, known map[string]int64) []core.Beat {
	t.Helper()
	beats, now, err := store.Beats(within(t), run, known)
	must(t, err, "Beats")
	for i := range beats {
		if beats[i].At.IsZero() || beats[i].At.After(now) {
			t.Errorf("the beat of %s arrived at %s, and now is %s", beats[i].Key.WorkerID, beats[i].At, now)
		}
	}
	return beats
}

// wantBeat fails the case unless the only beat of the run is that one, whenever
// it arrived.
func wantBeat(t testing.TB, store ports.WorkerStore, want core.Beat, what string) core.Beat {
	t.Helper()
	beats := beatsOf(t, store, want.Key.RunID, nil)
	if len(beats) != 1 {
		t.Fatalf("%s: %d beats, want 1", what, len(beats))
	}
	got := beats[0]
	want.At = got.At
	same(t, got, want, what)
	return got
}

func beatThenBeats(t testing.TB, h StoreHarness) {
	one, two := h.handles(t)
	create(t, one, "run-1")
	if beats := beatsOf(t, one, "run-1", nil); len(beats) != 0 {
		t.Errorf("a new run has %d beats", len(beats))
	}
	before := loadNow(t, one, "run-1")
	beat := sampleBeat("run-1", 1, 1, 4)
	beat.At = at(0) // the store's to set
	must(t, one.Beat(within(t), beat), "Beat")
	got := wantBeat(t, two, beat, "the beat read through the other handle")
	if after := loadNow(t, one, "run-1"); got.At.Before(before) || got.At.After(after) {
		t.Errorf("the beat arrived at %s by the store's clock, which was between %s and %s", got.At, before, after)
	}
	if _, offset := got.At.Zone(); offset != 0 {
		t.Errorf("time %s is not UTC", got.At)
	}
	for i := range beat.Report.Phases {
		for k := range beat.Report.Phases[i].Kinds {
			a, b := &beat.Report.Phases[i].Kinds[k], &got.Report.Phases[i].Kinds[k]
			if !a.Service.Equal(&b.Service) || !a.Latency().Equal(b.Latency()) {
				t.Errorf("a histogram of %s in %s is not Equal to what was sent", a.Kind, beat.Report.Phases[i].Phase)
			}
		}
	}
}

func loadNow(t testing.TB, store ports.RunStore, run string) time.Time {
	t.Helper()
	record, err := store.Load(within(t), run)
	must(t, err, "Load")
	return record.Now
}

func beatLastWins(t testing.TB, h StoreHarness) {
	store := h.open(t)
	create(t, store, "run-1")
	for _, count := range []int64{1, 2, 7} {
		beat := sampleBeat("run-1", 1, 1, count)
		must(t, store.Beat(within(t), beat), "Beat")
		wantBeat(t, store, beat, fmt.Sprintf("the beat with count %d", count))
	}
	again := sampleBeat("run-1", 1, 1, 7)
	again.State, again.Report = core.WorkerDraining, core.Report{InFlight: 1}
	must(t, store.Beat(within(t), again), "Beat with an equal count")
	wantBeat(t, store, again, "the last of two beats with an equal count")
	next := sampleBeat("run-1", 1, 2, 1)
	must(t, store.Beat(within(t), next), "Beat of a newer epoch")
	wantBeat(t, store, next, "the first beat of a newer epoch, though its count is smaller")
}

func beatDropped(t testing.TB, h StoreHarness) {
	store := h.open(t)
	create(t, store, "run-1")
	wantCode(t, store.Beat(within(t), sampleBeat("run-2", 0, 1, 1)), core.NotFound, "Beat of an unknown run")
	newest := sampleBeat("run-1", 1, 3, 10)
	must(t, store.Beat(within(t), newest), "Beat")
	kept := wantBeat(t, store, newest, "the newest beat")
	for what, old := range map[string]core.Beat{
		"a smaller count":                      sampleBeat("run-1", 1, 3, 9),
		"an older epoch":                       sampleBeat("run-1", 1, 2, 10),
		"an older epoch with a greater count":  sampleBeat("run-1", 1, 1, 500),
		"the first count of an older epoch":    sampleBeat("run-1", 1, 2, 1),
		"no count in the epoch that may speak": sampleBeat("run-1", 1, 3, 0),
	} {
		old.State, old.Report = core.WorkerDead, core.Report{}
		must(t, store.Beat(within(t), old), "Beat with "+what)
		got := wantBeat(t, store, newest, "the beat after one with "+what)
		if !got.At.Equal(kept.At) {
			t.Errorf("a beat with %s moved the time of the newest from %s to %s", what, kept.At, got.At)
		}
	}
}

func beatRace(t testing.TB, h StoreHarness) {
	one, two := h.handles(t)
	create(t, one, "run-1")
	const racers, each = 8, 6
	race(racers, func(i int) {
		store := []ports.Store{one, two}[i%2]
		for n := range each {
			count := int64(1 + (n*racers+i*5)%(racers*each))
			beat := sampleBeat("run-1", 1, 1+i%2, count)
			beat.Report = core.Report{InFlight: uint64(count)}
			if err := store.Beat(within(t), beat); err != nil {
				t.Errorf("Beat: %v", err)
			}
		}
	})
	last := sampleBeat("run-1", 1, 2, 0)
	for i := 1; i < racers; i += 2 { // those of epoch 2
		for n := range each {
			last.Count = max(last.Count, int64(1+(n*racers+i*5)%(racers*each)))
		}
	}
	last.Report = core.Report{InFlight: uint64(last.Count)}
	wantBeat(t, one, last, "the beat that is left of a race")
}

func beatOrder(t testing.TB, h StoreHarness) {
	store := h.open(t)
	createWide(t, store, "run-1")
	create(t, store, "run-2")
	for i := 11; i >= 0; i-- {
		must(t, store.Beat(within(t), sampleBeat("run-1", i, 1, int64(i))), "Beat")
	}
	must(t, store.Beat(within(t), sampleBeat("run-2", 0, 1, 77)), "Beat")
	beats := beatsOf(t, store, "run-1", nil)
	if len(beats) != 12 {
		t.Fatalf("%d beats, want 12", len(beats))
	}
	for i, b := range beats {
		if b.Key.RunID != "run-1" || b.GroupID != i || b.Key.WorkerID != core.WorkerID(i) || b.Count != int64(i) {
			t.Errorf("beat %d is of %v, group %d, count %d", i, b.Key, b.GroupID, b.Count)
		}
	}
	beats = beatsOf(t, store, "run-2", nil)
	if len(beats) != 1 || beats[0].Count != 77 {
		t.Errorf("the other run has %d beats, want its own one", len(beats))
	}
}

func beatsKnown(t testing.TB, h StoreHarness) {
	store := h.open(t)
	create(t, store, "run-1")
	full := map[string]core.Beat{}
	for i := range 3 {
		beat := sampleBeat("run-1", i, 1, 5)
		full[beat.Key.WorkerID] = beat
		must(t, store.Beat(within(t), beat), "Beat")
	}
	for _, tc := range []struct {
		known map[string]int64
		news  [3]bool
	}{
		{nil, [3]bool{true, true, true}},
		{map[string]int64{"worker-0": 5, "worker-1": 4, "worker-2": 6}, [3]bool{false, true, false}},
		{map[string]int64{"worker-1": 5, "worker-7": 5}, [3]bool{true, false, true}},
		{map[string]int64{"worker-0": 0, "worker-1": 5, "worker-2": 5}, [3]bool{true, false, false}},
	} {
		beats := beatsOf(t, store, "run-1", tc.known)
		if len(beats) != 3 {
			t.Fatalf("%d beats when %v is known, want 3", len(beats), tc.known)
		}
		for i, got := range beats {
			want := full[core.WorkerID(i)]
			want.At = got.At
			if !tc.news[i] {
				want.Report = core.Report{}
			}
			same(t, got, want, fmt.Sprintf("the beat of worker %d when %v is known", i, tc.known))
		}
	}
	// A beat without a count is news to those who know nothing.
	create(t, store, "run-2")
	must(t, store.Beat(within(t), sampleBeat("run-2", 0, 1, 0)), "Beat")
	wantBeat(t, store, sampleBeat("run-2", 0, 1, 0), "a beat with count 0")
}

func beatsNow(t testing.TB, h StoreHarness) {
	store := h.open(t)
	create(t, store, "run-1")
	last := loadNow(t, store, "run-1")
	for range 5 {
		must(t, store.Beat(within(t), sampleBeat("run-1", 0, 1, 1)), "Beat")
		_, now, err := store.Beats(within(t), "run-1", nil)
		must(t, err, "Beats")
		after := loadNow(t, store, "run-1")
		if now.Before(last) || now.After(after) {
			t.Errorf("the now of Beats is %s, between %s and %s of Load", now, last, after)
		}
		if _, offset := now.Zone(); offset != 0 {
			t.Errorf("time %s is not UTC", now)
		}
		last = after
	}
}

func controlLife(t testing.TB, h StoreHarness) {
	one, two := h.handles(t)
	record := create(t, one, "run-1")
	check := func(run core.Run, version int64, when string) {
		t.Helper()
		before := loadNow(t, one, "run-1")
		for i := range run.Workers {
			got, err := two.Control(within(t), "run-1", core.WorkerID(i))
			must(t, err, "Control")
			if after := loadNow(t, one, "run-1"); got.Now.Before(before) || got.Now.After(after) {
				t.Errorf("the now of Control is %s, between %s and %s of Load", got.Now, before, after)
			}
			same(t, got, core.ControlOf(run, version, i, got.Now), "the control state "+when)
		}
	}
	check(record.Run, 1, "of a new run")
	for i, s := range sampleLife(3) {
		run, version := commit(t, one, "run-1", s.events...)
		check(run, version, fmt.Sprintf("after step %d", i))
	}

	// Worker records differ from one another; what is asked of all is the same.
	record = create(t, one, "run-2")
	record.Run.Aim = core.Aim{Number: 3, Connections: 7, Rate: 12.5, Workers: 2, At: time.Date(2026, 5, 4, 10, 0, 0, 123456000, time.UTC)}
	for i := range record.Run.Workers {
		w := &record.Run.Workers[i]
		w.Epoch, w.Target, w.Acknowledged = i+2, 10*i, int64(100*i)
	}
	_, err := one.Commit(within(t), 1, record.Run, nil, ports.Progress{})
	must(t, err, "Commit")
	for i, w := range record.Run.Workers {
		got, err := one.Control(within(t), "run-2", w.ID)
		must(t, err, "Control")
		if got.Epoch != w.Epoch || got.Target != w.Target || got.Acknowledged != w.Acknowledged || got.Version != 2 || got.Aim != record.Run.Aim {
			t.Errorf("the control state of worker %d is %+v, want that of %+v", i, got, w)
		}
	}
}

func controlUnknown(t testing.TB, h StoreHarness) {
	store := h.open(t)
	create(t, store, "run-1")
	for _, at := range [][2]string{{"run-2", "worker-0"}, {"run-1", "worker-3"}, {"run-1", `worker-0"`}, {"run-1", ""}, {"", "worker-0"}} {
		_, err := store.Control(within(t), at[0], at[1])
		wantCode(t, err, core.NotFound, fmt.Sprintf("Control of worker %q of run %q", at[1], at[0]))
	}
}

func beatAliasing(t testing.TB, h StoreHarness) {
	store := h.open(t)
	create(t, store, "run-1")
	want, spoilt := sampleBeat("run-1", 0, 1, 1), sampleBeat("run-1", 0, 1, 1)
	must(t, store.Beat(within(t), spoilt), "Beat")
	spoil := func(b *core.Beat) {
		b.Sessions[0] = "spoilt"
		b.Report.Phases[0].Kinds[0].Service.Record(time.Hour)
		b.Report.Phases[0].Kinds[0].Failures[0].Count = 99
		b.Report.Intervals[0].Kinds[0].Response.Record(time.Hour)
	}
	spoil(&spoilt)
	got := wantBeat(t, store, want, "the beat after what was passed in was changed")
	spoil(&got)
	wantBeat(t, store, want, "the beat after what was returned was changed")
}

func beatContexts(t testing.TB, h StoreHarness) {
	store := h.open(t)
	create(t, store, "run-1")
	beat := sampleBeat("run-1", 0, 1, 1)
	must(t, store.Beat(within(t), beat), "Beat")
	for _, ctx := range endedContexts(t) {
		wantEnded(t, store.Beat(ctx, sampleBeat("run-1", 0, 1, 2)), ctx, "Beat")
		_, err := store.Control(ctx, "run-1", "worker-0")
		wantEnded(t, err, ctx, "Control")
		_, _, err = store.Beats(ctx, "run-1", nil)
		wantEnded(t, err, ctx, "Beats")
	}
	wantBeat(t, store, beat, "the beat after calls whose contexts had ended before")
}
