package runner_test

import (
	"testing"
	"testing/synctest"
	"time"

	"github.com/matryer/is"

	"github.com/benchfleet/benchfleet/core"
	"github.com/benchfleet/benchfleet/runner"
)

// check asks for the checks of the run.
func (b *bench) check(t *testing.T) {
	t.Helper()
	if _, err := runner.Request(t.Context(), b.store, "run", func(now time.Time) core.Event { return core.CheckRequested{At: now} }); err != nil {
		t.Fatal(err)
	}
}

// A run that is only to be checked is as it was afterwards, with findings: nothing
// was launched, nothing published, nobody owns it, and it can be started.
func TestChecksAlone(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		is := is.New(t)
		b := newBench(t, nil)
		r := b.runner(t, "checker", nil)
		scenario := scenarioFor(t, 2, nil)
		_, err := r.Create(t.Context(), "run", scenario)
		is.NoErr(err)
		b.check(t)
		run, err := r.Drive(t.Context(), "run", runner.DriveOptions{})
		is.NoErr(err)
		record, err := b.store.Load(t.Context(), "run")
		is.NoErr(err)
		is.Equal(record.Run.Status, core.Prepared)
		is.Equal(len(record.Run.Findings), len(run.Findings))
		is.True(len(run.Findings) >= 5) // target, table, statements, launcher, build, store
		is.Equal(core.Refusal(run.Findings), "")
		is.Equal(record.Run.Owner, "")
		is.Equal(len(b.started), 0)
		events, err := b.store.Events(t.Context(), "run", 0)
		is.NoErr(err)
		is.Equal(len(events), 0)
		lines, err := b.store.Logs().Read(t.Context(), "run", "", time.Time{}, 0)
		is.NoErr(err)
		is.True(len(lines) >= 5) // what was found is in the log

		other := b.runner(t, "driver", nil)
		run, err = other.Drive(t.Context(), "run", runner.DriveOptions{Start: true})
		is.NoErr(err)
		is.Equal(run.Status, core.Completed)
		is.Equal(b.count(t, core.EventOwnerChanged), 0)
	})
}

// A refusal is an answer, and not the end of the run.
func TestChecksThatRefuse(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		is := is.New(t)
		b := newBench(t, nil)
		r := b.runner(t, "checker", nil)
		scenario := scenarioFor(t, 1, func(tpl *core.Template) { tpl.Table.Rows = 100_000 }) // there are 100
		_, err := r.Create(t.Context(), "run", scenario)
		is.NoErr(err)
		for range 2 { // and again
			b.check(t)
			run, err := r.Drive(t.Context(), "run", runner.DriveOptions{})
			is.NoErr(err)
			is.Equal(run.Status, core.Prepared)
			is.True(core.Refusal(run.Findings) != "")
		}
		run, err := r.Drive(t.Context(), "run", runner.DriveOptions{Start: true})
		is.NoErr(err)
		is.Equal(run.Reason, core.PreflightRefused)
	})
}
