package memory_test

import (
	"context"
	"errors"
	"testing"
	"time"

	"github.com/matryer/is"

	"github.com/benchfleet/benchfleet/adapters/memory"
	"github.com/benchfleet/benchfleet/core"
	"github.com/benchfleet/benchfleet/ports"
)

func benchTable(rows int64) core.TemplateTable { return core.TemplateTable{Name: "T", Rows: rows} }

// statements are the default statements in the order of core.Kinds.
func statements() []core.Statement {
	var list []core.Statement
	for _, kind := range core.Kinds() {
		sql, _ := core.DefaultStatement(kind)
		list = append(list, core.Statement{SQL: sql})
	}
	return list
}

func loaded(t testing.TB, rows int64, options memory.TargetOptions) (*memory.Target, ports.Session) {
	t.Helper()
	target := memory.NewTarget(options)
	if err := errors.Join(target.Create(t.Context(), benchTable(rows)), target.Load(t.Context(), benchTable(rows), nil)); err != nil {
		t.Fatal(err)
	}
	session, err := target.Open(t.Context(), ports.SessionOptions{Table: benchTable(rows), Statements: statements()})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = session.Close() })
	return target, session
}

const (
	lookup = iota
	scan
	insert
	update
	remove
)

func TestSessionExec(t *testing.T) {
	_, session := loaded(t, 1000, memory.TargetOptions{})
	for _, tc := range []struct {
		name      string
		statement int
		args      []any
		rows      int64
		code      core.Code
	}{
		{"a row that is there", lookup, []any{int64(999)}, 1, ""},
		{"a row that is not", lookup, []any{int64(1000)}, 0, ""},
		{"a key of another type", lookup, []any{"999"}, 0, core.Invalid},
		{"no key", lookup, nil, 0, core.Invalid},
		{"a range", scan, []any{int64(10), int64(109)}, 100, ""},
		{"a range at the end", scan, []any{int64(950), int64(1049)}, 50, ""},
		{"a range the wrong way round", scan, []any{int64(10), int64(9)}, 0, ""},
		{"a range of all integers", scan, []any{int64(-1 << 63), int64(1<<63 - 1)}, 1000, ""},
		{"an insert", insert, []any{int64(5000), int64(1), int64(2), "NEW", "x"}, 1, ""},
		{"the same insert again", insert, []any{int64(5000), int64(1), int64(2), "NEW", "x"}, 0, core.Conflict},
		{"an insert without a payload", insert, []any{int64(5001), int64(1), int64(2), "NEW"}, 0, core.Invalid},
		{"the inserted row", lookup, []any{int64(5000)}, 1, ""},
		{"an update", update, []any{int64(7), "CLOSED", int64(5000)}, 1, ""},
		{"an update of nothing", update, []any{int64(7), "CLOSED", int64(6000)}, 0, ""},
		{"an update in the wrong order", update, []any{"CLOSED", int64(7), int64(5000)}, 0, core.Invalid},
		{"a delete", remove, []any{int64(5000)}, 1, ""},
		{"the same delete again", remove, []any{int64(5000)}, 0, ""},
		{"a statement that is not prepared", 5, nil, 0, core.Invalid},
	} {
		t.Run(tc.name, func(t *testing.T) {
			is := is.New(t)
			rows, err := session.Exec(t.Context(), tc.statement, tc.args)
			is.Equal(core.CodeOf(err), tc.code)
			is.Equal(rows, tc.rows)
		})
	}
}

func TestTransactions(t *testing.T) {
	is := is.New(t)
	target, session := loaded(t, 10, memory.TargetOptions{})
	exec := func(statement int, args ...any) int64 {
		t.Helper()
		rows, err := session.Exec(t.Context(), statement, args)
		is.NoErr(err)
		return rows
	}
	change := func() {
		exec(insert, int64(100), int64(1), int64(1), "NEW", "x")
		exec(update, int64(2), "CLOSED", int64(100))
		exec(remove, int64(3))
		exec(update, int64(2), "CLOSED", int64(4))
		exec(remove, int64(4))
	}
	is.NoErr(session.Begin(t.Context()))
	is.Equal(core.CodeOf(session.Begin(t.Context())), core.Refused)
	change()
	count, err := target.Running(t.Context(), []string{session.ID()})
	is.NoErr(err)
	is.Equal(count, core.RunningCount{Known: true, Count: 1}) // an open transaction runs
	is.NoErr(session.Rollback(t.Context()))
	is.Equal(exec(lookup, int64(100)), int64(0))
	is.Equal(exec(scan, int64(0), int64(9)), int64(10))
	info, err := target.Describe(t.Context(), benchTable(10))
	is.NoErr(err)
	is.Equal(info.Table.Rows, int64(10))

	is.NoErr(session.Begin(t.Context()))
	change()
	is.NoErr(session.Commit(t.Context()))
	is.Equal(core.CodeOf(session.Commit(t.Context())), core.Refused)
	is.NoErr(session.Rollback(t.Context())) // outside one it does nothing
	is.Equal(exec(lookup, int64(100)), int64(1))
	is.Equal(exec(scan, int64(0), int64(9)), int64(8))

	is.NoErr(session.Begin(t.Context()))
	exec(remove, int64(5))
	is.NoErr(session.Close()) // rolls back
	is.NoErr(session.Close())
	_, err = session.Exec(t.Context(), lookup, []any{int64(1)})
	is.Equal(core.CodeOf(err), core.Unavailable)
	other, err := target.Open(t.Context(), ports.SessionOptions{Table: benchTable(10), Statements: statements()})
	is.NoErr(err)
	rows, err := other.Exec(t.Context(), lookup, []any{int64(5)})
	is.NoErr(err)
	is.Equal(rows, int64(1))
	is.NoErr(other.Close())
}

// A blocked operation is counted, and ends for each of the three reasons.
func TestLatency(t *testing.T) {
	target, session := loaded(t, 10, memory.TargetOptions{Latency: func(kind string) time.Duration {
		if kind == core.PointLookup {
			return time.Hour
		}
		return 0
	}})
	ids := []string{session.ID()}
	for _, tc := range []struct {
		name  string
		end   func(cancel func())
		code  core.Code
		class string
	}{
		{"by the context", func(cancel func()) { cancel() }, core.Unavailable, core.ClassCancelled},
		{"by request", func(func()) {
			if err := target.CancelSessions(t.Context(), ids); err != nil {
				t.Error(err)
			}
		}, core.Refused, core.ClassCancelled},
	} {
		t.Run(tc.name, func(t *testing.T) {
			is := is.New(t)
			ctx, cancel := context.WithCancel(t.Context())
			defer cancel()
			done := make(chan error)
			go func() {
				_, err := session.Exec(ctx, lookup, []any{int64(1)})
				done <- err
			}()
			for count := (core.RunningCount{}); count.Count == 0; {
				var err error
				count, err = target.Running(t.Context(), ids)
				is.NoErr(err)
				is.True(count.Known)
			}
			var err error
			for ended := false; !ended; { // a cancel that comes before the wait is lost, as in any database
				tc.end(cancel)
				select {
				case err = <-done:
					ended = true
				default:
				}
			}
			is.Equal(core.CodeOf(err), tc.code)
			is.Equal(core.ErrorClass(err), tc.class)
			count, err := target.Running(t.Context(), ids)
			is.NoErr(err)
			is.Equal(count, core.RunningCount{Known: true})
			rows, err := session.Exec(t.Context(), scan, []any{int64(0), int64(9)}) // it can go on
			is.NoErr(err)
			is.Equal(rows, int64(10))
		})
	}
}

func TestTargetRefusals(t *testing.T) {
	is := is.New(t)
	target, session := loaded(t, 10, memory.TargetOptions{})
	sql, _ := core.DefaultStatement(core.PointLookup)
	is.NoErr(target.Explain(t.Context(), benchTable(10), core.Statement{SQL: sql}))
	is.Equal(core.CodeOf(target.Explain(t.Context(), core.TemplateTable{Name: "NONE"}, core.Statement{SQL: sql})), core.Invalid)
	is.Equal(core.CodeOf(target.Explain(t.Context(), benchTable(10), core.Statement{SQL: "SELECT 1"})), core.Unsupported)
	_, err := target.Open(t.Context(), ports.SessionOptions{Table: benchTable(10), Statements: []core.Statement{{SQL: "SELECT 1"}}})
	is.Equal(core.CodeOf(err), core.Unsupported)
	_, err = target.Open(t.Context(), ports.SessionOptions{Table: core.TemplateTable{Name: "NONE"}})
	is.Equal(core.CodeOf(err), core.NotFound)

	for _, strange := range []string{"other-1", "memory-0", "memory-99", "memory-1x"} { // not of this target: not known, never 0
		count, err := target.Running(t.Context(), []string{session.ID(), strange})
		is.NoErr(err)
		is.True(!count.Known && count.Why != "")
	}
	is.NoErr(session.Close())
	count, err := target.Running(t.Context(), []string{session.ID()})
	is.NoErr(err)
	is.Equal(count, core.RunningCount{Known: true}) // gone
	is.NoErr(target.CancelSessions(t.Context(), []string{session.ID(), "other-1"}))
}

func TestLoader(t *testing.T) {
	is := is.New(t)
	target := memory.NewTarget(memory.TargetOptions{})
	info, err := target.Describe(t.Context(), benchTable(2500))
	is.NoErr(err)
	is.True(!info.Table.Exists)
	is.Equal(core.CodeOf(target.Load(t.Context(), benchTable(1), nil)), core.NotFound)
	is.NoErr(target.Create(t.Context(), benchTable(2500)))
	is.Equal(core.CodeOf(target.Create(t.Context(), benchTable(2500))), core.Conflict)

	ctx, cancel := context.WithCancel(t.Context())
	err = target.Load(ctx, benchTable(2500), func(int64) { cancel() }) // interrupted after the first batch
	is.True(errors.Is(err, context.Canceled))
	var seen []int64
	is.NoErr(target.Load(t.Context(), benchTable(2500), func(rows int64) { seen = append(seen, rows) }))
	is.Equal(seen, []int64{1000, 2000, 2500})
	info, err = target.Describe(t.Context(), benchTable(2000))
	is.NoErr(err)
	is.Equal(info.Table, ports.TableInfo{Exists: true, Columns: []string{"ID", "CUSTOMER_ID", "BALANCE", "STATUS", "PAYLOAD"}, Rows: 2000})
	is.NoErr(target.Drop(t.Context(), benchTable(0)))
	is.NoErr(target.Drop(t.Context(), benchTable(0)))
	info, err = target.Describe(t.Context(), benchTable(2500))
	is.NoErr(err)
	is.True(!info.Table.Exists)
}

func BenchmarkSessionPointLookup(b *testing.B) {
	_, session := loaded(b, 100_000, memory.TargetOptions{})
	ctx, cancel := context.WithTimeout(b.Context(), time.Hour)
	defer cancel()
	args := make([]any, 1)
	keys := make([]any, 1024) // boxed before: that is the worker's work
	for i := range keys {
		keys[i] = int64(core.Mix64(uint64(i)) % 100_000)
	}
	b.ReportAllocs()
	for i := 0; b.Loop(); i++ {
		args[0] = keys[i%len(keys)]
		if rows, err := session.Exec(ctx, lookup, args); rows != 1 || err != nil {
			b.Fatal(rows, err)
		}
	}
}
