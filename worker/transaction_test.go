package worker

import (
	"testing"
	"testing/synctest"
	"time"

	"github.com/matryer/is"

	"github.com/benchfleet/benchfleet/adapters/fault"
	"github.com/benchfleet/benchfleet/adapters/memory"
	"github.com/benchfleet/benchfleet/core"
)

// transferMix is half look-ups and half transactions of a look-up and an update.
func transferMix() []core.TemplateOp {
	lookup, _ := core.DefaultStatement(core.PointLookup)
	update, _ := core.DefaultStatement(core.Update)
	return []core.TemplateOp{
		{Kind: core.PointLookup, Weight: 50},
		{
			Kind: "TRANSFER", Weight: 50,
			Parameters: []core.Parameter{
				{Name: "id", Type: core.ParamKey}, {Name: "balance", Type: core.ParamInt, Max: 10}, {Name: "status", Type: core.ParamLiteral, Value: "NEW"},
			},
			Statements: []core.TemplateStatement{{SQL: lookup, Bind: []string{"id"}}, {SQL: update, Bind: []string{"balance", "status", "id"}}},
		},
	}
}

// checkStatements holds the parts of a TRANSFER to its whole: one of each for
// every success, and together as long as it.
func checkStatements(t *testing.T, k *core.KindMetrics) {
	t.Helper()
	is := is.New(t)
	if k.OK == 0 {
		is.Equal(len(k.Statements), 0)
		return
	}
	is.Equal(len(k.Statements), 4)
	var sum time.Duration
	for i, name := range []string{"BEGIN", "1", "2", "COMMIT"} {
		is.Equal(k.Statements[i].Name, name)
		is.Equal(k.Statements[i].Service.Count(), k.OK)
		is.True(k.Statements[i].Service.Max() <= k.Service.Max())
		sum += k.Statements[i].Service.Sum()
	}
	is.Equal(sum, k.Service.Sum())
}

// Each statement of a transaction has the whole timeout.
func TestTransaction(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		is := is.New(t)
		tmpl := template(1, 2)
		tmpl.Mix = transferMix()
		tmpl.Limits.StatementTimeout = core.Duration(10 * time.Millisecond)
		tmpl.Limits.DrainTimeout = core.Duration(50 * time.Millisecond)
		f := newFleet(t, tmpl, 4*time.Millisecond)
		failing, err := fault.New(1, fault.Rule{On: "Session.Exec", Fault: fault.FailBefore, Calls: []int64{500, 501, 502, 503}, Error: core.ErrConflict})
		is.NoErr(err)
		f.open = failing.Target(f.target)
		run := f.drive(nil)
		f.running.Wait()
		is.Equal(run.Status, core.Completed)
		b := f.beats()[0]
		kinds := b.Report.PhaseOf(core.Measurement).Kinds
		is.Equal(kinds[1].Kind, "TRANSFER")
		is.Equal(kinds[1].Service.Min(), 16*time.Millisecond) // begin, two statements, commit: counted as one
		total := b.Report.Totals()
		is.Equal(total.Errors, uint64(4)) // none of them a timeout
		is.Equal(core.Total(kinds).Failures[0].Class, "CONFLICT")
		running, err := f.target.Running(t.Context(), b.Sessions)
		is.NoErr(err)
		is.Equal(running.Count, 0) // no transaction is left open
	})
}

// The statements of a transaction are timed inside it, from the connection to
// the result of the run.
func TestStatementsOfATransaction(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		is := is.New(t)
		tmpl := template(2, 2)
		tmpl.Mix = transferMix()
		tmpl.Load.Warmup = core.Duration(time.Second)
		f := newFleet(t, tmpl, 0)
		latency := map[string]time.Duration{
			"BEGIN": time.Millisecond, core.PointLookup: 2 * time.Millisecond, core.Update: 3 * time.Millisecond, "COMMIT": 4 * time.Millisecond,
		}
		f.target = memory.NewTarget(memory.TargetOptions{Latency: func(kind string) time.Duration { return latency[kind] }})
		is.NoErr(f.target.Create(t.Context(), f.scenario.Table))
		is.NoErr(f.target.Load(t.Context(), f.scenario.Table, nil))
		failing, err := fault.New(1,
			fault.Rule{On: "Session.Exec", Fault: fault.FailBefore, Calls: []int64{1500, 1501, 1502, 1503}, Error: core.ErrConflict},
			fault.Rule{On: "Session.Commit", Fault: fault.FailBefore, Calls: []int64{700, 701, 702}, Error: core.ErrConflict})
		is.NoErr(err)
		f.open = failing.Target(f.target)
		run := f.drive(nil)
		f.running.Wait()
		parent, children := f.summary(run)
		for _, rollup := range append(children, parent) {
			is.Equal(len(rollup.Kinds[0].Statements), 0) // no transaction
			transfer := &rollup.Kinds[1]
			checkStatements(t, transfer)
			is.True(transfer.OK > 100)
			is.Equal(transfer.Service.Min(), 10*time.Millisecond)
			for i, part := range transfer.Statements {
				want := time.Duration(i+1) * time.Millisecond
				is.Equal(part.Service.Min(), want)
				is.Equal(part.Service.Max(), want)
			}
		}
		is.True(parent.Kinds[1].Errors >= 3) // they are in none of the parts
		for _, b := range f.beats() {
			f.checkIntervals(b)
			for _, phase := range b.Report.Phases {
				checkStatements(t, &phase.Kinds[1])
			}
		}
	})
}

// A transaction in flight is in no histogram before it has succeeded.
func TestStatementsInFlight(t *testing.T) {
	is := is.New(t)
	tmpl := template(1, 1)
	tmpl.Mix = transferMix()
	l, c := testLoad(t, tmpl)
	l.publish(measuring())
	conn := l.connections[0]
	collected := func() *core.KindMetrics {
		now := l.clock.now()
		c.cut(mark{at: now, offset: 1}, now)
		return &c.report(now).Phases[0].Kinds[1]
	}
	for at := time.Duration(100); at <= 300; at += 100 {
		is.True(conn.begin(at, 7, 1, measurement))
		conn.step(0, at+1)
		conn.step(1, at+3)
		is.Equal(collected().OK, uint64(at/100-1))
		checkStatements(t, collected())
		conn.step(2, at+6)
		conn.succeed(at+10, 2, measurement)
	}
	is.True(conn.settle())
	transfer := collected()
	is.Equal(transfer.OK, uint64(3))
	checkStatements(t, transfer)
	for i, part := range transfer.Statements {
		is.Equal(part.Service.Sum(), 3*time.Duration(i+1))
	}
}

func TestRecordingStatementsAllocatesNothing(t *testing.T) {
	is := is.New(t)
	tmpl := template(1, 1)
	tmpl.Mix = transferMix()
	l, _ := testLoad(t, tmpl)
	at := time.Duration(1)
	one := func() {
		record(t, l.connections[0], at, 8, 1)
		at += 8
	}
	for range logSize {
		one()
	}
	is.Equal(testing.AllocsPerRun(1000, one), 0.0)

	plain, _ := testLoad(t, template(1, 1))
	is.True(plain.connections[0].steps == nil) // a mix without transactions pays nothing
}
