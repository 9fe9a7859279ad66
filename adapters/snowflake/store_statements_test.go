package snowflake_test

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/matryer/is"

	"github.com/benchfleet/benchfleet/adapters/snowflake/snowflaketest"
	"github.com/benchfleet/benchfleet/core"
	"github.com/benchfleet/benchfleet/ports"
)

// storeTag is the QUERY_TAG of a store's sessions.
const storeTag = "benchfleet store"

// harmless are the kinds of statements that a store sends at run time.
var harmless = []string{"SELECT", "INSERT", "UPDATE", "DELETE", "MERGE", "SHOW"}

// wantHarmless fails the test when a store sent anything that changes what there
// is, or that begins a transaction: whoever dies in one leaves its locks behind.
func wantHarmless(t testing.TB, server *snowflaketest.Server) {
	t.Helper()
	if server.Admin == "" {
		return // an account does not tell
	}
	seen := 0
	for _, count := range server.Counts(t) {
		if count.Tag != storeTag {
			continue
		}
		seen++
		if !slices.Contains(harmless, count.Kind) {
			t.Errorf("the store sent %d statements %s", count.Count, count.Kind)
		}
	}
	if seen < len(harmless) {
		t.Errorf("only %d kinds of statements were seen; the test looks at the wrong ones", seen)
	}
}

// TestStatementsOfACall: what each call costs, as docs/adr/0020 says it.
func TestStatementsOfACall(t *testing.T) {
	server := shared.Server(t)
	server.Counts(t) // not with an account
	p := newPlace(t, server)
	p.apply(t)
	store := p.store(t, snowflaketest.In{})
	defer func() { is.New(t).NoErr(store.Close()) }()
	scenario := core.Scenario{Name: "costs", Load: core.ScenarioLoad{Workers: 8, Connections: 8}}
	make := func(id string) ports.RunRecord {
		record, err := store.Create(t.Context(), core.NewRun(id, scenario.Plan()), scenario, ports.Home{})
		is.New(t).NoErr(err)
		return record
	}
	run, version := make("run-1").Run, int64(1)
	events := func(n int) (list []core.ControlEvent) {
		for range n {
			run.Sequence++
			list = append(list, core.ControlEvent{RunID: run.ID, Sequence: run.Sequence, Type: core.EventSetWorkerTarget})
		}
		return list
	}
	commit := func(n int) func() error {
		return func() (err error) {
			e := events(n)
			version, err = store.Commit(t.Context(), version, run, e, ports.Progress{})
			return err
		}
	}
	snapshots := func(workers, interval int) func() error {
		var of []ports.WorkerInterval
		for i := range workers {
			of = append(of, ports.WorkerInterval{RunID: "run-1", WorkerID: core.WorkerID(i), GroupID: i, Interval: core.Interval{Sequence: int64(interval), Start: time.Now()}})
		}
		return func() error {
			return store.AppendSnapshots(t.Context(), of, []ports.RunInterval{{RunID: "run-1", Offset: float64(interval), Phase: core.Measurement, Start: time.Now()}})
		}
	}
	beat := func(worker int) func() error {
		return func() error {
			return store.Beat(t.Context(), core.Beat{Key: core.WorkerKey{RunID: "run-1", WorkerID: core.WorkerID(worker), Epoch: 1}, GroupID: worker, Count: 1})
		}
	}
	var executions []core.Execution
	var lines []ports.LogLine
	for i := range 100 {
		executions = append(executions, core.Execution{ID: fmt.Sprint("e-", i), RunID: "run-1", WorkerID: "worker-0", Start: time.Now()})
		lines = append(lines, ports.LogLine{RunID: "run-1", WorkerID: "worker-0", Sequence: int64(i), Time: time.Now()})
	}
	for _, tt := range []struct {
		name string
		call func() error
		want []string
	}{
		{"Create", func() error { make("run-2"); return nil }, []string{"SELECT", "SELECT", "INSERT", "INSERT", "SELECT"}},
		{"Load", func() error { _, err := store.Load(t.Context(), "run-1"); return err }, []string{"SELECT"}},
		{"Control", func() error { _, err := store.Control(t.Context(), "run-1", "worker-3"); return err }, []string{"SELECT"}},
		{"Beat", beat(0), []string{"MERGE"}},
		{"Beat again", beat(0), []string{"MERGE"}},
		{"Beats of eight workers", func() error {
			var beats []core.Beat
			for i := range 8 {
				beats = append(beats, core.Beat{Key: core.WorkerKey{RunID: "run-1", WorkerID: core.WorkerID(i), Epoch: 1}, GroupID: i, Count: 2})
			}
			return store.Beat(t.Context(), beats...)
		}, []string{"MERGE"}},
		{"Beats", func() error { _, _, err := store.Beats(t.Context(), "run-1", nil); return err }, []string{"SELECT"}},
		{"Commit without events", commit(0), []string{"UPDATE"}},
		{"Commit with an event", commit(1), []string{"UPDATE", "INSERT"}},
		{"Commit with events", commit(20), []string{"UPDATE", "INSERT"}},
		{"Commit without events again", commit(0), []string{"UPDATE"}},
		{"Events", func() error { _, err := store.Events(t.Context(), "run-1", 0); return err }, []string{"SELECT"}},
		{"AppendSnapshots of one worker", snapshots(1, 1), []string{"INSERT", "MERGE"}},
		{"AppendSnapshots of eight workers", snapshots(8, 2), []string{"INSERT", "MERGE"}},
		{"AppendSnapshots of 200 workers", snapshots(200, 3), []string{"INSERT", "MERGE"}},
		{"AppendSnapshots of 1,000 workers", snapshots(1000, 4), []string{"INSERT", "INSERT", "INSERT", "MERGE"}},
		{"AppendExecutions", func() error { return store.AppendExecutions(t.Context(), executions) }, []string{"INSERT"}},
		{"Append of log lines", func() error { return store.Logs().Append(t.Context(), lines) }, []string{"INSERT"}},
		{"AppendPolls", func() error {
			return store.(ports.PollStore).AppendPolls(t.Context(), []core.WarehousePoll{{RunID: "run-1", Warehouse: "W", At: time.Now()}})
		}, []string{"INSERT"}},
		{"AppendSteps", func() error {
			return store.AppendSteps(t.Context(), []core.ControllerStep{{RunID: "run-1", Type: core.StepFindMax, Number: 1, Start: time.Now()}})
		}, []string{"INSERT"}},
		{"Steps", func() error { _, err := store.Steps(t.Context(), "run-1"); return err }, []string{"SELECT"}},
		{"PutRollup", func() error { return store.PutRollup(t.Context(), core.Rollup{RunID: "run-1"}, children(8)) }, []string{"SELECT", "MERGE", "SELECT"}},
		{"PutRollup again", func() error { return store.PutRollup(t.Context(), core.Rollup{RunID: "run-1"}, children(8)) }, []string{"SELECT", "MERGE", "SELECT"}},
		{"PutRollup with fewer children", func() error { return store.PutRollup(t.Context(), core.Rollup{RunID: "run-1"}, children(2)) },
			[]string{"SELECT", "MERGE", "SELECT", "DELETE"}},
		{"Put of a template", func() error {
			_, err := store.Templates().Put(t.Context(), core.Template{Name: "template-1"})
			return err
		}, []string{"SELECT", "SELECT", "INSERT"}},
		{"Put of the same template", func() error {
			_, err := store.Templates().Put(t.Context(), core.Template{Name: "template-1"})
			return err
		}, []string{"SELECT"}},
		{"Put of another template", func() error {
			_, err := store.Templates().Put(t.Context(), core.Template{Name: "template-1", Description: "new"})
			return err
		}, []string{"SELECT", "SELECT", "UPDATE"}},
		{"Delete of a template", func() error { return store.Templates().Delete(t.Context(), "template-1") }, []string{"SELECT", "DELETE"}},
		{"Probe", func() error { _, err := store.Probe(t.Context()); return err }, []string{"UPDATE", "INSERT", "DELETE", "SELECT"}},
		{"a commit that ends a run", func() error {
			run.Status = core.Completed
			return commit(1)()
		}, []string{"UPDATE", "INSERT"}},
		{"Delete", func() error { return store.Delete(t.Context(), "run-1") },
			append([]string{"SELECT"}, slices.Repeat([]string{"DELETE"}, 10)...)},
	} {
		t.Run(tt.name, func(t *testing.T) {
			is := is.New(t)
			after := lastStatement(t, server)
			is.NoErr(tt.call())
			var kinds []string
			statements, _ := server.Statements(t, after)
			for _, s := range statements {
				if s.Tag == storeTag {
					kinds = append(kinds, s.Kind)
				}
			}
			is.Equal(kinds, tt.want)
		})
	}
}

// children are results of workers.
func children(n int) (list []core.Rollup) {
	for i := range n {
		list = append(list, core.Rollup{RunID: "run-1", WorkerID: core.WorkerID(i)})
	}
	return list
}

// lastStatement is the number of the newest statement.
func lastStatement(t testing.TB, server *snowflaketest.Server) int64 {
	t.Helper()
	var sum int64
	for _, count := range server.Counts(t) {
		sum += count.Count
	}
	return sum
}

// TestStoreFaults: what goes wrong on the way to Snowflake.
func TestStoreFaults(t *testing.T) {
	server := shared.Server(t)
	server.Counts(t) // not with an account
	p := newPlace(t, server)
	p.apply(t)
	store := p.store(t, snowflaketest.In{})
	defer func() { is.New(t).NoErr(store.Close()) }()
	const update, insert = "^UPDATE .*VERSION = VERSION", "^INSERT INTO .*RUN_CONTROL_EVENTS"
	for i, tt := range []struct {
		name   string
		fault  snowflaketest.Fault
		events bool
		code   core.Code // "" for success
		says   string
	}{
		{"a reply is lost, the driver asks again", snowflaketest.Fault{Kind: "drop_after", Match: update, Count: 1}, true, "", ""},
		{"a reply without events is lost, the driver asks again", snowflaketest.Fault{Kind: "drop_after", Match: update, Count: 1}, false, "", ""},
		{"a server is busy", snowflaketest.Fault{Kind: "status", Status: 503, Match: update, Count: 1}, true, "", ""},
		{"the session is gone", snowflaketest.Fault{Kind: snowflaketest.SessionGone, Match: update, Count: 1}, true, "", ""},
		{"the session is gone, without events", snowflaketest.Fault{Kind: snowflaketest.SessionGone, Match: update, Count: 1}, false, "", ""},
		{"the session is gone before events are copied", snowflaketest.Fault{Kind: snowflaketest.SessionGone, Match: insert, Count: 1}, true, "", ""},
		{"the session's token has expired", snowflaketest.Fault{Kind: snowflaketest.SessionExpired, Match: update, Count: 1}, true, "", ""},
		{"a lock is not to be had, twice", snowflaketest.Fault{Kind: "error", Number: 625, State: "57014", Message: "Statement has locked table", Match: update, Count: 2}, true, "", ""},
		{"an incident", snowflaketest.Fault{Kind: "error", Number: 603, State: "XX000", Message: "SQL execution internal error", Match: update, Count: 1}, true, "", ""},
		{"one incident after the other", snowflaketest.Fault{Kind: "error", Number: 603, State: "XX000", Message: "SQL execution internal error", Match: update}, true, core.Unavailable, "internal error"},
		{"an incident while events are copied", snowflaketest.Fault{Kind: "error", Number: 603, State: "XX000", Message: "SQL execution internal error", Match: insert}, true, "", ""},
		{"no right to write events", snowflaketest.Fault{Kind: "error", Number: 3001, State: "42501", Message: "Insufficient privileges", Match: insert}, true, "", ""},
	} {
		t.Run(tt.name, func(t *testing.T) {
			is := is.New(t)
			id := fmt.Sprint("run-", i)
			record, err := store.Create(t.Context(), core.Run{ID: id}, core.Scenario{}, ports.Home{})
			is.NoErr(err)
			next, events, want := record.Run, []core.ControlEvent(nil), 0
			if tt.events {
				next.Sequence, want = 1, 1
				events = []core.ControlEvent{{RunID: id, Sequence: 1, Type: core.EventStop}}
			}
			server.Break(t, tt.fault)
			version, err := store.Commit(t.Context(), record.Version, next, events, ports.Progress{})
			server.Mend(t)
			now, loadErr := store.Load(t.Context(), id)
			is.NoErr(loadErr)
			if tt.code == "" {
				is.NoErr(err)
				is.Equal(version, int64(2))
				is.Equal(now.Version, int64(2))
			} else {
				is.Equal(core.CodeOf(err), tt.code)
				is.True(strings.Contains(err.Error(), tt.says))
				is.Equal(now.Version, int64(1))
				want = 0
			}
			stored, err := store.Events(t.Context(), id, 0)
			is.NoErr(err)
			is.Equal(len(stored), want)
			_, err = store.Commit(t.Context(), now.Version, now.Run, nil, ports.Progress{})
			is.NoErr(err) // the store goes on
		})
	}
}
