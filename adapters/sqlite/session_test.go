package sqlite

import (
	"context"
	"database/sql/driver"
	"errors"
	"path/filepath"
	"sync"
	"testing"
	"time"

	"github.com/matryer/is"
	modernc "modernc.org/sqlite"

	"github.com/benchfleet/benchfleet/core"
	"github.com/benchfleet/benchfleet/ports"
	"github.com/benchfleet/benchfleet/ports/porttest"
)

// If this fails, an update of the driver has changed the layout of its
// connections: sessions still work, as TestTargetWithoutInterrupter shows, but
// with a goroutine for each call.
func TestDriverShowsItsHandle(t *testing.T) {
	is := is.New(t)
	connector, err := modernc.NewConnector("file:" + filepath.Join(t.TempDir(), "x.db"))
	is.NoErr(err)
	conn, err := connector.Connect(t.Context())
	is.NoErr(err)
	defer func() { is.NoErr(conn.Close()) }()
	is.True(interrupter(conn) != nil)
	is.True(interrupter(nil) == nil)
	is.True(interrupter(otherConn{}) == nil)
	is.True(interrupter(&otherConn{}) == nil)
}

type otherConn struct {
	driver.Conn
	db string //lint:ignore U1000 read by reflection
}

func TestTargetWithoutInterrupter(t *testing.T) {
	h := targetHarness()
	open := h.Open
	h.Open = func(t testing.TB) porttest.LoadableTarget {
		target := open(t).(*Target)
		target.plain = true
		return target
	}
	porttest.TestTarget(t, h)
}

// lookupAndInsert opens a session with those two statements.
func lookupAndInsert(t testing.TB, target *Target, table core.TemplateTable) ports.Session {
	t.Helper()
	var statements []core.Statement
	for _, kind := range []string{core.PointLookup, core.Insert} {
		text, _ := core.DefaultStatement(kind)
		statements = append(statements, core.Statement{SQL: text, Query: core.IsQuery(text)})
	}
	session, err := target.Open(t.Context(), ports.SessionOptions{Table: table, Statements: statements})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = session.Close() })
	return session
}

func newRow(id int64) []any { return []any{id, int64(1), int64(2), "NEW", "payload"} }

// A statement that waits for the lock of another session ends with its context,
// gets the lock when it is free, and gives up in time.
func TestSessionWaitsForALock(t *testing.T) {
	is := is.New(t)
	target, table := loadedTarget(t, 10)
	target.busy = time.Minute
	holder, waiter := lookupAndInsert(t, target, table), lookupAndInsert(t, target, table)
	is.NoErr(holder.Begin(t.Context()))
	_, err := holder.Exec(t.Context(), 1, newRow(100))
	is.NoErr(err)

	_, err = waiter.Exec(t.Context(), 0, []any{int64(5)}) // readers do not wait
	is.NoErr(err)
	ctx, cancel := context.WithTimeout(t.Context(), 50*time.Millisecond)
	defer cancel()
	start := time.Now()
	_, err = waiter.Exec(ctx, 1, newRow(101))
	wantError(t, err, core.Refused)
	is.True(errors.Is(err, context.DeadlineExceeded))
	is.Equal(core.ErrorClass(err), core.ClassTimeout)
	is.True(time.Since(start) < 20*time.Second) // and not the minute

	target.busy, start = 400*time.Millisecond, time.Now()
	_, err = waiter.Exec(t.Context(), 1, newRow(101))
	wantError(t, err, core.Conflict, "locked") // the session goes on
	is.Equal(core.ErrorClass(err), "BUSY")
	is.True(time.Since(start) >= 400*time.Millisecond)
	wantError(t, waiter.Begin(t.Context()), core.Conflict, "locked")

	target.busy = time.Minute
	got := make(chan error, 1)
	go func() {
		_, err := waiter.Exec(t.Context(), 1, newRow(101))
		got <- err
	}()
	is.NoErr(holder.Commit(t.Context()))
	is.NoErr(<-got)
}

// Transactions that read before they write would fail at random if they did not
// begin IMMEDIATE.
func TestTransactionsThatReadFirst(t *testing.T) {
	is := is.New(t)
	target, table := loadedTarget(t, 100)
	var wg sync.WaitGroup
	const sessions, each = 4, 50
	errs := make([]error, sessions)
	for i := range sessions {
		session := lookupAndInsert(t, target, table)
		wg.Go(func() {
			for n := 0; n < each && errs[i] == nil; n++ {
				_, read := func() (int64, error) {
					if err := session.Begin(t.Context()); err != nil {
						return 0, err
					}
					return session.Exec(t.Context(), 0, []any{int64(n)})
				}()
				_, write := session.Exec(t.Context(), 1, newRow(int64(1000+i*each+n)))
				errs[i] = errors.Join(read, write, session.Commit(t.Context()))
			}
		})
	}
	wg.Wait()
	for _, err := range errs {
		is.NoErr(err)
	}
	info, err := target.Describe(t.Context(), core.TemplateTable{Name: table.Name, Rows: 1000 + sessions*each})
	is.NoErr(err)
	is.Equal(info.Table.Rows, int64(100+sessions*each))
}

// Contexts that end all the time never hit a call of another context.
func TestInterruptionsHitTheirOwnCallOnly(t *testing.T) {
	is := is.New(t)
	target, table := loadedTarget(t, 1000)
	text, _ := core.DefaultStatement(core.RangeScan)
	session, err := target.Open(t.Context(), ports.SessionOptions{Table: table, Statements: []core.Statement{{SQL: text, Query: true}}})
	is.NoErr(err)
	defer func() { is.NoErr(session.Close()) }()
	cut := 0
	for n := range 400 {
		ctx, cancel := context.WithTimeout(t.Context(), time.Duration(n%20)*20*time.Microsecond)
		if _, err := session.Exec(ctx, 0, []any{int64(0), int64(999)}); err != nil {
			cut++
			is.True(errors.Is(err, context.DeadlineExceeded))
			is.Equal(core.CodeOf(err), core.Refused) // the session goes on
		}
		rows, err := session.Exec(t.Context(), 0, []any{int64(0), int64(99)})
		is.NoErr(err) // not its context
		is.Equal(rows, int64(100))
		cancel()
	}
	is.True(cut > 0)
}

func TestDSN(t *testing.T) {
	directory := t.TempDir()
	path := filepath.Join(directory, "bench.db")
	for _, dsn := range []string{path, "sqlite:" + path, "file:" + path, "file://" + path, path + "?_pragma=cache_size(-1000)&_busy_timeout=100&_txlock=deferred&mode=rw"} {
		t.Run(dsn, func(t *testing.T) {
			is := is.New(t)
			target, err := OpenTarget(t.Context(), dsn, TargetOptions{})
			is.NoErr(err)
			is.Equal(target.path, path)
		})
	}
	for dsn, says := range map[string]string{
		"": "must name a file", "sqlite:": "must name a file", ":memory:": "in memory", "file::memory:?cache=shared": "in memory",
		path + "?cache=shared": `"cache"`, path + "?_busy_timeout=soon": `"soon"`, path + "?_txlock=exclusive": `"exclusive"`, path + "?_pragma=busy_timeout(1)": "_busy_timeout", path + "?a=%zz": "malformed",
	} {
		t.Run(dsn, func(t *testing.T) {
			_, err := OpenTarget(t.Context(), dsn, TargetOptions{})
			wantError(t, err, core.Invalid, says)
		})
	}
	t.Run("parameters are used and reported", func(t *testing.T) {
		is := is.New(t)
		target := openTarget(t, path+"?_pragma=cache_size(-1234)&_pragma=synchronous(FULL)&_txlock=deferred&_busy_timeout=250")
		defer func() { is.NoErr(target.Close()) }()
		table := core.TemplateTable{Name: "T", Rows: 10}
		is.NoErr(target.Create(t.Context(), table))
		info, err := target.Describe(t.Context(), table)
		is.NoErr(err)
		is.Equal(info.Database, path)
		is.True(info.LocalFile && info.Embedded)
		settings := map[string]string{}
		for _, fact := range info.Settings {
			settings[fact.Name] = fact.Value
		}
		is.Equal(settings["cache_size"], "-1234")
		is.Equal(settings["synchronous"], "2")
		is.Equal(settings["journal_mode"], "wal")
		is.Equal(settings["begin"], "BEGIN DEFERRED")
		is.Equal(settings["busy_timeout"], "250ms")
	})
}

// A target is made by Create and by nothing else.
func TestMissingTarget(t *testing.T) {
	is := is.New(t)
	path := filepath.Join(t.TempDir(), "none.db")
	target := openTarget(t, path)
	table := core.TemplateTable{Name: "T", Rows: 10}
	info, err := target.Describe(t.Context(), table)
	is.NoErr(err)
	is.True(!info.Table.Exists)
	_, err = target.Open(t.Context(), ports.SessionOptions{Table: table})
	wantError(t, err, core.NotFound, path)
	wantError(t, target.Explain(t.Context(), table, core.Statement{SQL: "SELECT 1"}), core.NotFound, path)
	wantError(t, target.Load(t.Context(), table, nil), core.NotFound, path)
	is.NoErr(target.Drop(t.Context(), table))
	files, err := filepath.Glob(path + "*")
	is.NoErr(err)
	is.Equal(len(files), 0)
}
