package porttest

import (
	"context"
	"fmt"
	"testing"

	"github.com/benchfleet/benchfleet/core"
	"github.com/benchfleet/benchfleet/ports"
)

// LoadableTarget is what the suite tests: a target and its loader in one.
type LoadableTarget interface {
	ports.Target
	ports.Loader
}

// TargetHarness opens what the suite of a target tests.
type TargetHarness struct {
	// Open returns a target in which the table is not there. The suite closes
	// it; what lies beneath is removed by t.Cleanup or t.TempDir.
	Open func(t testing.TB) LoadableTarget
	// Table is the benchmark table's name; "BENCH_ROWS" when empty.
	Table string
	// Type is the benchmark table's type; "STANDARD" when empty. It must be one of
	// which the target enforces the key.
	Type string
	// AnySQL says that the target understands SQL beyond the default statements.
	AnySQL bool
	// Isolated says that a session does not see what another has not committed.
	Isolated bool
	// Echo is a query of one parameter of any type that returns one row. Empty:
	// impossible.
	Echo core.Statement
	// Slow is a statement without parameters that runs for more than a minute.
	// Empty: impossible.
	Slow core.Statement
}

// TestTarget proves a ports.Target and its ports.Loader.
func TestTarget(t *testing.T, h TargetHarness) {
	t.Helper()
	TargetSuite().Test(t, h)
}

// TargetSuite is the cases of TestTarget.
func TargetSuite() Suite[TargetHarness] {
	return Suite[TargetHarness]{
		{"a table that is missing", targetMissing},
		{"Create makes an empty table, once", targetCreate},
		{"Load loads the rows of core.TableRow", targetLoad},
		{"Load goes on where it was interrupted", targetLoadAgain},
		{"Drop twice", targetDrop},
		{"Sample", targetSample},
		{"Explain", targetExplain},
		{"default statements count rows", targetDefaults},
		{"a refused statement leaves the session usable", targetErrors},
		{"arguments of every type", targetTypes},
		{"commit and rollback", targetTransactions},
		{"an error inside a transaction", targetBrokenTransaction},
		{"many sessions at once", targetSessions},
		{"Close of a session", targetClose},
		{"a slow statement ends with its context", targetCancel},
		{"Running sees what is in flight", targetRunning},
		{"CancelSessions", targetCancelSessions},
		{"ended contexts", targetContexts},
	}
}

const targetRows = 1000

// Statement numbers of open: the default statements in the order of core.Kinds.
const (
	lookUp = iota
	scan
	insert
	update
	remove
	extra // what a case adds
)

func (h TargetHarness) table() core.TemplateTable {
	if h.Table == "" {
		h.Table = "BENCH_ROWS"
	}
	if h.Type == "" {
		h.Type = "STANDARD"
	}
	return core.TemplateTable{Name: h.Table, Type: h.Type, Rows: targetRows}
}

// bare opens a target without the table.
func (h TargetHarness) bare(t testing.TB) LoadableTarget {
	t.Helper()
	target := h.Open(t)
	t.Cleanup(func() {
		for range 2 {
			if err := target.Close(); err != nil {
				t.Errorf("Close of the target: %v", err)
			}
		}
	})
	return target
}

// loaded opens a target with the table and its rows.
func (h TargetHarness) loaded(t testing.TB) LoadableTarget {
	t.Helper()
	target := h.bare(t)
	must(t, target.Create(within(t), h.table()), "Create")
	must(t, target.Load(within(t), h.table(), nil), "Load")
	return target
}

// session opens a session with the default statements and those of the case.
func (h TargetHarness) session(t testing.TB, target ports.Target, more ...core.Statement) ports.Session {
	t.Helper()
	session, err := target.Open(within(t), ports.SessionOptions{Table: h.table(), Statements: append(defaultStatements(), more...), Tag: "porttest"})
	must(t, err, "Open")
	t.Cleanup(func() {
		for range 2 {
			if err := session.Close(); err != nil {
				t.Errorf("Close of a session: %v", err)
			}
		}
	})
	return session
}

func defaultStatements() []core.Statement {
	var list []core.Statement
	for _, kind := range core.Kinds() {
		sql, parameters := core.DefaultStatement(kind)
		statement := core.Statement{SQL: sql, Query: core.IsQuery(sql)}
		for i := range parameters {
			statement.Bind = append(statement.Bind, i)
		}
		list = append(list, statement)
	}
	return list
}

// execute executes a statement that must succeed with that many rows.
func execute(t testing.TB, session ports.Session, want int64, statement int, args ...any) {
	t.Helper()
	rows, err := session.Exec(within(t), statement, args)
	must(t, err, fmt.Sprintf("Exec of statement %d with %v", statement, args))
	if rows != want {
		t.Errorf("statement %d with %v: %d rows, want %d", statement, args, rows, want)
	}
}

func rowArgs(id int64) []any {
	row := core.TableRow(id)
	return []any{row.ID, row.CustomerID, row.Balance, row.Status, row.Payload}
}

func describe(t testing.TB, target ports.Target, table core.TemplateTable) ports.TargetInfo {
	t.Helper()
	info, err := target.Describe(within(t), table)
	must(t, err, "Describe")
	return info
}

func wantTable(t testing.TB, target ports.Target, table core.TemplateTable, exists bool, rows int64) {
	t.Helper()
	if got := describe(t, target, table).Table; got.Exists != exists || got.Rows != rows {
		t.Errorf("table %s: exists %t with %d rows, want %t with %d", table.Name, got.Exists, got.Rows, exists, rows)
	}
}

func targetMissing(t testing.TB, h TargetHarness) {
	target := h.bare(t)
	info := describe(t, target, h.table())
	if info.Table.Exists || info.Table.Rows != 0 || len(info.Table.Columns) != 0 {
		t.Errorf("a table that is not there: %+v", info.Table)
	}
	if info.Kind == "" {
		t.Error("the target has no kind")
	}
	if err := target.Load(within(t), h.table(), nil); err == nil || core.CodeOf(err) == core.Internal {
		t.Errorf("Load of a table that is not there: %v, want an error with a code", err)
	}
	if err := target.Explain(within(t), h.table(), defaultStatements()[lookUp]); err == nil || core.CodeOf(err) == core.Internal {
		t.Errorf("Explain on a table that is not there: %v, want an error with a code", err)
	}
	wantTable(t, target, h.table(), false, 0)
}

func targetCreate(t testing.TB, h TargetHarness) {
	target := h.bare(t)
	must(t, target.Create(within(t), h.table()), "Create")
	info := describe(t, target, h.table())
	if !info.Table.Exists || info.Table.Rows != 0 || len(info.Table.Columns) != 5 {
		t.Errorf("a new table: %+v, want 5 columns and no rows", info.Table)
	}
	if info.Version == "" {
		t.Error("the target has no version")
	}
	wantCode(t, target.Create(within(t), h.table()), core.Conflict, "Create of a table that is there")
	must(t, target.Load(within(t), h.table(), nil), "Load")
	wantCode(t, target.Create(within(t), h.table()), core.Conflict, "Create of a table that holds rows")
	wantTable(t, target, h.table(), true, targetRows)
}

func targetLoad(t testing.TB, h TargetHarness) {
	target := h.bare(t)
	must(t, target.Create(within(t), h.table()), "Create")
	var seen []int64
	must(t, target.Load(within(t), h.table(), func(rows int64) { seen = append(seen, rows) }), "Load")
	if len(seen) == 0 || seen[len(seen)-1] != targetRows {
		t.Errorf("progress ended at %v, want %d", seen, targetRows)
	}
	for i := 1; i < len(seen); i++ {
		if seen[i] < seen[i-1] {
			t.Errorf("progress went back: %v", seen)
		}
	}
	fewer, more := h.table(), h.table()
	fewer.Rows, more.Rows = 10, 10*targetRows
	wantTable(t, target, h.table(), true, targetRows)
	wantTable(t, target, fewer, true, 10)
	wantTable(t, target, more, true, targetRows)
	session := h.session(t, target)
	for _, id := range []int64{0, 1, targetRows - 1} {
		execute(t, session, 1, lookUp, id)
		_, err := session.Exec(within(t), insert, rowArgs(id))
		wantCode(t, err, core.Conflict, "INSERT of a loaded key")
	}
	execute(t, session, 0, lookUp, int64(targetRows))
	if h.AnySQL {
		row := core.TableRow(7)
		same := h.session(t, target, core.Statement{
			SQL:  "SELECT ID FROM {table} WHERE ID = ? AND CUSTOMER_ID = ? AND BALANCE = ? AND STATUS = ? AND PAYLOAD = ?",
			Bind: []int{0, 1, 2, 3, 4}, Query: true,
		})
		execute(t, same, 1, extra, row.ID, row.CustomerID, row.Balance, row.Status, row.Payload)
	}
}

func targetLoadAgain(t testing.TB, h TargetHarness) {
	target := h.bare(t)
	table := h.table()
	must(t, target.Create(within(t), table), "Create")
	table.Rows = 100
	must(t, target.Load(within(t), table, nil), "Load of 100 rows")
	session := h.session(t, target)
	execute(t, session, 1, update, int64(-5), "MINE", int64(50)) // must not be loaded over
	execute(t, session, 1, remove, int64(60))                    // a hole, as an interruption may leave one

	ctx, cancel := context.WithCancel(within(t))
	table.Rows = 50_000
	err := target.Load(ctx, table, func(int64) { cancel() })
	wantEnded(t, err, ctx, "Load that is interrupted")
	must(t, target.Load(within(t), table, nil), "Load again")
	wantTable(t, target, table, true, 50_000)
	must(t, target.Load(within(t), table, nil), "Load of what is loaded")
	wantTable(t, target, table, true, 50_000)
	if h.AnySQL {
		mine := h.session(t, target, core.Statement{SQL: "SELECT ID FROM {table} WHERE ID = ? AND BALANCE = ?", Bind: []int{0, 1}, Query: true})
		execute(t, mine, 1, extra, int64(50), int64(-5))
	}
}

func targetDrop(t testing.TB, h TargetHarness) {
	target := h.bare(t)
	must(t, target.Drop(within(t), h.table()), "Drop of a table that never was")
	must(t, target.Create(within(t), h.table()), "Create")
	must(t, target.Load(within(t), h.table(), nil), "Load")
	for range 2 {
		must(t, target.Drop(within(t), h.table()), "Drop")
		wantTable(t, target, h.table(), false, 0)
	}
	must(t, target.Create(within(t), h.table()), "Create after Drop")
	wantTable(t, target, h.table(), true, 0)
}

func targetExplain(t testing.TB, h TargetHarness) {
	target := h.loaded(t)
	for _, statement := range defaultStatements() {
		must(t, target.Explain(within(t), h.table(), statement), "Explain of "+statement.SQL)
	}
	wantTable(t, target, h.table(), true, targetRows) // nothing was executed
	if !h.AnySQL {
		return
	}
	for _, sql := range []string{"SELEC ID FROM {table}", "SELECT NO_SUCH_COLUMN FROM {table}", "SELECT ID FROM NO_SUCH_TABLE"} {
		wantCode(t, target.Explain(within(t), h.table(), core.Statement{SQL: sql, Query: true}), core.Invalid, "Explain of "+sql)
		_, err := target.Open(within(t), ports.SessionOptions{Table: h.table(), Statements: []core.Statement{{SQL: sql, Query: true}}})
		wantCode(t, err, core.Invalid, "Open with "+sql)
	}
	bound := core.Statement{SQL: "SELECT ID FROM {table} WHERE ID = ?", Bind: []int{0, 1}, Query: true}
	wantCode(t, target.Explain(within(t), h.table(), bound), core.Invalid, "Explain with more parameters than placeholders")
}
