package snowflake

import (
	"strings"
	"testing"
	"time"

	"github.com/matryer/is"

	"github.com/benchfleet/benchfleet/adapters/snowflake/snowflaketest"
	"github.com/benchfleet/benchfleet/core"
	"github.com/benchfleet/benchfleet/ports"
	"github.com/benchfleet/benchfleet/ports/porttest"
)

func open(t testing.TB, dsn string) *Target {
	t.Helper()
	target, err := OpenTarget(dsn, TargetOptions{})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = target.Close() })
	return target
}

// fresh opens a target in a schema of its own.
func fresh(t testing.TB) (*Target, snowflaketest.In) {
	t.Helper()
	server := shared.Server(t)
	in := snowflaketest.In{Schema: server.Schema(t)}
	return open(t, server.DSN(in)), in
}

// TestTarget is the whole suite of a target, on a hybrid table: a standard one
// enforces no key.
func TestTarget(t *testing.T) {
	porttest.TestTarget(t, porttest.TargetHarness{
		Open: func(t testing.TB) porttest.LoadableTarget {
			target, _ := fresh(t)
			return target
		},
		Table: `odd "name"; --`, Type: hybridTable, AnySQL: true, Isolated: true,
		Echo: core.Statement{SQL: "SELECT ?", Bind: []int{0}, Query: true},
		Slow: core.Statement{SQL: "SELECT SYSTEM$WAIT(100)", Query: true},
	})
}

var benchTable = core.TemplateTable{Name: "BENCH_ROWS", Type: hybridTable, Rows: 100}

// load makes the table and loads its rows.
func load(t testing.TB, target *Target, table core.TemplateTable) {
	t.Helper()
	if err := target.Create(t.Context(), table); err != nil {
		t.Fatal(err)
	}
	if err := target.Load(t.Context(), table, nil); err != nil {
		t.Fatal(err)
	}
}

// begin opens a session with these statements.
func begin(t testing.TB, target *Target, table core.TemplateTable, texts ...string) *session {
	t.Helper()
	options := ports.SessionOptions{Table: table, Tag: "benchfleet:run/w1/0"}
	for _, text := range texts {
		options.Statements = append(options.Statements, core.Statement{SQL: text, Query: core.IsQuery(text)})
	}
	opened, err := target.Open(t.Context(), options)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = opened.Close() })
	return opened.(*session)
}

// wait polls until a condition holds.
func wait(t testing.TB, what string, holds func() bool) {
	t.Helper()
	for deadline := time.Now().Add(20 * time.Second); !holds(); time.Sleep(10 * time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatalf("not after 20 s: %s", what)
		}
	}
}

func running(t testing.TB, target *Target, sessions ...*session) core.RunningCount {
	t.Helper()
	var ids []string
	for _, s := range sessions {
		ids = append(ids, s.ID())
	}
	counted, err := target.Running(t.Context(), ids)
	if err != nil {
		t.Fatal(err)
	}
	return counted
}

// Each type of table is made, loaded, loaded again and described; what is
// refused on it is known before a run.
func TestTableTypes(t *testing.T) {
	for _, kind := range []string{standardTable, hybridTable, interactiveTable} {
		t.Run(kind, func(t *testing.T) {
			is := is.New(t)
			target, in := fresh(t)
			table := core.TemplateTable{Name: "bench_rows", Type: kind, Rows: 12_000}
			load(t, target, table)
			is.Equal(core.CodeOf(target.Create(t.Context(), table)), core.Conflict)
			is.NoErr(target.Load(t.Context(), table, nil)) // again: nothing is there twice
			info, err := target.Describe(t.Context(), table)
			is.NoErr(err)
			is.Equal(info.Table.Rows, int64(12_000))
			is.Equal(info.Table.Type, kind)
			is.Equal(info.Table.Columns, []string{"ID", "CUSTOMER_ID", "BALANCE", "STATUS", "PAYLOAD"})
			is.Equal(info.ReadOnly != "", kind == interactiveTable)
			is.Equal(info.Warehouse.Name, strings.ToUpper(shared.Server(t).Warehouse))
			is.Equal(shared.Server(t).Value(t, in, "SELECT COUNT(*) FROM BENCH_ROWS"), "12000")
			s := begin(t, target, table, "SELECT ID FROM {table} WHERE ID = ?")
			rows, err := s.Exec(t.Context(), 0, []any{int64(11_999)})
			is.NoErr(err)
			is.Equal(rows, int64(1))
			is.NoErr(target.Drop(t.Context(), table))
			info, err = target.Describe(t.Context(), table)
			is.NoErr(err)
			is.True(!info.Table.Exists)
		})
	}
}

// A view stands for its table, and takes no writes.
func TestView(t *testing.T) {
	is := is.New(t)
	target, in := fresh(t)
	load(t, target, benchTable)
	shared.Server(t).SQLIn(t, in, "CREATE VIEW SEEN AS SELECT * FROM BENCH_ROWS")
	info, err := target.Describe(t.Context(), core.TemplateTable{Name: "seen", Rows: 50})
	is.NoErr(err)
	is.Equal(info.Table.Type, view)
	is.Equal(info.ReadOnly, "it is a view")
	is.Equal(info.Table.Rows, int64(50))
}

// Numbers reach the server exactly, as which type ever.
func TestValuesAreExact(t *testing.T) {
	is := is.New(t)
	target, _ := fresh(t)
	s := begin(t, target, benchTable, "SELECT 1 WHERE ? = 0.123456789012345::FLOAT", "SELECT 1 WHERE ?::TIMESTAMP_NTZ = '2025-12-31 22:59:59.123456'::TIMESTAMP_NTZ", "SELECT 1 WHERE ? = -9223372036854775808")
	for i, arg := range []any{0.123456789012345, time.Date(2025, 12, 31, 23, 59, 59, 123456000, time.FixedZone("", 3600)), int64(-1 << 63)} {
		rows, err := s.Exec(t.Context(), i, []any{arg})
		is.NoErr(err)
		is.Equal(rows, int64(1))
	}
}

// The query history knows a statement by its id, and by run, worker and phase.
func TestTagsAndIDs(t *testing.T) {
	is := is.New(t)
	target, in := fresh(t)
	s := begin(t, target, benchTable, "SELECT CURRENT_DATABASE()")
	tagOf := func() string {
		_, err := s.Exec(t.Context(), 0, nil)
		is.NoErr(err)
		is.True(s.QueryID() != "")
		return shared.Server(t).Value(t, in, "SELECT QUERY_TAG FROM TABLE(INFORMATION_SCHEMA.QUERY_HISTORY_BY_SESSION(SESSION_ID => "+s.ID()+", RESULT_LIMIT => 100)) WHERE QUERY_ID = '"+s.QueryID()+"'")
	}
	is.Equal(tagOf(), "benchfleet:run/w1/0")
	s.Phase(core.Warmup)
	is.Equal(tagOf(), "benchfleet:run/w1/0/WARMUP")
	s.Phase(core.Measurement)
	is.Equal(tagOf(), "benchfleet:run/w1/0/MEASUREMENT")
}

// The result cache is off unless the template asks for it.
func TestResultCache(t *testing.T) {
	for _, cached := range []bool{false, true} {
		is := is.New(t)
		target, _ := fresh(t)
		opened, err := target.Open(t.Context(), ports.SessionOptions{Table: benchTable, ResultCache: cached})
		is.NoErr(err)
		rows, err := ask(t.Context(), opened.(*session).conn, "SHOW PARAMETERS LIKE 'USE_CACHED_RESULT' IN SESSION")
		is.NoErr(err)
		is.Equal(len(rows), 1)
		is.Equal(strings.ToLower(rows[0]["value"]) == "true", cached)
		is.NoErr(opened.Close())
	}
}

// blocked makes a session wait for a row that another has changed, and returns
// both, and how the second ends.
func blocked(t *testing.T, target *Target) (one, two *session, done <-chan error) {
	t.Helper()
	load(t, target, benchTable)
	const change = "UPDATE {table} SET BALANCE = BALANCE + 1 WHERE ID = ?"
	one, two = begin(t, target, benchTable, change), begin(t, target, benchTable, change)
	if err := one.Begin(t.Context()); err != nil {
		t.Fatal(err)
	}
	if _, err := one.Exec(t.Context(), 0, []any{int64(1)}); err != nil {
		t.Fatal(err)
	}
	ended := make(chan error, 1)
	go func() {
		_, err := two.Exec(t.Context(), 0, []any{int64(1)})
		ended <- err
	}()
	return one, two, ended
}

// What waits for a lock counts as running, and can be cancelled.
func TestRunningWaitsForALock(t *testing.T) {
	is := is.New(t)
	target, _ := fresh(t)
	one, two, done := blocked(t, target)
	wait(t, "the second update waits", func() bool { return running(t, target, one, two).Count == 1 })
	is.NoErr(target.CancelSessions(t.Context(), []string{one.ID(), two.ID()}))
	err := <-done
	is.Equal(core.ErrorClass(err), "QUERY_CANCELED")
	is.Equal(core.CodeOf(err), core.Refused)
	is.NoErr(one.Commit(t.Context()))
	_, err = two.Exec(t.Context(), 0, []any{int64(1)}) // it goes on
	is.NoErr(err)
	is.Equal(running(t, target, one, two), core.RunningCount{Known: true})
}

// Sessions of which nothing can be seen are unknown, and those that never were too.
func TestRunningUnknown(t *testing.T) {
	is := is.New(t)
	target, _ := fresh(t)
	s := begin(t, target, benchTable, "SELECT 1")
	for _, id := range []string{"999999999999999", "pooled/x"} {
		counted, err := target.Running(t.Context(), []string{s.ID(), id})
		is.NoErr(err)
		is.True(!counted.Known)
		is.True(strings.Contains(counted.Why, id))
	}
	is.Equal(core.CodeOf(target.CancelSessions(t.Context(), []string{"1); DROP"})), core.Invalid)
}

// An address that names no warehouse leads to that of the user, which is known all
// the same: the store may compute in it too.
func TestDefaultWarehouse(t *testing.T) {
	is := is.New(t)
	server := shared.Server(t)
	if server.Admin == "" {
		t.Skip("an account's user may have no default warehouse")
	}
	address := strings.Replace(server.DSN(snowflaketest.In{Schema: "PUBLIC"}), "&warehouse="+server.Warehouse, "", 1)
	is.True(!strings.Contains(address, "warehouse"))
	target := open(t, address)
	info, err := target.Describe(t.Context(), benchTable)
	is.NoErr(err)
	is.True(info.Warehouse != nil)
	is.Equal(info.Warehouse.Name, server.Warehouse)
	poll, err := target.PollWarehouse(t.Context())
	is.NoErr(err)
	is.Equal(poll.Warehouse, server.Warehouse)
	opened, err := OpenStore(t.Context(), address, StoreOptions{})
	is.NoErr(err)
	defer opened.Close()
	own, err := opened.(ports.WarehouseUser).Warehouse(t.Context())
	is.NoErr(err)
	is.Equal(own.Name, server.Warehouse)
	is.Equal(own.Account, info.Warehouse.Account)
}

// A page of the history that is full says nothing of what it leaves out.
func TestRunningOnAFullPage(t *testing.T) {
	is := is.New(t)
	target, _ := fresh(t)
	s := begin(t, target, benchTable, "SELECT 1")
	_, err := s.Exec(t.Context(), 0, nil)
	is.NoErr(err)
	is.Equal(running(t, target, s), core.RunningCount{Known: true})
	target.page = 3
	for range target.page {
		_, err := s.Exec(t.Context(), 0, nil)
		is.NoErr(err)
	}
	counted := running(t, target, s)
	is.True(!counted.Known)
	is.Equal(counted.Why, "the query history of session "+s.ID()+" fills its page of 3 statements")
}

// The warehouse tells how busy it is.
func TestPollWarehouse(t *testing.T) {
	is := is.New(t)
	target, _ := fresh(t)
	one, _, done := blocked(t, target)
	wait(t, "the warehouse runs something", func() bool {
		poll, err := target.PollWarehouse(t.Context())
		is.NoErr(err)
		is.Equal(poll.Warehouse, strings.ToUpper(shared.Server(t).Warehouse))
		return poll.Running > 0
	})
	is.NoErr(one.Rollback(t.Context()))
	is.NoErr(<-done)
}
