package snowflake_test

import (
	"context"
	"fmt"
	"testing"
	"time"

	"github.com/matryer/is"

	"github.com/benchfleet/benchfleet/adapters/snowflake/snowflaketest"
	"github.com/benchfleet/benchfleet/core"
	"github.com/benchfleet/benchfleet/ports"
)

// killed is one call that its caller does not survive.
type killed struct {
	name       string
	statements int // that it consists of: the caller dies before each, and behind the last
	call       func(store ports.Store, record ports.RunRecord) error
	// again is what a successor does next: the same call where it has no other.
	again func(t testing.TB, store ports.Store, record ports.RunRecord)
}

// nothingWorks is what every statement is answered with behind the last that a dead
// client sent: it sends no more, neither ROLLBACK nor logout.
func nothingWorks(after int) snowflaketest.Fault {
	return snowflaketest.Fault{Kind: snowflaketest.SQLError, Number: 2, State: "0A000", Message: "the client is dead", Match: ".", Skip: int64(after)}
}

// TestKilledBetweenStatements: a client that dies between two statements of a call
// leaves no lock behind, and what is stored is valid.
func TestKilledBetweenStatements(t *testing.T) {
	server := shared.Server(t)
	server.Counts(t) // not with an account
	p := newPlace(t, server)
	p.apply(t)
	for _, k := range killedCalls() {
		for after := range k.statements + 1 {
			t.Run(fmt.Sprintf("%s after %d of %d", k.name, after, k.statements), func(t *testing.T) {
				is := is.New(t)
				dying, heir := p.store(t, snowflaketest.In{}), p.store(t, snowflaketest.In{})
				defer func() { is.NoErr(heir.Close()) }()
				defer func() { is.NoErr(dying.Close()) }() // its sessions are open until here
				record := endedRun(t, dying, fmt.Sprintf("%s-%d", k.name, after))
				received := server.Received(t)
				server.Break(t, nothingWorks(after))
				err := k.call(dying, record)
				server.Mend(t)
				statements, _ := server.Statements(t, received)
				is.True(len(statements) >= after) // as many were sent
				if after == k.statements {
					is.NoErr(err)
				}
				began := time.Now()
				wantValid(t, heir, record.Run.ID)
				k.again(t, heir, record)
				wantValid(t, heir, record.Run.ID)
				is.True(time.Since(began) < 5*time.Second) // no lock was waited for
			})
		}
	}
}

// endedRun is a run that has ended, with two events, an interval, and a result of
// three workers.
func endedRun(t testing.TB, store ports.Store, id string) ports.RunRecord {
	t.Helper()
	is := is.New(t)
	scenario := core.Scenario{Name: "killed", Load: core.ScenarioLoad{Workers: 3, Connections: 3}}
	record, err := store.Create(t.Context(), core.NewRun(id, scenario.Plan()), scenario, ports.Home{})
	is.NoErr(err)
	record.Run.Status = core.Completed
	next, events := moreEvents(record.Run, 2)
	record.Run = next
	record.Version, err = store.Commit(t.Context(), record.Version, next, events, ports.Progress{})
	is.NoErr(err)
	is.NoErr(store.PutRollup(t.Context(), core.Rollup{RunID: id, Connections: 3}, childrenOf(id, 3)))
	is.NoErr(store.AppendSnapshots(t.Context(), intervalsOf(id, 1), aggregateOf(id, 1, 3)))
	is.NoErr(store.Beat(t.Context(), beatsOf(id, 1)...))
	return record
}

// wantValid fails the test when what is stored of a run does not fit together. A
// run that was deleted is valid.
func wantValid(t testing.TB, store ports.Store, id string) {
	t.Helper()
	is := is.New(t)
	record, err := store.Load(t.Context(), id)
	if core.CodeOf(err) == core.NotFound {
		return
	}
	is.NoErr(err)
	events, err := store.Events(t.Context(), id, 0)
	is.NoErr(err)
	if len(events) > 0 { // else it is half deleted
		is.Equal(int64(len(events)), record.Run.Sequence)
	}
	for i, e := range events {
		is.Equal(e.Sequence, int64(i+1))
	}
	parent, children, err := store.Rollup(t.Context(), id)
	if core.CodeOf(err) != core.NotFound {
		is.NoErr(err)
		is.Equal(len(children), parent.Connections) // the parent is of its children
	}
	intervals, err := store.WorkerIntervals(t.Context(), id, -1)
	is.NoErr(err)
	seen := map[string]bool{}
	for _, w := range intervals {
		key := fmt.Sprint(w.WorkerID, " ", w.Interval.Sequence)
		is.True(!seen[key]) // an interval is there once
		seen[key] = true
	}
}

func moreEvents(run core.Run, n int) (core.Run, []core.ControlEvent) {
	var events []core.ControlEvent
	for range n {
		run.Sequence++
		events = append(events, core.ControlEvent{RunID: run.ID, Sequence: run.Sequence, Type: core.EventSetWorkerTarget, Detail: `"ü\`})
	}
	return run, events
}

func childrenOf(id string, n int) (list []core.Rollup) {
	for i := range n {
		list = append(list, core.Rollup{RunID: id, WorkerID: core.WorkerID(i)})
	}
	return list
}

func intervalsOf(id string, sequence int64) (list []ports.WorkerInterval) {
	for i := range 3 {
		list = append(list, ports.WorkerInterval{RunID: id, WorkerID: core.WorkerID(i), GroupID: i,
			Interval: core.Interval{Sequence: sequence, Start: time.Now(), Offset: float64(sequence)}})
	}
	return list
}

func aggregateOf(id string, offset float64, healthy int) []ports.RunInterval {
	return []ports.RunInterval{{RunID: id, Offset: offset, Phase: core.Measurement, Start: time.Now(), Healthy: healthy}}
}

func beatsOf(id string, count int64) (list []core.Beat) {
	for i := range 3 {
		list = append(list, core.Beat{Key: core.WorkerKey{RunID: id, WorkerID: core.WorkerID(i), Epoch: 1}, GroupID: i, Count: count})
	}
	return list
}

// commitOne commits one more event on what is stored now.
func commitOne(t testing.TB, store ports.Store, record ports.RunRecord) {
	t.Helper()
	is := is.New(t)
	now, err := store.Load(t.Context(), record.Run.ID)
	is.NoErr(err)
	next, events := moreEvents(now.Run, 1)
	_, err = store.Commit(t.Context(), now.Version, next, events, ports.Progress{})
	is.NoErr(err)
	all, err := store.Events(t.Context(), record.Run.ID, 0)
	is.NoErr(err)
	is.Equal(int64(len(all)), next.Sequence)
	// A tick after it clears what was pending, and no event is lost by that.
	_, err = store.Commit(t.Context(), now.Version+1, next, nil, ports.Progress{})
	is.NoErr(err)
	all, err = store.Events(t.Context(), record.Run.ID, 0)
	is.NoErr(err)
	is.Equal(int64(len(all)), next.Sequence)
}

func killedCalls() []killed {
	put := func(n int) func(ports.Store, ports.RunRecord) error {
		return func(store ports.Store, r ports.RunRecord) error {
			return store.PutRollup(context.Background(), core.Rollup{RunID: r.Run.ID, Connections: n}, childrenOf(r.Run.ID, n))
		}
	}
	snapshots := func(store ports.Store, r ports.RunRecord) error {
		return store.AppendSnapshots(context.Background(), intervalsOf(r.Run.ID, 2), aggregateOf(r.Run.ID, 2, 3))
	}
	create := func(store ports.Store, r ports.RunRecord) error {
		_, err := store.Create(context.Background(), core.NewRun(r.Run.ID+"-b", core.Plan{}), core.Scenario{}, ports.Home{})
		return err
	}
	template := func(store ports.Store, r ports.RunRecord) error {
		_, err := store.Templates().Put(context.Background(), core.Template{Name: r.Run.ID})
		return err
	}
	return []killed{
		{"Commit", 2, func(store ports.Store, r ports.RunRecord) error {
			next, events := moreEvents(r.Run, 3)
			_, err := store.Commit(context.Background(), r.Version, next, events, ports.Progress{})
			return err
		}, commitOne},
		{"AppendSnapshots", 2, snapshots, func(t testing.TB, store ports.Store, r ports.RunRecord) {
			is := is.New(t)
			is.NoErr(snapshots(store, r))
			intervals, err := store.WorkerIntervals(t.Context(), r.Run.ID, 2)
			is.NoErr(err)
			is.Equal(len(intervals), 3)
			aggregates, err := store.Aggregates(t.Context(), r.Run.ID, 0, 0)
			is.NoErr(err)
			is.Equal(len(aggregates), 2)
			commitOne(t, store, r)
		}},
		{"PutRollup", 4, put(2), func(t testing.TB, store ports.Store, r ports.RunRecord) {
			is := is.New(t)
			is.NoErr(put(1)(store, r))
			parent, children, err := store.Rollup(t.Context(), r.Run.ID)
			is.NoErr(err)
			is.Equal(parent.Connections, 1)
			is.Equal(len(children), 1)
		}},
		{"Create", 5, create, func(t testing.TB, store ports.Store, r ports.RunRecord) {
			is := is.New(t)
			if err := create(store, r); core.CodeOf(err) != core.Conflict { // it was there already
				is.NoErr(err)
			}
			record, err := store.Load(t.Context(), r.Run.ID+"-b")
			is.NoErr(err)
			is.True(record.Scenario.InsertBase > r.Scenario.InsertBase)
			commitOne(t, store, record)
		}},
		{"Delete", 11, func(store ports.Store, r ports.RunRecord) error { return store.Delete(context.Background(), r.Run.ID) },
			func(t testing.TB, store ports.Store, r ports.RunRecord) {
				is := is.New(t)
				if err := store.Delete(t.Context(), r.Run.ID); core.CodeOf(err) != core.NotFound { // nothing was left
					is.NoErr(err)
				}
				_, err := store.Load(t.Context(), r.Run.ID)
				is.Equal(core.CodeOf(err), core.NotFound)
			}},
		{"Beat", 1, func(store ports.Store, r ports.RunRecord) error {
			return store.Beat(context.Background(), beatsOf(r.Run.ID, 2)...)
		},
			func(t testing.TB, store ports.Store, r ports.RunRecord) {
				is := is.New(t)
				is.NoErr(store.Beat(t.Context(), beatsOf(r.Run.ID, 3)...))
				beats, _, err := store.Beats(t.Context(), r.Run.ID, nil)
				is.NoErr(err)
				is.Equal(len(beats), 3)
			}},
		{"Put", 3, template, func(t testing.TB, store ports.Store, r ports.RunRecord) {
			is := is.New(t)
			is.NoErr(template(store, r))
			record, err := store.Templates().Get(t.Context(), r.Run.ID)
			is.NoErr(err)
			is.Equal(record.Version, 1)
		}},
		{"Probe", 4, func(store ports.Store, _ ports.RunRecord) error {
			_, err := store.Probe(context.Background())
			return err
		},
			func(t testing.TB, store ports.Store, r ports.RunRecord) {
				is := is.New(t)
				_, err := store.Probe(t.Context())
				is.NoErr(err)
				lines, err := store.Logs().Read(t.Context(), "", "", time.Time{}, 0)
				is.NoErr(err)
				is.Equal(len(lines), 0) // the row of the dead is removed
				commitOne(t, store, r)
			}},
	}
}
