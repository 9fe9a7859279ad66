package runner_test

import (
	"bytes"
	"context"
	"log/slog"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/matryer/is"

	"github.com/benchfleet/benchfleet/adapters/fault"
	"github.com/benchfleet/benchfleet/core"
	"github.com/benchfleet/benchfleet/ports"
	"github.com/benchfleet/benchfleet/runner"
)

// journal is what the orchestrators of the run have stored of their logs.
func (b *bench) journal(t testing.TB) []ports.LogLine {
	t.Helper()
	lines, err := b.store.Logs().Read(context.Background(), "run", "", time.Time{}, 10_000)
	if err != nil {
		t.Fatal(err)
	}
	return slices.DeleteFunc(lines, func(l ports.LogLine) bool { return l.WorkerID != "" })
}

// wantLines fails for each text that begins no line of the journal.
func (b *bench) wantLines(t testing.TB, texts ...string) {
	t.Helper()
	lines := b.journal(t)
	for _, text := range texts {
		if !slices.ContainsFunc(lines, func(l ports.LogLine) bool { return strings.HasPrefix(l.Level+" "+l.Message, text) }) {
			t.Errorf("no line begins %q; there are %+v", text, lines)
		}
	}
}

// What the orchestrator logs of a run is stored under it while the run goes on,
// and reaches its logger as well.
func TestJournal(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		is := is.New(t)
		b := newBench(t, map[string]script{"worker-1": {deaf: true}})
		var text bytes.Buffer
		r := b.runner(t, "a", func(_ *runner.Ports, o *runner.Options) {
			o.Logger = slog.New(slog.NewTextHandler(&text, nil))
			reacting(o, reaction{inPhase(core.Cooldown), func() {
				b.wantLines(t, "INFO preflight: T with 100 rows", "INFO the run is STARTING", "INFO a worker was launched", "INFO the run is RUNNING")
			}})
		})
		run := b.runToEnd(t, r, scenarioFor(t, 2, func(tpl *core.Template) { tpl.Load.Cooldown = core.Duration(time.Second) }))
		is.Equal(run.Status, core.Failed)
		b.wantLines(t, "INFO the phase is MEASUREMENT", `INFO the run is STOPPING {"reason":"ELAPSED"}`,
			`WARN the stop was raised {"rung":"KILL"}`, `INFO asked a worker to end {"worker":"worker-1"}`, `INFO killed a worker {"worker":"worker-1"}`,
			"WARN a worker has ended", "INFO a worker has ended", "INFO the run is FAILED")
		is.True(strings.Contains(text.String(), "the run is RUNNING"))
		for i, l := range b.journal(t) {
			is.Equal(l.Sequence, int64(1_000_000_001+i))
			is.True(!l.Time.IsZero())
		}
	})
}

// A run that is refused leaves its findings in the log.
func TestJournalOfARefusedRun(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newBench(t, nil)
		b.runToEnd(t, b.runner(t, "a", nil), scenarioFor(t, 2, func(tpl *core.Template) { tpl.Table.Rows = 500 }))
		b.wantLines(t, "ERROR preflight: table T has 100 of the 500 rows", "INFO the run is FAILED")
	})
}

// The lines of a successor follow those of its predecessor and replace none.
func TestJournalAfterATakeover(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		is := is.New(t)
		b := newBench(t, nil)
		b.takeOver(t, scenarioFor(t, 2, func(tpl *core.Template) { tpl.Load.Duration = core.Duration(5 * time.Second) }))
		b.wantLines(t, "INFO the run is STARTING", `INFO took the run over {"from":"first","owner":"second"}`, "INFO the run is COMPLETED")
		owners := map[int64]int64{}
		for _, l := range b.journal(t) {
			owner := l.Sequence / 1_000_000_000
			owners[owner]++
			is.Equal(l.Sequence%1_000_000_000, owners[owner]) // none is missing, none is there twice
		}
		is.Equal(len(owners), 2)
	})
}

// A store that takes no lines for a while gets them later; nothing waits for it.
func TestJournalOfAStoreThatTakesNoLines(t *testing.T) {
	for _, kind := range []fault.Fault{fault.FailBefore, fault.FailAfter, fault.Lose} {
		virtual(t, string(kind), func(t *testing.T) {
			is := is.New(t)
			b := newBench(t, nil)
			in := injector(t, 1, fault.Rule{On: "LogStore.Append", Fault: kind, Calls: []int64{1}, Delay: time.Hour})
			run := b.runToEnd(t, b.runner(t, "a", b.decorated(in)), scenarioFor(t, 2, func(tpl *core.Template) { tpl.Load.Duration = core.Duration(10 * time.Second) }))
			is.Equal(run.Status, core.Completed)
			is.Equal(run.Reason, core.Elapsed)
			b.wantLines(t, "INFO the run is STARTING", "INFO the run is COMPLETED")
			for i, l := range b.journal(t) {
				is.Equal(l.Sequence, int64(1_000_000_001+i))
			}
		})
	}
}
